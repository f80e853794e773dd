"""Arithmetic. A null or missing operand gives null; ints stay ints while they fit 64 bits."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from xrepo_nb.core.errors import an
from xrepo_nb.engines.polars.facts import Bounds, Facts, fits
from xrepo_nb.engines.polars.numbers import as_float, guarded, remainder, rounded
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.values import DATETIME, FLOAT, INT, NULL_VALUE, Value, absent_like
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call


def numbers(call: Call, scope: Scope) -> list[Value]:
    """The operands, all numbers; absent ones may be of the null type."""
    return _checked(call, [scope.typed(arg) for arg in call.args])


def _checked(call: Call, values: list[Value]) -> list[Value]:
    for value in values:
        if not value.is_number and value.kind != "null":
            decline(f"{call.op} of {an(value.kind)}")
    return values


@lowers("$add")
def _add(call: Call, scope: Scope) -> Value:
    values = [scope.typed(arg) for arg in call.args]
    if any(v.kind == "datetime" for v in values):
        return _shifted(values)
    return _folded(call, _checked(call, values), lambda a, b: a + b, lambda a, b: (a[0] + b[0], a[1] + b[1]))


@lowers("$multiply")
def _multiply(call: Call, scope: Scope) -> Value:
    return _folded(call, numbers(call, scope), lambda a, b: a * b, _product)


def _product(a: Bounds, b: Bounds) -> Bounds:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


@lowers("$subtract")
def _subtract(call: Call, scope: Scope) -> Value:
    left, right = values = [scope.typed(arg) for arg in call.args]
    if left.kind == "datetime":
        return _date_minus(left, right)
    return _folded(call, _checked(call, values), lambda a, b: a - b, lambda a, b: (a[0] - b[1], a[1] - b[0]))


def _folded(
    call: Call,
    values: list[Value],
    operate: Callable[[pl.Expr, pl.Expr], pl.Expr],
    bound: Callable[[Bounds, Bounds], Bounds],
) -> Value:
    if not values:
        decline(f"{call.op} of nothing")
    if any(value.kind == "null" for value in values):
        return NULL_VALUE
    total = values[0]
    for value in values[1:]:
        total = _combined(total, value, operate, bound)
    return Value(total.expr, total.type, absent_like(values), facts=total.facts)


def _combined(
    left: Value,
    right: Value,
    operate: Callable[[pl.Expr, pl.Expr], pl.Expr],
    bound: Callable[[Bounds, Bounds], Bounds],
) -> Value:
    if left.kind == "float" or right.kind == "float":
        return Value(operate(as_float(left), as_float(right)), FLOAT)
    bounds = bound(left.facts.bounds, right.facts.bounds)
    if fits(bounds):
        return Value(operate(left.expr, right.expr), INT, facts=Facts(bounds))
    # The strict cast fails where a result is past 64 bits: such a plan is run by the interpreter.
    wide = operate(left.expr.cast(pl.Int128), right.expr.cast(pl.Int128))
    return Value(wide.cast(pl.Int64), INT)


def _shifted(values: list[Value]) -> Value:
    """A date and milliseconds."""
    dates = [v for v in values if v.kind == "datetime"]
    others = [v for v in values if v.kind != "datetime"]
    if len(dates) != 1 or any(v.kind != "int" for v in others):
        decline("a sum of a date and other than one int")
    expr = dates[0].expr
    for value in others:
        expr = expr + _span(value)
    return Value(expr, DATETIME, absent_like(values))


def _date_minus(left: Value, right: Value) -> Value:
    if right.kind == "datetime":
        expr = left.expr.dt.timestamp("ms") - right.expr.dt.timestamp("ms")
        return Value(expr, INT, absent_like([left, right]))
    if right.kind != "int":
        decline(f"a date minus {an(right.kind)}")
    return Value(left.expr - _span(right), DATETIME, absent_like([left, right]))


def _span(value: Value) -> pl.Expr:
    """So many milliseconds, within what a date of microseconds reaches."""
    low, high = (value.literal, value.literal) if value.is_constant else value.facts.bounds
    if low >= -_MILLENNIA and high <= _MILLENNIA:
        return pl.duration(milliseconds=value.expr)
    far = guarded(value.expr, lambda s: (s > _MILLENNIA) | (s < -_MILLENNIA), "a date moved by millennia")
    return pl.duration(milliseconds=far)


_MILLENNIA = 10_000 * 366 * 86_400_000


@lowers("$divide")
def _divide(call: Call, scope: Scope) -> Value:
    left, right = values = numbers(call, scope)
    if left.kind == "null" or right.kind == "null":
        return NULL_VALUE
    return Value(as_float(left) / as_float(_nonzero(right)), FLOAT, absent_like(values))


def _nonzero(value: Value) -> Value:
    if value.is_constant:
        return value if value.literal else decline("a division by zero")
    low, high = value.facts.bounds
    if value.kind == "int" and (low > 0 or high < 0):
        return value
    checked = guarded(value.expr, lambda s: s == 0, "a division by zero")
    return Value(checked, value.type, value.absence, value.missing, value.facts)


@lowers("$mod")
def _mod(call: Call, scope: Scope) -> Value:
    left, right = values = numbers(call, scope)
    if left.kind == "null" or right.kind == "null":
        return NULL_VALUE
    if left.kind == "float" or right.kind == "float":
        decline("$mod of floats")
    return Value(remainder(left.expr, _nonzero(right).expr), INT, absent_like(values))


def _one(call: Call, scope: Scope) -> Value:
    return numbers(call, scope)[0]


@lowers("$abs")
def _abs(call: Call, scope: Scope) -> Value:
    value = _one(call, scope)
    if value.kind == "int" and value.facts.bounds[0] == -(2**63):
        checked = guarded(value.expr, lambda s: s == -(2**63), "$abs of the least int")
        return Value(checked.abs(), INT, absent_like([value]))
    return NULL_VALUE if value.kind == "null" else Value(value.expr.abs(), value.type, absent_like([value]))


@lowers("$ceil", "$floor", "$trunc")
def _whole(call: Call, scope: Scope) -> Value:
    if len(call.args) > 1:
        decline(f"{call.op} to a number of places")
    value = _one(call, scope)
    if value.kind != "float":
        return value.nullable()
    expr = value.expr
    if call.op == "$trunc":
        rounded = pl.when(expr < 0).then(expr.ceil()).otherwise(expr.floor())
    else:
        rounded = expr.ceil() if call.op == "$ceil" else expr.floor()
    return Value(rounded, FLOAT, absent_like([value]))


@lowers("$round")
def _round(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    places = scope.typed(call.args[1]).literal if len(call.args) > 1 else 0
    if type(places) is not int or not 0 <= places <= 15:
        decline("$round to other than up to 15 places")
    if value.kind != "float":
        return value.nullable() if value.kind in ("int", "null") else decline(f"$round of {an(value.kind)}")
    return Value(rounded(value.expr, places), FLOAT, absent_like([value]))


_FUNCTIONS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "$exp": pl.Expr.exp,
    "$ln": pl.Expr.log,
    "$log10": pl.Expr.log10,
    "$sqrt": pl.Expr.sqrt,
    "$sin": pl.Expr.sin,
    "$cos": pl.Expr.cos,
    "$tan": pl.Expr.tan,
    "$asinh": pl.Expr.arcsinh,
    "$atan": pl.Expr.arctan,
    "$sinh": pl.Expr.sinh,
    "$cosh": pl.Expr.cosh,
    "$tanh": pl.Expr.tanh,
    "$degreesToRadians": pl.Expr.radians,
    "$radiansToDegrees": pl.Expr.degrees,
}

_PERIODIC = ("$sin", "$cos", "$tan")
"""Functions that take all numbers but infinite ones, and so all ints."""

_OUTSIDE: dict[str, Callable[[pl.Series], pl.Series]] = {
    **dict.fromkeys(("$ln", "$log10"), lambda s: s <= 0),
    "$sqrt": lambda s: s < 0,
    **dict.fromkeys(_PERIODIC, lambda s: s.is_infinite()),
}
"""What lies outside of a function's domain, where something does."""


@lowers(*_FUNCTIONS)
def _function(call: Call, scope: Scope) -> Value:
    value = _one(call, scope)
    if value.kind == "null":
        return NULL_VALUE
    expr, outside = as_float(value), _OUTSIDE.get(call.op)
    if outside is not None and (value.kind == "float" or call.op not in _PERIODIC):
        expr = guarded(expr, outside, f"{call.op} outside of its domain")
    return Value(_FUNCTIONS[call.op](expr), FLOAT, absent_like([value]))


@lowers("$pow")
def _pow(call: Call, scope: Scope) -> Value:
    base, exponent = values = numbers(call, scope)
    if base.kind == "null" or exponent.kind == "null":
        return NULL_VALUE
    if base.kind == "int" and exponent.kind == "int":
        return decline("$pow of ints, whose result may be an int or a float")
    expr = as_float(base)
    if not (exponent.is_constant and exponent.literal >= 0):
        expr = guarded(expr, lambda s: s == 0, "$pow of zero")
    return Value(expr.pow(as_float(exponent)), FLOAT, absent_like(values))
