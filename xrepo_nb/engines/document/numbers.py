"""Arithmetic by MongoDB's types: int, long, double and decimal, the widest operand's type winning.

An int result that does not fit becomes a long, a long one a double. Decimals have 34 digits;
they come out as `Decimal128` when an operand was one, else as Python's `Decimal`.
"""

from __future__ import annotations

import decimal
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import values as v

CONTEXT = decimal.Context(prec=34, rounding=decimal.ROUND_HALF_EVEN, Emin=-6143, Emax=6144, clamp=1, traps=[])
_FIFTEEN = decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN)
_PLAIN = frozenset({int, float})
_LOW, _HIGH = v.INT32_MIN, v.INT32_MAX

Operation = Callable[[Any, Any], Any]


def fail(message: str) -> NoReturn:
    """Raises the error of a query that fails on its data."""
    raise XRepoQueryError(message)


def need_numbers(op: str, *given: Any) -> None:
    """Refuses operands that are no numbers."""
    for value in given:
        if not v.is_number(value):
            fail(f"{op} takes numbers, not {v.type_name(value)}")


def exact(value: Any) -> Decimal:
    """A number as a decimal; a double with the 15 digits that it surely has.

    >>> exact(0.1)
    Decimal('0.100000000000000')
    """
    number = v.plain(value)
    if isinstance(number, Decimal):
        return number
    if isinstance(number, int):
        return Decimal(int(number))
    found = _FIFTEEN.create_decimal(Decimal(number))
    if not found.is_finite() or not found:
        return found
    return found.quantize(Decimal((0, (1,), found.adjusted() - 14)), context=CONTEXT)


def decimal_like(number: Decimal, operands: Iterable[Any]) -> Any:
    """The decimal, as BSON's type when one of the operands is of it."""
    rounded = CONTEXT.plus(number)
    if any(hasattr(value, "to_decimal") for value in operands):
        from bson.decimal128 import Decimal128

        return Decimal128(rounded)
    return rounded


def integer(number: int, *, long: bool) -> int | float:
    """An integer result as int, long or, out of 64 bits, as a double."""
    if _LOW <= number <= _HIGH:
        return v.as_long(number) if long else number
    if v.INT64_MIN <= number <= v.INT64_MAX:
        return number
    try:
        return float(number)
    except OverflowError:
        fail("a number passes the range of doubles")


def as_double(value: Any) -> float:
    """A number as a double."""
    return float(v.plain(value))


def total(numbers: Sequence[Any]) -> Any:
    """The sum of numbers of any types; doubles are added without accumulating errors."""
    kinds = set(map(type, numbers))
    if kinds <= {int}:
        return int_sum(numbers)
    if kinds <= _PLAIN:
        return float_sum(numbers)
    if any(map(v.is_decimal, numbers)):
        return _decimal_sum(numbers)
    if any(isinstance(number, float) for number in numbers):
        return float_sum(numbers)
    return integer(sum(map(int, numbers)), long=True)


def int_sum(numbers: Sequence[int]) -> Any:
    """The sum of plain ints."""
    return integer(sum(numbers), long=bool(numbers) and _any_long(min(numbers), max(numbers)))


def float_sum(numbers: Sequence[Any]) -> float:
    """The sum of doubles and ints as a double, without accumulating errors."""
    try:
        return math.fsum(numbers)
    except (ValueError, OverflowError):
        return float(sum(map(float, numbers)))


def _decimal_sum(numbers: Sequence[Any]) -> Any:
    decimals = [number for number in numbers if v.is_decimal(number)]
    rest = [number for number in numbers if not v.is_decimal(number)]
    out = exact(total(rest)) if rest else Decimal(0)
    for number in decimals:
        out = CONTEXT.add(out, v.plain(number))
    return decimal_like(out, decimals)


def _any_long(left: int, right: int) -> bool:
    """Whether one of two plain ints is a long by its size."""
    return not (_LOW <= left <= _HIGH and _LOW <= right <= _HIGH)


def add(left: Any, right: Any) -> Any:
    """The sum of two numbers."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        number = left + right
        if type(number) is float:
            return number
        return integer(number, long=_any_long(left, right))
    need_numbers("$add", left, right)
    return total((left, right))


def subtract(left: Any, right: Any) -> Any:
    """The difference of two numbers."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        number = left - right
        if type(number) is float:
            return number
        return integer(number, long=_any_long(left, right))
    return _of_any("$subtract", left, right, operator.sub, CONTEXT.subtract)


