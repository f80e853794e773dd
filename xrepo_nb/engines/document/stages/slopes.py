"""What depends on the distance between rows: derivative, integral, interpolation, scaling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import dates, numbers, statistics
from xrepo_nb.engines.document import values as v
from xrepo_nb.query.units import FIXED


class Points:
    """The points of a curve: places along a sort key, in units of time for dates, and values."""

    __slots__ = ("_divisor", "op", "places", "values")

    def __init__(self, op: str, places: Sequence[Any], values: Sequence[Any], unit: str | None) -> None:
        self.op, self.values = op, values
        self._divisor = 1 if unit is None else FIXED[unit]
        self.places = [self._place(place, unit) for place in places]
        numbers.need_numbers(f"the input of {op}", *values)

    def _place(self, place: Any, unit: str | None) -> Any:
        if unit is None:
            if not v.is_number(place):
                raise XRepoQueryError(f"{self.op} without a unit needs numbers to sort by")
            return place
        if v.type_name(place) != "date":
            raise XRepoQueryError(f"{self.op} with a unit needs dates to sort by")
        return dates.micros(place)

    def distance(self, start: int, end: int) -> Any:
        """How far two points lie apart."""
        found = numbers.subtract(self.places[end], self.places[start])
        return found if self._divisor == 1 else found / self._divisor


def derivative(points: Points, first: int, last: int) -> Any:
    """The slope between the first and the last point of a frame; null without two."""
    if last - first < 2:
        return None
    low, high = points.values[first], points.values[last - 1]
    run = points.distance(first, last - 1)
    if v.plain(run) == 0:
        return None
    return numbers.divide(numbers.subtract(high, low), run)


def integral(points: Points, first: int, last: int) -> Any:
    """The area under the points of a frame, by trapezoids; zero under one point."""
    if first == last:
        return None
    areas: list[Any] = [0.0]
    for right in range(first + 1, last):
        height = numbers.add(points.values[right - 1], points.values[right])
        areas.append(numbers.divide(numbers.multiply(height, points.distance(right - 1, right)), 2))
    return numbers.total(areas)


def interpolated(values: Sequence[Any], places: Sequence[Any]) -> list[Any]:
    """The values with nulls between two numbers filled in proportion to the places."""
    for value in values:
        if not v.is_absent(value):
            numbers.need_numbers("a linear fill", value)
    if len({v.type_name(place) == "date" for place in places}) > 1:
        raise XRepoQueryError("a linear fill needs values of one kind to sort by, numbers or dates")
    at = [_place(place) for place in places]
    if any(v.plain(a) == v.plain(b) for a, b in pairwise(at)):
        raise XRepoQueryError("a linear fill needs different values to sort by in each partition")
    out: list[Any] = [None if v.is_absent(value) else value for value in values]
    known = [i for i, value in enumerate(out) if value is not None]
    for left, right in pairwise(known):
        width = numbers.subtract(at[right], at[left])
        rise = numbers.divide(numbers.subtract(out[right], out[left]), width)
        for i in range(left + 1, right):
            step = numbers.multiply(rise, numbers.subtract(at[i], at[left]))
            out[i] = numbers.add(out[left], step)
    return out


def _place(value: Any) -> Any:
    if v.type_name(value) == "date":
        return dates.micros(value)
    if not v.is_number(value):
        raise XRepoQueryError(f"a linear fill needs numbers or dates to sort by, not {v.type_name(value)}")
    return value


def scaled(value: Any, among: Sequence[Any], low: Any, high: Any) -> Any:
    """The value moved from the range of the numbers among which it stands to `low` to `high`."""
    if not v.is_number(value):
        return None
    found = statistics.numeric(among)
    least, greatest = statistics.least(found), statistics.greatest(found)
    width = numbers.subtract(greatest, least)
    if v.plain(width) == 0:
        return low
    share = numbers.divide(numbers.subtract(value, least), width)
    return numbers.add(numbers.multiply(share, numbers.subtract(high, low)), low)
