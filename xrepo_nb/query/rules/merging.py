"""Conditions side by side on one path made one: equalities a list of values, bounds the one that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.parsing.values import is_pattern

PLAIN = frozenset({p.Compare, p.In, p.Exists, p.HasType, p.Regex, p.Size, p.Mod, p.Bits})
"""Predicates with nothing below them that could fail or be random."""

_BRACKETS: dict[type, str] = {int: "number", float: "number", str: "string"}
_Group = tuple[Path, str]


def merged(
    items: Sequence[p.Predicate], *, any_of: bool, never_fails: Callable[[p.Predicate], bool]
) -> list[p.Predicate]:
    """The alternatives, or else the conditions that must all hold, where those of one path that can be
    said as one are one.

    None moves before one that may fail, which the earlier ones shield.

    >>> bounds = [p.Compare(("a",), "$gt", 3), p.Compare(("a",), "$gt", 5)]
    >>> [merged(bounds, any_of=any_of, never_fails=lambda _: True)[0].value for any_of in (True, False)]
    [3, 5]
    """
    of_each = [_group_of(item, any_of) for item in items]
    found = [of for of in of_each if of is not None]
    if len(set(found)) == len(found):
        return list(items)
    groups: list[list[p.Predicate]] = []
    open_: dict[_Group, list[p.Predicate]] = {}
    for item, of in zip(items, of_each, strict=True):
        if of is not None and of in open_:
            open_[of].append(item)
            continue
        groups.append([item])
        if of is not None:
            open_[of] = groups[-1]
        elif type(item) not in PLAIN and not never_fails(item):
            open_.clear()
    return [_as_one(group, any_of) for group in groups]


def _group_of(item: p.Predicate, any_of: bool) -> _Group | None:
    """What an item can be one with: the same path and kind of test."""
    if type(item) is p.Compare and item.op != "$eq":
        bracket = _BRACKETS.get(type(item.value))
        return None if bracket is None or item.value != item.value else (item.path, item.op + bracket)
    inner = item if any_of else item.item if type(item) is p.Not else None
    equal = None if inner is None else equality(inner)
    return None if equal is None else (equal[0], "$eq")


def equality(item: p.Predicate) -> tuple[Path, tuple[Any, ...]] | None:
    """The path that an item compares for equality, and with which constants, if it is such a one."""
    if type(item) is p.Compare and item.op == "$eq":
        found: tuple[Path, tuple[Any, ...]] = item.path, (item.value,)
    elif type(item) is p.In:
        found = item.path, item.values
    else:
        return None
    return None if any(map(is_pattern, found[1])) else found


def _as_one(group: list[p.Predicate], any_of: bool) -> p.Predicate:
    first = group[0]
    if len(group) == 1:
        return first
    if type(first) is p.Not:
        return p.Not(_listed([item.item for item in group if type(item) is p.Not]))
    if type(first) is p.Compare and first.op != "$eq":
        wide = min if (first.op in ("$gt", "$gte")) is any_of else max
        return wide(group, key=lambda item: item.value)  # type: ignore[attr-defined]
    return _listed(group)


def _listed(group: list[p.Predicate]) -> p.Predicate:
    first = group[0]
    assert isinstance(first, p.In | p.Compare)
    values = [value for item in group for value in (equality(item) or ((), ()))[1]]
    return p.In(first.path, tuple(values), at=first.at)


FEW = 8
"""Values below which telling alternatives apart by them is not worth it."""


def told_apart(items: Sequence[p.Predicate]) -> tuple[dict[Path, list[p.Predicate]], list[p.Predicate]]:
    """Alternatives by the path that has the most values among them, each with an equality on that path
    among its conditions; and those that have none of such paths.

    >>> pairs = [p.And((p.Compare(("a",), "$eq", i), p.Compare(("b",), "$gt", i))) for i in range(9)]
    >>> found, rest = told_apart([*pairs, p.Exists(("b",), True)])
    >>> {path: len(group) for path, group in found.items()}, len(rest)
    ({('a',): 9}, 1)
    """
    values: dict[Path, set[Any]] = {}
    for item in items:
        for path, given in equalities(item).items():
            values.setdefault(path, set()).update(map(_told_by, given))
    counts = {path: len(found) for path, found in values.items()}
    groups: dict[Path, list[p.Predicate]] = {}
    rest: list[p.Predicate] = []
    for item in items:
        paths = [path for path in equalities(item) if counts[path] >= FEW]
        if paths:
            groups.setdefault(max(paths, key=counts.__getitem__), []).append(item)
        else:
            rest.append(item)
    return groups, rest


def _told_by(value: Any) -> Any:
    """What tells most values apart, and has a hash."""
    return value if type(value) in _BRACKETS else repr(value)


def equalities(item: p.Predicate) -> dict[Path, tuple[Any, ...]]:
    """The constants, by path, of which one must be there for an item to hold."""
    parts = item.items if type(item) is p.And else (item,)
    return dict(found for part in parts if (found := equality(part)) is not None)
