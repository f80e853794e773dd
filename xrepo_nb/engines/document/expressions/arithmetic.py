"""Arithmetic: `$add`, `$round`, `$pow`, logarithms and their kin; sums and means of arguments."""

from __future__ import annotations

import decimal
import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from xrepo_nb.engines.document import dates, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import nullable, stops_at_absent, values
from xrepo_nb.engines.document.numbers import decimal_like, exact, fail


@values("$add")
def add(*args: Any) -> Any:
    if len(args) == 2 and type(args[0]) in _PLAIN and type(args[1]) in _PLAIN:
        return numbers.add(*args)
    instants: list[Any] = []
    rest: list[Any] = []
    if stops_at_absent(args, lambda value: _sorted_out(value, instants, rest)):
        return None
    summed = numbers.total(rest)
    return _shifted(instants[0], summed, 1) if instants else summed


_PLAIN = frozenset({int, float})


def _sorted_out(value: Any, instants: list[Any], rest: list[Any]) -> None:
    """Puts a summand to the dates, of which there is one at most, or to the numbers."""
    if v.type_name(value) != "date":
        numbers.need_numbers("$add", value)
        rest.append(value)
    elif instants:
        fail("$add takes one date at most")
    else:
        instants.append(value)


def _shifted(date: Any, milliseconds: Any, sign: int) -> Any:
    given = v.quiet(milliseconds)
    if not math.isfinite(given) or abs(given) > v.INT64_MAX:
        fail("a date plus a number that is no count of milliseconds")
    return dates.shifted(date, sign * _nearest(given) * 1000)


def _nearest(number: Any) -> int:
    """The nearest whole number: halves go away from zero in doubles, to the even one in decimals."""
    mode = decimal.ROUND_HALF_UP if isinstance(number, float) else decimal.ROUND_HALF_EVEN
    return int(Decimal(number).to_integral_value(rounding=mode))


