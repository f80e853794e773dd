"""The series of preferred numbers that a `$bucketAuto` granularity names."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from decimal import Decimal
from typing import Any

from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document import values as v

_E24 = (
    1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2,
    6.8, 7.5, 8.2, 9.1,
)  # fmt: skip


def _geometric(count: int) -> tuple[float, ...]:
    return tuple(round(10 ** (i / count), 2) for i in range(count))


_R40 = (
    1.0, 1.06, 1.12, 1.18, 1.25, 1.32, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.12, 2.24, 2.36, 2.5, 2.65, 2.8,
    3.0, 3.15, 3.35, 3.55, 3.75, 4.0, 4.25, 4.5, 4.75, 5.0, 5.3, 5.6, 6.0, 6.3, 6.7, 7.1, 7.5, 8.0, 8.5,
    9.0, 9.5,
)  # fmt: skip
_R80 = (
    1.0, 1.03, 1.06, 1.09, 1.12, 1.15, 1.18, 1.22, 1.25, 1.28, 1.32, 1.36, 1.4, 1.45, 1.5, 1.55, 1.6, 1.65,
    1.7, 1.75, 1.8, 1.85, 1.9, 1.95, 2.0, 2.06, 2.12, 2.18, 2.24, 2.3, 2.36, 2.43, 2.5, 2.58, 2.65, 2.72,
    2.8, 2.9, 3.0, 3.07, 3.15, 3.25, 3.35, 3.45, 3.55, 3.65, 3.75, 3.87, 4.0, 4.12, 4.25, 4.37, 4.5, 4.62,
    4.75, 4.87, 5.0, 5.15, 5.3, 5.45, 5.6, 5.8, 6.0, 6.15, 6.3, 6.5, 6.7, 6.9, 7.1, 7.3, 7.5, 7.75, 8.0,
    8.25, 8.5, 8.75, 9.0, 9.25, 9.5, 9.75,
)  # fmt: skip

SERIES: dict[str, tuple[float, ...]] = {
    "R5": _R40[::8],
    "R10": _R40[::4],
    "R20": _R40[::2],
    "R40": _R40,
    "R80": _R80,
    "1-2-5": (1.0, 2.0, 5.0),
    "E6": _E24[::4],
    "E12": _E24[::2],
    "E24": _E24,
    "E48": _geometric(48),
    "E96": _geometric(96),
    "E192": tuple(9.2 if n == 9.19 else n for n in _geometric(192)),
}


def round_up(value: Any, granularity: str) -> Any:
    """The least preferred number above the value; zero stays."""
    return _rounded(value, granularity, up=True)


def round_down(value: Any, granularity: str) -> Any:
    """The greatest preferred number below the value; zero stays."""
    return _rounded(value, granularity, up=False)


def _rounded(value: Any, granularity: str, *, up: bool) -> Any:
    given = v.plain(value)
    if given == 0:
        return 0.0 if isinstance(value, float) else value
    number = Decimal(repr(given)) if isinstance(given, float) else Decimal(given)
    if granularity == "POWERSOF2":
        power = _power_of_two(number, up=up)
        return int(power) if power >= 1 and not v.is_decimal(value) else _like(value, power)
    exponent = number.adjusted()
    steps = [Decimal(repr(step)) for step in SERIES[granularity]]
    grid = [step.scaleb(exponent + power) for power in (-1, 0, 1) for step in steps]
    at = bisect_right(grid, number) if up else bisect_left(grid, number) - 1
    return _like(value, grid[at])


def _like(value: Any, number: Decimal) -> Any:
    """The preferred number as a decimal where the value is one, else as a double."""
    return numbers.decimal_like(number, (value,)) if v.is_decimal(value) else float(number)


def _power_of_two(number: Decimal, *, up: bool) -> Decimal:
    exponent = math.floor(number.log10() / Decimal(2).log10())
    power = Decimal(2) ** exponent
    while power > number or (power == number and not up):
        power /= 2
    while power * 2 < number or (power <= number and up):
        power *= 2
    return power
