"""How deep documents may be nested: what everything that walks into them relies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoValidationError

MAX_LEVELS = 200
"""Levels of documents and arrays within each other in one document, as in BSON."""
MAX_HELD = 20_000_000
"""Containers below the values of one field of several types."""
MAX_FIELDS = 10_000
"""Fields of one collection, and of the documents in one field."""


def too_deep(name: str) -> NoReturn:
    """Raises the error of a document that is nested too deep."""
    where = f"field {name!r}" if name else "a document"
    raise XRepoValidationError(
        f"{where} is nested deeper than {MAX_LEVELS} levels, or holds itself", asked=name
    )


def too_many(count: int) -> NoReturn:
    """Raises the error of rows with too many fields."""
    raise XRepoValidationError(
        f"{count:,} fields, where a collection has at most {MAX_FIELDS:,}",
        hint="put names that vary from row to row into one field, as a document",
    )


def check_nesting(name: str, values: Sequence[Any]) -> None:
    """Refuses values that are nested too deep, or hold themselves; one walk over their containers.

    Raises `XRepoValidationError`.
    """
    level = [value for value in values if isinstance(value, _CONTAINERS)]
    depth = held = 0
    while level:
        depth, held = depth + 1, held + len(level)
        if depth > MAX_LEVELS or held > MAX_HELD:
            too_deep(name)
        below: list[Any] = []
        for container in level:
            items = container.values() if isinstance(container, Mapping) else container
            below += [item for item in items if isinstance(item, _CONTAINERS)]
            if len(below) > MAX_HELD:
                too_deep(name)
        level = below


_CONTAINERS = (dict, list, tuple, Mapping)
