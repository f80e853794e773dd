"""Aggregates of values: sums, means, deviations, extremes, percentiles. Each takes the values
of one group or window, in order, and ignores what its operator ignores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document import values as v

_FAST = frozenset({int, float})


def numeric(values: Sequence[Any]) -> Sequence[Any]:
    """The numbers among the values."""
    if set(map(type, values)) <= _FAST:
        return values
    return [value for value in values if v.is_number(value)]


def total(values: Sequence[Any]) -> Any:
    """The sum of the numbers; 0 without any."""
    return numbers.total(numeric(values))


def mean(values: Sequence[Any]) -> Any:
    """The arithmetic mean of the numbers, a double or a decimal; null without any."""
    found = numeric(values)
    if not found:
        return None
    if set(map(type, found)) <= {int}:
        return sum(found) / len(found)
    summed = numbers.total(found)
    if v.is_decimal(summed):
        return numbers.divide(summed, len(found))
    return float(summed) / len(found)


def deviation(values: Sequence[Any], *, sample: bool) -> Any:
    """The standard deviation of the numbers: of the population, or of a sample of it."""
    found = [float(v.quiet(value)) for value in numeric(values)]
    if len(found) <= sample:
        return None
    if not all(map(math.isfinite, found)):
        return math.nan if len(found) > 1 or not sample else None
    middle = numbers.float_sum(found) / len(found)
    apart = [value - middle for value in found]
    squares = numbers.float_sum([distance * distance for distance in apart])
    if math.isfinite(squares):  # the middle is rounded: by as much as they are apart, far from zero
        rest = numbers.float_sum(apart)
        squares = max(0.0, squares - rest / len(found) * rest)
    return math.sqrt(squares / (len(found) - sample))


def covariance(pairs: Sequence[tuple[Any, Any]], *, sample: bool) -> Any:
    """The covariance of the pairs of numbers."""
    found = [(x, y) for x, y in pairs if v.is_number(x) and v.is_number(y)]
    if len(found) <= sample:
        return None
    if any(v.is_decimal(x) or v.is_decimal(y) for x, y in found):
        return _decimal_covariance(found, sample)
    xs, ys = [float(x) for x, _ in found], [float(y) for _, y in found]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    products = [(x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)]
    return numbers.as_double(numbers.total(products)) / (len(found) - sample)


def _decimal_covariance(pairs: Sequence[tuple[Any, Any]], sample: bool) -> Any:
    context, count = numbers.CONTEXT, Decimal(len(pairs))
    sum_x = sum_y = sum_xy = Decimal(0)
    for x, y in pairs:
        left, right = numbers.exact(x), numbers.exact(y)
        sum_x, sum_y = context.add(sum_x, left), context.add(sum_y, right)
        sum_xy = context.add(sum_xy, context.multiply(left, right))
    spread = context.subtract(sum_xy, context.divide(context.multiply(sum_x, sum_y), count))
    out = context.divide(spread, count - sample)
    return numbers.decimal_like(out, [value for pair in pairs for value in pair])


def least(values: Sequence[Any]) -> Any:
    """The least value that is not null; null without any."""
    return _extreme(values, min)


def greatest(values: Sequence[Any]) -> Any:
    """The greatest value that is not null; null without any."""
    return _extreme(values, max)


def least_of(values: Iterable[Any], count: int) -> list[Any]:
    """The least values in order, without null ones."""
    return sorted((value for value in values if not v.is_absent(value)), key=v.key)[:count]


def greatest_of(values: Iterable[Any], count: int) -> list[Any]:
    """The greatest values from the greatest on, without null ones."""
    found = (value for value in values if not v.is_absent(value))
    return sorted(found, key=v.key, reverse=True)[:count]


def _extreme(values: Sequence[Any], choose: Any) -> Any:
    kinds = set(map(type, values))
    if kinds and (kinds == {int} or kinds == {str}):
        return choose(values)
    found = [value for value in values if not v.is_absent(value)]
    return choose(found, key=v.key) if found else None


def distinct(values: Sequence[Any]) -> list[Any]:
    """The different values that are there."""
    return list(by_key(values).values())


def by_key(values: Iterable[Any]) -> dict[Any, Any]:
    """The different values that are there by their hash keys, in the order met first."""
    out: dict[Any, Any] = {}
    for value in values:
        if value is not MISSING:
            out.setdefault(v.hash_key(value), value)
    return out


def percentiles(values: Sequence[Any], points: Sequence[float]) -> list[Any]:
    """For each point the number at that rank among the numbers, or null without any."""
    found = sorted(float(v.plain(value)) for value in numeric(values) if not v.is_nan(value))
    if not found:
        return [None] * len(points)
    return [found[max(0, math.ceil(len(found) * point) - 1)] for point in points]


def checked_points(points: Any) -> list[float]:
    """The `p` of `$percentile`: numbers from 0 to 1."""
    if not isinstance(points, list) or not points:
        numbers.fail(f"the p of $percentile is an array of numbers, not {v.type_name(points)}")
    for point in points:
        if not v.is_number(point) or v.is_nan(point) or not 0 <= v.plain(point) <= 1:
            numbers.fail("the p of $percentile holds numbers from 0 to 1")
    return [float(v.plain(point)) for point in points]
