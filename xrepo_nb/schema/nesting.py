"""How deep documents may be nested: what everything that walks into them relies on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoValidationError

MAX_LEVELS = 500
"""Levels of documents and arrays within each other in one document."""
MAX_HELD = 2_000_000
"""Containers below the values of one field, when most are held again and again."""
MAX_FIELDS = 10_000
"""Fields of one collection, and of the documents in one field."""


def too_deep(name: str) -> NoReturn:
    """Raises the error of a document that is nested too deep."""
    where = f"field {name!r}" if name else "a document"
    raise XRepoValidationError(
        f"{where} is nested deeper than {MAX_LEVELS} levels, or holds itself", asked=name
    )


def check_width(count: int) -> None:
    """Refuses more fields than a collection may have. Raises `XRepoValidationError`."""
    if count > MAX_FIELDS:
        raise XRepoValidationError(
            f"{count:,} fields, where a collection has at most {MAX_FIELDS:,}",
            hint="put names that vary from row to row into one field, as a document",
        )


def check_nesting(name: str, values: Sequence[Any]) -> None:
    """Refuses values that are nested too deep, hold themselves, or hold the same containers so
    often that no walk through them ends; one walk over the different containers.

    Raises `XRepoValidationError`.
    """
    level = _counted((value, 1) for value in values)
    depth = different = held = 0
    while level:
        depth, different = depth + 1, different + len(level)
        held += sum(times for _, times in level)
        if depth > MAX_LEVELS or (held > MAX_HELD and held > _SHARED * different):
            too_deep(name)
        level = _counted((item, times) for container, times in level for item in items_of(container))


def _counted(items: Iterable[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """The containers among the items, each once, with how often it is held."""
    found: dict[int, tuple[Any, int]] = {}
    for item, times in items:
        if isinstance(item, CONTAINERS):
            before = found.get(id(item))
            found[id(item)] = item, times + (before[1] if before else 0)
    return list(found.values())


def items_of(container: Any) -> Collection[Any]:
    """What a container holds: of a document its values."""
    return container.values() if isinstance(container, Mapping) else container


CONTAINERS = (dict, list, tuple, Mapping)
_SHARED = 16
