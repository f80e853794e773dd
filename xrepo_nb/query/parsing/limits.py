"""Bounds on what a query may ask, checked once before parsing."""

from __future__ import annotations

import datetime
from typing import Any

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.query.predicates import Predicate
from xrepo_nb.schema.nesting import CONTAINERS, items_of

MAX_DEPTH = 100
"""Levels of nested documents and arrays in one filter, pipeline or update."""
MAX_STAGES = 1000
"""Stages of one pipeline, sub-pipelines not counted."""
MAX_VALUES = 1_000_000
"""Values of one `$in`, and elements of any other array."""
MAX_CONTAINERS = 200_000
"""Documents and arrays in one filter or pipeline, all together."""
MAX_PATTERN = 32_764
"""Characters of a regular expression."""
MAX_PATH = 200
"""Steps of a field path."""
MAX_PATH_TEXT = 5_000
"""Characters of a field path."""


ATOMS = frozenset({str, int, float, bool, type(None), datetime.datetime})
"""The commonest types that hold nothing: told apart before slower questions are asked."""


def check_bounds(given: Any, at: str, most: int = MAX_CONTAINERS) -> None:
    """Refuses what is nested too deep or too long, before anything recurses into it; `most` is
    how many documents and arrays it may hold.

    Raises `XRepoLimitError`. Costs one walk over the containers.
    """
    level = [given]
    depth = held = 0
    while level:
        depth += 1
        held += len(level)
        if held > most:
            raise XRepoLimitError(
                f"more than {most:,} conditions, documents and arrays", at=at, hint="use $in, or join instead"
            )
        if depth > MAX_DEPTH + 1:
            raise XRepoLimitError(f"nested deeper than {MAX_DEPTH} levels", at=at, hint="flatten the query")
        below: list[Any] = []
        for container in level:
            items = container.values() if type(container) is dict else items_of(container)
            if len(items) > MAX_VALUES:
                raise XRepoLimitError(f"more than {MAX_VALUES:,} elements", at=at, hint="join instead")
            below += [item for item in items if type(item) not in ATOMS and isinstance(item, CONTAINERS)]
            if len(below) > most:
                break
        level = below


def checked_depth(depth: int, at: str) -> int:
    """The depth of a condition, unless it is too deep."""
    if depth > MAX_DEPTH:
        raise XRepoLimitError(f"nested deeper than {MAX_DEPTH} levels", at=at, hint="flatten the query")
    return depth


def check_nested(given: Predicate, at: str) -> None:
    """Refuses a condition, made by hand, that is nested too deep."""
    level, depth = [given], 0
    while level:
        depth = checked_depth(depth + 1, at)
        level = [below for predicate in level for below in predicate.children()]


def check_pattern(pattern: str, at: str) -> None:
    """Refuses a regular expression that is too long."""
    if len(pattern) > MAX_PATTERN:
        raise XRepoLimitError(f"a pattern longer than {MAX_PATTERN:,} characters", at=at)
