"""The relational join that views are made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.paths import getter
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, compile_plan, leaf, rows_once
from xrepo_nb.query import plan as p

Index = dict[Any, list[int]]
Key = Callable[[Row], Any]


@leaf(p.Join)
def join(node: p.Join, context: Context) -> Run:
    left, right = compile_plan(node.left, context), rows_once(node.right, context)
    combine = _HOW.get(node.how)
    if combine is None:
        raise XRepoQueryError(f"unknown kind of join {node.how!r}", asked=node.how, exists=_HOW)

    def run(rows: Rows) -> Rows:
        return combine(node, list(left(rows)), right())

    return run


def _key(names: Sequence[str]) -> Key:
    """The key of a row over several fields; None when one of them is null or missing."""
    reads = [getter((name,)) for name in names]

    def key(row: Row) -> Any:
        values = [read(row) for read in reads]
        if any(map(v.is_absent, values)):
            return None
        return tuple([v.hash_key(value) for value in values])

    return key


def _index(rows: list[Row], key: Key, *, unique: bool, side: str) -> Index:
    index: Index = {}
    for i, row in enumerate(rows):
        found = key(row)
        if found is not None:
            index.setdefault(found, []).append(i)
    if unique and any(len(places) > 1 for places in index.values()):
        raise XRepoQueryError(
            f"the join keys are not unique on the {side} side, as validate demands",
            hint="drop validate, or make the keys unique",
        )
    return index


def _matches(node: p.Join, left: list[Row], right: list[Row]) -> list[list[int]]:
    """For each left row the positions of the right rows that it matches."""
    left_key, right_key = _key([a for a, _ in node.on]), _key([b for _, b in node.on])
    if node.validate.startswith("one_to"):
        _index(left, left_key, unique=True, side="left")
    index = _index(right, right_key, unique=node.validate.endswith("to_one"), side="right")
    keys = map(left_key, left)
    return [[] if key is None else index.get(key, []) for key in keys]


class _Pairs:
    """Makes the rows of pairs. A key of one name on both sides appears once; the columns of a side
    without a partner are null."""

    __slots__ = ("_left_nulls", "_right_nulls", "_shared")

    def __init__(self, node: p.Join, left: list[Row], right: list[Row]) -> None:
        self._shared = {a for a, b in node.on if a == b}
        self._left_nulls = self._nulls(left)
        self._right_nulls = self._nulls(right)

    def _nulls(self, rows: list[Row]) -> Row:
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: None for name in names if name not in self._shared}

    def both(self, left: Row, right: Row) -> Row:
        """The row of a pair."""
        spend(len(left) + len(right))
        shared = self._shared
        return {**left, **{name: value for name, value in right.items() if name not in shared}}

    def left_only(self, row: Row) -> Row:
        """The row of a left row without partner."""
        return {**row, **self._right_nulls}

    def right_only(self, row: Row) -> Row:
        """The row of a right row without partner."""
        return {**self._left_nulls, **row}


def _left(node: p.Join, left: list[Row], right: list[Row]) -> Iterator[Row]:
    pairs = _Pairs(node, left, right)
    for row, places in zip(left, _matches(node, left, right), strict=True):
        for i in places:
            yield pairs.both(row, right[i])
        if not places and node.how != "inner":
            yield pairs.left_only(row)


def _right(node: p.Join, left: list[Row], right: list[Row]) -> Iterator[Row]:
    pairs = _Pairs(node, left, right)
    partners: dict[int, list[int]] = {}
    for i, places in enumerate(_matches(node, left, right)):
        for place in places:
            partners.setdefault(place, []).append(i)
    for place, row in enumerate(right):
        for i in partners.get(place, ()):
            yield pairs.both(left[i], row)
        if place not in partners:
            yield pairs.right_only(row)


def _outer(node: p.Join, left: list[Row], right: list[Row]) -> Iterator[Row]:
    pairs = _Pairs(node, left, right)
    matched: set[int] = set()
    for row, places in zip(left, _matches(node, left, right), strict=True):
        matched.update(places)
        for i in places:
            yield pairs.both(row, right[i])
        if not places:
            yield pairs.left_only(row)
    for i, row in enumerate(right):
        if i not in matched:
            yield pairs.right_only(row)


def _semi(node: p.Join, left: list[Row], right: list[Row]) -> Iterator[Row]:
    wanted = node.how == "semi"
    for row, places in zip(left, _matches(node, left, right), strict=True):
        if bool(places) is wanted:
            yield row


def _asof(node: p.Join, left: list[Row], right: list[Row]) -> Iterator[Row]:
    """Each left row with the last right row at or before it, among those of equal other keys."""
    exact, (left_name, right_name) = node.on[:-1], node.on[-1]
    left_key, right_key = _key([a for a, _ in exact]), _key([b for _, b in exact])
    read_left, read_right = getter((left_name,)), getter((right_name,))
    ordered: dict[Any, list[tuple[Any, int]]] = {}
    for i, row in enumerate(right):
        value = read_right(row)
        if not v.is_absent(value) and right_key(row) is not None:
            ordered.setdefault(right_key(row), []).append((v.key(value), i))
    for places in ordered.values():
        places.sort()
    pairs = _Pairs(node, left, right)
    for row in left:
        value = read_left(row)
        places = [] if v.is_absent(value) else ordered.get(left_key(row), [])
        at = bisect_right(places, (v.key(None if value is MISSING else value), len(right)))
        yield pairs.both(row, right[places[at - 1][1]]) if at else pairs.left_only(row)


_HOW: dict[str, Callable[[p.Join, list[Row], list[Row]], Iterator[Row]]] = {
    "left": _left,
    "inner": _left,
    "right": _right,
    "outer": _outer,
    "semi": _semi,
    "anti": _semi,
    "asof": _asof,
}
