"""Trigonometry: doubles by the C library, decimals to 34 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from xrepo_nb.engines.document import decimals, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.arithmetic import real
from xrepo_nb.engines.document.expressions.registry import nullable


def _enter(op: str, domain: str = "") -> None:
    name = op[1:]
    real(op, partial(_limited, getattr(math, name)), getattr(decimals, name), domain)


def _limited(function: Callable[[float], float], number: float) -> float:
    """The function's value, with infinity where the C library reports a range error."""
    try:
        return function(number)
    except OverflowError:
        return math.copysign(math.inf, number) if function is math.sinh else math.inf
    except ValueError:
        return math.copysign(math.inf, number)


for _op in ("$sin", "$cos", "$tan"):
    _enter(_op, "that are finite")
for _op in ("$asin", "$acos", "$atanh"):
    _enter(_op, "from -1 to 1")
for _op in ("$atan", "$sinh", "$cosh", "$tanh", "$asinh"):
    _enter(_op)
_enter("$acosh", "from 1 on")
real("$degreesToRadians", math.radians, decimals.radians)
real("$radiansToDegrees", math.degrees, decimals.degrees)


@nullable("$atan2")
def atan2(y: Any, x: Any) -> Any:
    numbers.need_numbers("$atan2", y, x)
    if v.is_decimal(y) or v.is_decimal(x):
        return numbers.decimal_like(decimals.atan2(numbers.exact(y), numbers.exact(x)), (y, x))
    return math.atan2(y, x)
