"""Sort orders: of rows by keys, of array elements, the best `n` of either."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.paths import value_getter
from xrepo_nb.query.plan import SortKey

SortValue = Callable[[Any], Any]
_SIMPLE = (frozenset({int}), frozenset({str}), frozenset({float}), frozenset({int, float}))
_EMPTY = (1,)


class Reversed:
    """Turns the order of a key round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: Reversed) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reversed) and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


def array_key(value: Any, descending: bool) -> tuple[Any, ...]:
    """The key that a field sorts by: an array sorts by its least element, or its greatest when
    descending; an empty one before null; missing is null."""
    if isinstance(value, list):
        if not value:
            return _EMPTY
        return (max if descending else min)(map(v.key, value))
    return v.key(None if value is MISSING else value)


def row_keys(keys: Sequence[SortKey]) -> SortValue:
    """One comparable value a row, for all keys together."""
    parts = [_part(key) for key in keys]
    if len(parts) == 1:
        return parts[0]
    return lambda row: tuple([part(row) for part in parts])


def _part(key: SortKey) -> SortValue:
    read, descending = leaf_reader(key.path), key.descending
    if descending:
        return lambda row: Reversed(array_key(read(row), True))
    return lambda row: array_key(read(row), False)


def leaf_reader(path: tuple[str, ...]) -> SortValue:
    """Reads a path for sorting: array positions count as names when they are numbers."""
    if len(path) == 1 or not any(step.isdigit() for step in path):
        return value_getter(path)
    return lambda row: _walk(row, path)


def _walk(value: Any, path: tuple[str, ...]) -> Any:
    for i, step in enumerate(path):
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else MISSING
        elif isinstance(value, list):
            found = [_walk(item, path[i:]) for item in value if isinstance(item, dict)]
            return [item for item in found if item is not MISSING]
        else:
            return MISSING
    return value


def sort_rows(rows: Iterable[Any], keys: Sequence[SortKey]) -> list[Any]:
    """The rows in order; ties keep theirs."""
    out = list(rows)
    for key in reversed(keys):
        _sort_by(out, key)
    return out


def _sort_by(rows: list[Any], key: SortKey) -> None:
    read, descending = leaf_reader(key.path), key.descending
    column = [read(row) for row in rows]
    kinds = frozenset(map(type, column))
    if kinds not in _SIMPLE or (float in kinds and any(map(operator.ne, column, column))):
        column = [array_key(value, descending) for value in column]
    order = sorted(range(len(rows)), key=column.__getitem__, reverse=descending)
    rows[:] = [rows[i] for i in order]


def best(rows: Iterable[Any], keys: Sequence[SortKey], count: int) -> list[Any]:
    """The first `count` rows of the sort, in `count` rows' memory."""
    if count <= 0:
        return []
    return heapq.nsmallest(count, rows, key=row_keys(keys))


def sort_elements(elements: Iterable[Any], order: int | Sequence[SortKey]) -> list[Any]:
    """The elements of an array in order: 1 or -1 for whole elements, or keys within them."""
    if isinstance(order, int):
        return sorted(elements, key=v.key, reverse=order < 0)
    return sort_rows(elements, order)
