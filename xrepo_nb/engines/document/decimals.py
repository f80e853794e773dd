"""Trigonometry for decimals, to their 34 digits: series on reduced arguments."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

_DIGITS = 60
_FAR = 45
"""Powers of ten past which a function is its first term, or its limit, in all 34 digits."""

Function = Callable[[Decimal], Decimal]
Wrap = Callable[[Function], Function]


def _precise(tiny: Function | None = None, huge: Function | None = None, *, periodic: bool = False) -> Wrap:
    """Runs a function with digits enough for the size of its argument; NaN stays NaN.

    `tiny` and `huge` take its place for arguments close to zero and far from it. A `periodic`
    one gets the digits that reducing a large argument takes.
    """

    def wrap(function: Function) -> Function:
        def run(number: Decimal) -> Decimal:
            if number.is_nan():
                return number
            power = number.adjusted() if number and number.is_finite() else 0
            extra = power if periodic and power > 0 else min(2 * abs(power), 2 * _FAR)
            wide = decimal.Context(prec=_DIGITS + extra, Emin=-999_999, Emax=999_999, traps=[])
            with decimal.localcontext(wide):
                if tiny is not None and (not number or power < -_FAR):
                    return tiny(number)
                if huge is not None and power > _FAR:
                    return huge(number)
                return function(number)

        return run

    return wrap


def _itself(x: Decimal) -> Decimal:
    return x


def _one(x: Decimal) -> Decimal:
    return Decimal(1)


def _series(term: Decimal, step: Callable[[Decimal, int], Decimal]) -> Decimal:
    """The sum of terms, each made from the one before, until they no longer count."""
    total, before, i = term, None, 1
    while total != before:
        before = total
        term = step(term, i)
        total += term
        i += 2
    return total


@lru_cache(maxsize=16)
def _pi_to(digits: int) -> Decimal:
    with decimal.localcontext(decimal.Context(prec=digits + 10)):
        return 16 * _arctan_inverse(5) - 4 * _arctan_inverse(239)


def _arctan_inverse(n: int) -> Decimal:
    square, power, total, before, i = n * n, Decimal(1) / n, Decimal(1) / n, Decimal(0), 1
    while total != before:
        before = total
        power = -power / square
        i += 2
        total += power / i
    return total


def pi() -> Decimal:
    """Pi to the digits of the current context."""
    return _pi_to(decimal.getcontext().prec)


@_precise(_itself, periodic=True)
def sin(x: Decimal) -> Decimal:
    if not x.is_finite():
        return Decimal("NaN")
    x = x.remainder_near(2 * pi())
    square = x * x
    return _series(x, lambda term, i: -term * square / ((i + 1) * (i + 2)))


@_precise(_one, periodic=True)
def cos(x: Decimal) -> Decimal:
    if not x.is_finite():
        return Decimal("NaN")
    x = x.remainder_near(2 * pi())
    square = x * x
    return _series(Decimal(1), lambda term, i: -term * square / (i * (i + 1)))


@_precise(_itself, periodic=True)
def tan(x: Decimal) -> Decimal:
    return sin(x) / cos(x)


@_precise(_itself, lambda x: (pi() / 2).copy_sign(x))
def atan(x: Decimal) -> Decimal:
    if x.is_infinite():
        return (pi() / 2).copy_sign(x)
    halvings = 0
    while abs(x) > Decimal("0.1"):
        x = x / (1 + (1 + x * x).sqrt())
        halvings += 1
    square, power, total, before, i = x * x, x, x, None, 1
    while total != before:
        before = total
        power = -power * square
        i += 2
        total += power / i
    return Decimal(2**halvings) * total


@_precise(_itself)
def asin(x: Decimal) -> Decimal:
    if abs(x) == 1:
        return (pi() / 2).copy_sign(x)
    return atan(x / (1 - x * x).sqrt())


@_precise()
def acos(x: Decimal) -> Decimal:
    return 2 * atan(((1 - x) / (1 + x)).sqrt()) if x != -1 else pi()


def atan2(y: Decimal, x: Decimal) -> Decimal:
    if y.is_nan() or x.is_nan():
        return Decimal("NaN")
    with decimal.localcontext(decimal.Context(prec=_DIGITS, traps=[])):
        if y.is_infinite() and x.is_infinite():
            return (pi() * (3 if x < 0 else 1) / 4).copy_sign(y)
        if not x and not y:
            return pi().copy_sign(y) if x.is_signed() else y
        if not x:
            return (pi() / 2).copy_sign(y)
        angle = abs(atan(y / x))
        return (pi() - angle if x < 0 else angle).copy_sign(y)


@_precise(_itself)
def sinh(x: Decimal) -> Decimal:
    if not x.is_finite():
        return x
    return (x.exp() - (-x).exp()) / 2


@_precise(_one)
def cosh(x: Decimal) -> Decimal:
    return abs(x) if not x.is_finite() else (x.exp() + (-x).exp()) / 2


@_precise(_itself)
def tanh(x: Decimal) -> Decimal:
    if abs(x) > 100:
        return Decimal(1).copy_sign(x)
    twice = (2 * x).exp()
    return (twice - 1) / (twice + 1)


@_precise(_itself, lambda x: (2 * abs(x)).ln().copy_sign(x))
def asinh(x: Decimal) -> Decimal:
    if not x.is_finite():
        return x
    return (abs(x) + (x * x + 1).sqrt()).ln().copy_sign(x)


@_precise(None, lambda x: (2 * x).ln())
def acosh(x: Decimal) -> Decimal:
    return x if x.is_infinite() else (x + (x * x - 1).sqrt()).ln()


@_precise(_itself)
def atanh(x: Decimal) -> Decimal:
    if abs(x) == 1:
        return Decimal("Infinity").copy_sign(x)
    return ((1 + x) / (1 - x)).ln() / 2


@_precise()
def radians(x: Decimal) -> Decimal:
    return x * pi() / 180


@_precise()
def degrees(x: Decimal) -> Decimal:
    return x * 180 / pi()
