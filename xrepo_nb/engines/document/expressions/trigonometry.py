"""Trigonometry: doubles by the C library, decimals to 34 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from xrepo_nb.engines.document import decimals, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import nullable
from xrepo_nb.engines.document.numbers import fail


def _enter(op: str, domain: Callable[[Any], bool] = lambda number: True, within: str = "") -> None:
    name = op[1:]
    double: Callable[[float], float] = getattr(math, name)
    precise: Callable[[Decimal], Decimal] = getattr(decimals, name)

    def apply(value: Any) -> Any:
        numbers.need_numbers(op, value)
        number = v.plain(value)
        if number == number and not domain(number):
            fail(f"{op} takes numbers {within}")
        if isinstance(number, Decimal):
            return numbers.decimal_like(precise(number), (value,))
        return _limited(double, float(number))

    nullable(op)(apply)


def _limited(function: Callable[[float], float], number: float) -> float:
    """The function's value, with infinity where the C library reports a range error."""
    try:
        return function(number)
    except OverflowError:
        return math.copysign(math.inf, number) if function is math.sinh else math.inf
    except ValueError:
        return math.copysign(math.inf, number)


def _finite(number: Any) -> bool:
    return not math.isinf(number)


def _in_unit(number: Any) -> bool:
    return bool(-1 <= number <= 1)


for _op in ("$sin", "$cos", "$tan"):
    _enter(_op, _finite, "that are finite")
for _op in ("$asin", "$acos", "$atanh"):
    _enter(_op, _in_unit, "from -1 to 1")
for _op in ("$atan", "$sinh", "$cosh", "$tanh", "$asinh"):
    _enter(_op)
_enter("$acosh", lambda number: bool(number >= 1), "from 1 on")


def _convert(op: str, name: str) -> None:
    precise: Callable[[Decimal], Decimal] = getattr(decimals, name)

    def apply(value: Any) -> Any:
        numbers.need_numbers(op, value)
        if v.is_decimal(value):
            return numbers.decimal_like(precise(v.plain(value)), (value,))
        return getattr(math, name)(float(value))

    nullable(op)(apply)


_convert("$degreesToRadians", "radians")
_convert("$radiansToDegrees", "degrees")


@nullable("$atan2")
def atan2(y: Any, x: Any) -> Any:
    numbers.need_numbers("$atan2", y, x)
    if v.is_decimal(y) or v.is_decimal(x):
        return numbers.decimal_like(decimals.atan2(numbers.exact(y), numbers.exact(x)), (y, x))
    return math.atan2(y, x)