def multiply(left: Any, right: Any) -> Any:
    """The product of two numbers."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        number = left * right
        if type(number) is float:
            return number
        return integer(number, long=_any_long(left, right))
    return _of_any("$multiply", left, right, operator.mul, CONTEXT.multiply)


def _of_any(
    op: str, left: Any, right: Any, plain: Operation, precise: Callable[[Decimal, Decimal], Decimal]
) -> Any:
    """The operation on numbers of any types, of which not both are plain."""
    need_numbers(op, left, right)
    if v.is_decimal(left) or v.is_decimal(right):
        return decimal_like(precise(exact(left), exact(right)), (left, right))
    if isinstance(left, float) or isinstance(right, float):
        return plain(float(left), float(right))
    return integer(plain(int(left), int(right)), long=True)


def divide(left: Any, right: Any) -> Any:
    """The quotient, a double or a decimal; refuses zero divisors."""
    need_numbers("$divide", left, right)
    if v.plain(right) == 0:
        fail("$divide by zero")
    if v.is_decimal(left) or v.is_decimal(right):
        return decimal_like(CONTEXT.divide(exact(left), exact(right)), (left, right))
    return float(left) / float(right)


def remainder(left: Any, right: Any) -> Any:
    """The remainder with the sign of `left`; refuses zero divisors."""
    need_numbers("$mod", left, right)
    if v.plain(right) == 0:
        fail("$mod by zero")
    if v.is_decimal(left) or v.is_decimal(right):
        return decimal_like(decimal_remainder(exact(left), exact(right)), (left, right))
    if isinstance(left, float) or (isinstance(right, float) and not _is_int32(right)):
        return math.fmod(left, right) if math.isfinite(left) else math.nan
    low = abs(int(left)) % abs(int(right))
    long = v.is_long(left) or (v.is_integral(right) and v.is_long(right))
    return integer(-low if left < 0 else low, long=long)


def _is_int32(number: float) -> bool:
    return v.INT32_MIN <= number <= v.INT32_MAX and number.is_integer()


def decimal_remainder(left: Decimal, right: Decimal) -> Decimal:
    """The exact remainder of decimals, however far apart they are."""
    if not left.is_finite() or right.is_nan():
        return Decimal("NaN")
    if right.is_infinite():
        return left
    wide = decimal.Context(prec=12400, Emin=-6200, Emax=6200, traps=[])
    return wide.remainder(left, right)


def rounded(value: Any, place: int, mode: str) -> Any:
    """The number at `place` digits after the point (before it, if negative), in its own type.

    A double counts as what it is in binary: 4.56 is a little less, and cut to 4.55.
    """
    if v.is_integral(value):
        number = int(value)
        if place < 0:
            shifted = Decimal(number).scaleb(place).to_integral_value(rounding=mode)
            number = int(shifted) * 10**-place
        if not v.INT64_MIN <= number <= v.INT64_MAX:
            fail("rounding passes the range of a long")
        return integer(number, long=v.is_long(value))
    number = v.plain(value)
    if v.is_nan(value) or not math.isfinite(number):
        return value
    if isinstance(number, float):
        return float(_at_place(CONTEXT.create_decimal(Decimal(number)), place, mode))
    return decimal_like(_at_place(number, place, mode), (value,))


def _at_place(number: Decimal, place: int, mode: str) -> Decimal:
    place = min(place, 33 - number.adjusted()) if number else place
    found = number.quantize(Decimal((0, (1,), -place)), rounding=mode, context=CONTEXT)
    return number if found.is_nan() else found


def whole(value: Any, what: str) -> int:
    """A whole number that fits 32 bits, of whatever type; refuses all else."""
    number = value if type(value) is int else _integral(value, what)
    if not v.INT32_MIN <= number <= v.INT32_MAX:
        fail(f"{what} takes a number of 32 bits")
    return number


def whole_long(value: Any, what: str) -> int:
    """A whole number that fits 64 bits, of whatever type; refuses all else."""
    number = _integral(value, what)
    if not v.INT64_MIN <= number <= v.INT64_MAX:
        fail(f"{what} takes a number of 64 bits")
    return number


def _integral(value: Any, what: str) -> int:
    if not v.is_number(value):
        fail(f"{what} takes a whole number, not {v.type_name(value)}")
    given = v.plain(value)
    if not v.is_integral(value) and (v.is_nan(value) or not math.isfinite(given) or given != int(given)):
        fail(f"{what} takes a whole number")
    return int(given)
