"""Sort orders: of rows by keys, of array elements, the best `n` of either.

A row sorts by an array as by its least element, or its greatest when descending. Keys that lead
through one array sort by one of its elements together: the one whose keys come first.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.plan import SortKey
from xrepo_nb.query.walk import is_position

SortValue = Callable[[Any], Any]
_SIMPLE = (frozenset({int}), frozenset({str}), frozenset({float}), frozenset({int, float}))
_NULL = v.key(None)
_UNDEFINED = object()
"""What an empty array offers: less than null."""


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


class Spread(list[Any]):
    """The values that an array offers to a sort; an array among them stands as a tuple."""


def sort_reader(path: Path) -> SortValue:
    """Reads a path for sorting: the value, or a `Spread` where the path leads through an array.

    Array positions count as names when they are numbers.
    """
    name = path[0]

    def read(row: Any) -> Any:
        value = row
        for step in path:
            if type(value) is not dict:
                value, rest = _reach(row, path)
                return _spread(value, rest) if isinstance(value, list) else value
            value = value.get(step, MISSING)
        return _spread(value, ()) if isinstance(value, list) else value

    def field(row: Any) -> Any:
        value = row.get(name, MISSING)
        return _spread(value, ()) if isinstance(value, list) else value

    return field if len(path) == 1 else read


def _spread(array: list[Any], rest: Path) -> Spread:
    return Spread(found for (found,) in _choices([(array, rest)]))


_Place = tuple[Any, Path]
"""A value, and what is left of the path when the value is an array on the way."""


def _reach(value: Any, path: Path) -> _Place:
    """Where a path ends, or the first array that it does not lead into by position."""
    for i, name in enumerate(path):
        if isinstance(value, dict):
            value = value.get(name, MISSING)
        elif not isinstance(value, list):
            return MISSING, ()
        elif is_position(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return value, path[i:]
    return value, ()


def _choices(places: Sequence[_Place]) -> list[list[Any]]:
    """The values at all places together, once for each element of the array they lead through."""
    arrays = [value for value, _ in places if isinstance(value, list)]
    if not arrays:
        return [[value for value, _ in places]]
    array = arrays[0]
    if any(other is not array for other in arrays):
        raise XRepoQueryError("the keys of a sort lead through two arrays of one document")
    out: list[list[Any]] = []
    for item in array or (_UNDEFINED,):
        out += _choices([_inside(item, rest) if value is array else (value, ()) for value, rest in places])
    return out


def _inside(item: Any, rest: Path) -> _Place:
    if not rest:
        return (tuple(item) if isinstance(item, list) else item), ()
    return _reach(item, rest) if isinstance(item, dict) else (MISSING, ())


def array_key(value: Any, descending: bool) -> tuple[Any, ...]:
    """The key of what `sort_reader` reads: of several values the least, or the greatest when
    descending; an empty array sorts before null; missing is null."""
    if type(value) is Spread:
        return (max if descending else min)(map(_key, value))
    return _key(value)


def _key(value: Any) -> tuple[Any, ...]:
    if value is _UNDEFINED:
        return (1,)
    return _NULL if value is MISSING else v.key(value)


def row_keys(keys: Sequence[SortKey]) -> SortValue:
    """One comparable value a row, for all keys together."""
    read = _row_reader(keys)
    turned = [key.descending for key in keys]

    def of(row: Any) -> tuple[Any, ...]:
        return tuple([_turned(value, down) for value, down in zip(read(row), turned, strict=True)])

    return of


def _turned(value: Any, descending: bool) -> Any:
    key = array_key(value, descending)
    return Reversed(key) if descending else key


def _row_reader(keys: Sequence[SortKey]) -> Callable[[Any], list[Any]]:
    """The values that a row sorts by; of keys through one array those of the element that is first."""
    reads = [sort_reader(key.path) for key in keys]

    def read(row: Any) -> list[Any]:
        values = [one(row) for one in reads]
        if len(values) > 1 and sum([type(value) is Spread for value in values]) > 1:
            return _together(row, keys)
        return values

    return read


def _together(row: Any, keys: Sequence[SortKey]) -> list[Any]:
    def order(values: list[Any]) -> list[Any]:
        return [_turned(value, key.descending) for value, key in zip(values, keys, strict=True)]

    return min(_choices([_reach(row, key.path) for key in keys]), key=order)


def sort_rows(rows: Iterable[Any], keys: Sequence[SortKey]) -> list[Any]:
    """The rows in order; ties keep theirs.

    Raises `XRepoQueryError` when keys lead through two arrays of one row.
    """
    found = list(rows)
    columns = [list(map(sort_reader(key.path), found)) for key in keys]
    if sum(Spread in set(map(type, column)) for column in columns) > 1:
        columns = list(map(list, zip(*map(_row_reader(keys), found), strict=True)))
    return _in_order(found, columns, keys)


def _in_order(rows: list[Any], columns: list[list[Any]], keys: Sequence[SortKey]) -> list[Any]:
    order: Sequence[int] = range(len(rows))
    for column, key in zip(reversed(columns), reversed(keys), strict=True):
        order = _sorted(order, column, key.descending)
    return [rows[i] for i in order]


def _sorted(order: Sequence[int], column: list[Any], descending: bool) -> list[int]:
    kinds = frozenset(map(type, column))
    if kinds not in _SIMPLE or (float in kinds and any(map(operator.ne, column, column))):
        column = [array_key(value, descending) for value in column]
    return sorted(order, key=column.__getitem__, reverse=descending)


def best(rows: Iterable[Any], keys: Sequence[SortKey], count: int) -> list[Any]:
    """The first `count` rows of the sort, in `count` rows' memory."""
    if count <= 0:
        return []
    return heapq.nsmallest(count, rows, key=row_keys(keys))


def sort_elements(elements: Iterable[Any], order: int | Sequence[SortKey]) -> list[Any]:
    """The elements of an array in order: 1 or -1 for whole elements, or keys within them, where
    an array is one value."""
    if isinstance(order, int):
        return sorted(elements, key=v.key, reverse=order < 0)
    found = list(elements)
    return _in_order(found, [[_within(item, key.path) for item in found] for key in order], order)


def _within(item: Any, path: Path) -> Any:
    value, rest = _reach(item, path)
    return MISSING if rest else value
