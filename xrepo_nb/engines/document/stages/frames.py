"""Window frames: which rows of a sorted partition each row sees."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import dates, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.stages.compile import Row
from xrepo_nb.engines.document.stages.partitions import sort_values
from xrepo_nb.query.plan import SortKey, Window

Frame = tuple[int, int]
"""From the first row seen up to but without the second."""


def frames(window: Window | None, rows: list[Row], keys: Sequence[SortKey]) -> list[Frame]:
    """The frame of each row; without a window the whole partition.

    Raises `XRepoQueryError` when a range meets a sort value that is no number, or no date when
    it has a unit.
    """
    count = len(rows)
    if window is None or (window.lower, window.upper) == ("unbounded", "unbounded"):
        return [(0, count)] * count
    if window.kind == "documents":
        return _by_position(window, count)
    return _by_value(window, sort_values(rows, keys[0]))


def _by_position(window: Window, count: int) -> list[Frame]:
    lower = _offset(window.lower, -count)
    upper = _offset(window.upper, count)
    return [(min(max(0, i + lower), count), max(0, min(count, i + upper + 1))) for i in range(count)]


def _offset(bound: Any, unbounded: int) -> int:
    return unbounded if bound == "unbounded" else 0 if bound == "current" else int(v.plain(bound))


def _by_value(window: Window, values: list[Any]) -> list[Frame]:
    for value in values:
        _check(value, window.unit)
    order = list(map(v.key, values))
    lower, upper = _shift(window.lower, window.unit), _shift(window.upper, window.unit)
    out = []
    for value in values:
        first = 0 if lower is None else bisect_left(order, v.key(lower(value)))
        last = len(order) if upper is None else bisect_right(order, v.key(upper(value)))
        out.append((first, max(first, last)))
    return out


def _check(value: Any, unit: str | None) -> None:
    name = v.type_name(value)
    if unit is None and not v.is_number(value):
        raise XRepoQueryError(f"a range without a unit needs numbers to sort by, not {name}")
    if unit is not None and name != "date":
        raise XRepoQueryError(f"a range with a unit needs dates to sort by, not {name}")


def _shift(bound: Any, unit: str | None) -> Callable[[Any], Any] | None:
    """What moves a row's value to the bound; None when there is no bound."""
    if bound == "unbounded":
        return None
    if bound == "current":
        return lambda value: value
    if unit is None:
        return lambda value: numbers.add(value, bound)
    amount = int(v.plain(bound))
    return lambda value: dates.from_micros(dates.add_units(dates.micros(value), unit, amount))