@values("$subtract")
def subtract(left: Any, right: Any) -> Any:
    if v.is_absent(left) or v.is_absent(right):
        return None
    if v.type_name(left) != "date":
        return numbers.subtract(left, right)
    if v.type_name(right) == "date":
        # Dates are milliseconds in MongoDB: each counts as whole ones, as `$toLong` has it.
        return numbers.integer(dates.micros(left) // 1000 - dates.micros(right) // 1000, long=True)
    numbers.need_numbers("$subtract from a date", right)
    return _shifted(left, right, -1)


@values("$multiply")
def multiply(*args: Any) -> Any:
    if stops_at_absent(args, lambda value: numbers.need_numbers("$multiply", value)):
        return None
    product: Any = 1
    for value in args:
        product = numbers.multiply(product, value)
    return product


nullable("$divide")(numbers.divide)
nullable("$mod")(numbers.remainder)


@nullable("$abs")
def absolute(value: Any) -> Any:
    numbers.need_numbers("$abs", value)
    if v.is_integral(value):
        if int(value) == v.INT64_MIN:
            fail("$abs of the least long")
        return numbers.integer(abs(int(value)), long=v.is_long(value))
    return decimal_like(abs(v.plain(value)), (value,)) if v.is_decimal(value) else abs(value)


def _integral(op: str, mode: str, double: Callable[[float], int]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        numbers.need_numbers(op, value)
        if v.is_integral(value):
            return value
        if v.is_decimal(value):
            number = v.plain(value)
            if not number.is_finite():
                return value
            return decimal_like(number.to_integral_value(rounding=mode), (value,))
        return math.copysign(double(value), value) if math.isfinite(value) else value

    return apply


nullable("$ceil")(_integral("$ceil", decimal.ROUND_CEILING, math.ceil))
nullable("$floor")(_integral("$floor", decimal.ROUND_FLOOR, math.floor))


def _rounding(op: str, mode: str) -> Callable[..., Any]:
    def apply(value: Any, place: Any = 0) -> Any:
        numbers.need_numbers(op, value)
        digits = numbers.whole(place, f"the place of {op}")
        if not -20 <= digits <= 100:
            fail(f"{op} takes a place from -20 to 100, not {digits}")
        return numbers.rounded(value, digits, mode)

    return apply


nullable("$round")(_rounding("$round", decimal.ROUND_HALF_EVEN))
nullable("$trunc")(_rounding("$trunc", decimal.ROUND_DOWN))


def real(
    op: str, double: Callable[[float], float], precise: Callable[[Decimal], Decimal], domain: str = ""
) -> None:
    """Enters a function of one real number, on doubles and on decimals, defined where `domain` says."""
    inside = _DOMAINS[domain]

    def apply(value: Any) -> Any:
        numbers.need_numbers(op, value)
        number = v.plain(value)
        if number == number and not inside(number):
            fail(f"{op} takes numbers {domain}")
        if isinstance(number, Decimal):
            return decimal_like(precise(number), (value,))
        return double(float(number))

    nullable(op)(apply)


_DOMAINS: dict[str, Callable[[Any], bool]] = {
    "": lambda number: True,
    "above zero": lambda number: bool(number > 0),
    "from zero on": lambda number: bool(number >= 0),
    "from 1 on": lambda number: bool(number >= 1),
    "from -1 to 1": lambda number: bool(-1 <= number <= 1),
    "that are finite": lambda number: not math.isinf(number),
}


def _exp(number: float) -> float:
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf


real("$exp", _exp, numbers.CONTEXT.exp)
real("$ln", math.log, numbers.CONTEXT.ln, "above zero")
real("$log10", math.log10, numbers.CONTEXT.log10, "above zero")
real("$sqrt", math.sqrt, numbers.CONTEXT.sqrt, "from zero on")
real("$sigmoid", lambda x: 1 / (1 + _exp(-x)), lambda x: 1 / (1 + numbers.CONTEXT.exp(-x)))


@nullable("$log")
def log(value: Any, base: Any) -> Any:
    numbers.need_numbers("$log", value, base)
    number, radix = v.plain(value), v.plain(base)
    if not v.is_nan(value) and number <= 0:
        fail("$log takes a number above zero")
    if not v.is_nan(base) and (radix <= 0 or radix == 1):
        fail("the base of $log is a number above zero and not 1")
    if v.is_nan(value) or v.is_nan(base):
        return numbers.add(value, base)
    if v.is_decimal(value) or v.is_decimal(base):
        wide = decimal.Context(prec=50, traps=[])
        quotient = wide.divide(wide.ln(exact(value)), wide.ln(exact(base)))
        return decimal_like(quotient, (value, base))
    return math.log(number) / math.log(radix)


@nullable("$pow")
def power(base: Any, exponent: Any) -> Any:
    numbers.need_numbers("$pow", base, exponent)
    if v.plain(base) == 0 and not v.is_nan(exponent) and v.plain(exponent) < 0:
        fail("$pow of zero to a negative exponent")
    if v.is_decimal(base) or v.is_decimal(exponent):
        return decimal_like(_decimal_power(exact(base), exact(exponent)), (base, exponent))
    whole = not isinstance(base, float) and not isinstance(exponent, float)
    if whole and (exponent >= 0 or abs(base) == 1):
        return _integer_power(int(base), int(exponent), long=v.is_long(base) or v.is_long(exponent))
    return _double_power(float(base), float(exponent))


def _decimal_power(base: Decimal, exponent: Decimal) -> Decimal:
    if base == 1 or exponent == 0:
        return Decimal(1)
    return numbers.CONTEXT.power(base, exponent)


def _integer_power(base: int, exponent: int, *, long: bool) -> int | float:
    if abs(base) > 1 and exponent > 64:
        return _double_power(float(base), float(exponent))
    if abs(base) <= 1:
        exponent = exponent % 2 + 2 * (exponent > 0)
    return numbers.integer(base**exponent, long=long)


def _double_power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.nan


@values("$rand")
def rand() -> float:
    return random.random()
