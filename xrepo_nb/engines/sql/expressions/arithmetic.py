"""Arithmetic: a null operand gives null; ints stay ints, and fail where they leave 64 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.common import guarded, milliseconds_of, numbers, operands
from xrepo_nb.engines.sql.syntax import (
    Condition,
    Maker,
    Sql,
    as_sql,
    binary,
    call,
    cast,
    conjunction,
    disjunction,
    number,
)
from xrepo_nb.engines.sql.values import DATETIME, FLOAT, INT, NULL_VALUE, Value, strict
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call


def as_float(value: Value) -> Sql:
    """A number as a double."""
    return value.sql if value.kind == "float" else cast(value.sql, "DOUBLE")


def _folded(node: Call, values: Sequence[Value], maker: Maker) -> Value:
    numbers(node.op, values)
    if not values:
        decline(f"{node.op} of nothing")
    if any(v.kind == "null" for v in values):
        return NULL_VALUE
    if any(v.kind == "float" for v in values):
        # Ints are added as ints as long as only ints were met, doubles from then on.
        sql = reduce(lambda a, b: binary(maker, a, b), (as_float(v) for v in values))
        return strict(sql, FLOAT, *values)
    return strict(reduce(lambda a, b: binary(maker, a, b), (v.sql for v in values)), INT, *values)


def _add(ctx: Context, node: Call) -> Value:
    values = operands(ctx, node)
    if any(v.bracket == "date" for v in values):
        return _shifted(ctx, values)
    return _folded(node, values, exp.Add)


def _multiply(ctx: Context, node: Call) -> Value:
    return _folded(node, operands(ctx, node), exp.Mul)


def _subtract(ctx: Context, node: Call) -> Value:
    left, right = values = operands(ctx, node)
    if left.kind != "datetime":
        return _folded(node, values, exp.Sub)
    if right.kind == "datetime":
        return strict(binary(exp.Sub, milliseconds(left), milliseconds(right)), INT, left, right)
    if right.kind != "int":
        decline(f"a date minus {an(right.kind)}")
    moved = exp.Sub(this=left.sql, expression=milliseconds_of(ctx, right))
    return strict(exp.Paren(this=moved), DATETIME, left, right)


def milliseconds(value: Value) -> Sql:
    """A moment as milliseconds since 1970, rounded down."""
    return call("epoch_ms", call("date_trunc", exp.Literal.string("millisecond"), value.sql))


def _shifted(ctx: Context, values: Sequence[Value]) -> Value:
    dates = [v for v in values if v.bracket == "date"]
    others = [v for v in values if v.bracket != "date"]
    if len(dates) != 1 or dates[0].kind != "datetime" or any(v.kind != "int" for v in others):
        decline("a sum of a date and other than ints")
    sql = dates[0].sql
    for value in others:
        sql = binary(exp.Add, sql, milliseconds_of(ctx, value))
    return strict(sql, DATETIME, *values)


def _divide(ctx: Context, node: Call) -> Value:
    left, right = values = operands(ctx, node)
    numbers(node.op, values)
    if left.kind == "null" or right.kind == "null":
        return NULL_VALUE
    quotient = binary(exp.Div, as_float(left), as_float(right))
    return strict(_nonzero(ctx, node.op, left, right, quotient), FLOAT, *values)


def _nonzero(ctx: Context, op: str, left: Value, right: Value, result: Sql) -> Sql:
    if right.is_constant and right.literal != 0:
        return result
    zero = exp.And(this=exp.EQ(this=right.sql, expression=number(0)), expression=as_sql(left.is_present()))
    return guarded(ctx, zero, result, f"{op} by zero")


def _mod(ctx: Context, node: Call) -> Value:
    left, right = values = operands(ctx, node)
    numbers(node.op, values)
    if left.kind == "null" or right.kind == "null":
        return NULL_VALUE
    if left.kind == "float" or right.kind == "float":
        decline("$mod of floats")
    rest = binary(exp.Mod, left.sql, right.sql)
    return strict(_nonzero(ctx, node.op, left, right, rest), INT, *values)


def _abs(ctx: Context, node: Call) -> Value:
    (value,) = numbers(node.op, operands(ctx, node))
    return NULL_VALUE if value.kind == "null" else strict(call("abs", value.sql), value.type, value)


def _whole(ctx: Context, node: Call) -> Value:
    value, *places = numbers(node.op, operands(ctx, node))
    if places and not (places[0].is_constant and places[0].literal == 0):
        decline(f"{node.op} to a number of places")
    if value.kind != "float":
        return value.nullable()
    name = {"$ceil": "ceil", "$floor": "floor", "$trunc": "trunc", "$round": "round_even"}[node.op]
    extra = (number(0),) if name == "round_even" else ()
    return strict(call(name, value.sql, *extra), FLOAT, value)


_FUNCTIONS: dict[str, tuple[str, str]] = {
    "$exp": ("exp", ""),
    "$ln": ("ln", "above zero"),
    "$log10": ("log10", "above zero"),
    "$sqrt": ("sqrt", "from zero on"),
    "$sin": ("sin", "finite"),
    "$cos": ("cos", "finite"),
    "$tan": ("tan", "finite"),
    "$asin": ("asin", "from -1 to 1"),
    "$acos": ("acos", "from -1 to 1"),
    "$atan": ("atan", ""),
    "$sinh": ("sinh", ""),
    "$cosh": ("cosh", ""),
    "$tanh": ("tanh", ""),
    "$asinh": ("asinh", ""),
    "$acosh": ("acosh", "from one on"),
    "$atanh": ("atanh", "from -1 to 1"),
    "$degreesToRadians": ("radians", ""),
    "$radiansToDegrees": ("degrees", ""),
}


def _outside(domain: str, sql: Sql) -> Condition:
    """Whether a number lies outside of a function's domain; NaN never does."""
    bounds: dict[str, list[Sql]] = {
        "above zero": [exp.LTE(this=sql, expression=number(0))],
        "from zero on": [exp.LT(this=sql, expression=number(0))],
        "from one on": [exp.LT(this=sql, expression=number(1))],
        "from -1 to 1": [exp.GT(this=call("abs", sql), expression=number(1))],
        "finite": [call("isinf", sql)],
    }
    return conjunction(exp.Not(this=call("isnan", sql)), disjunction(*bounds[domain]))


def _function(ctx: Context, node: Call) -> Value:
    (value,) = numbers(node.op, operands(ctx, node))
    if value.kind == "null":
        return NULL_VALUE
    name, domain = _FUNCTIONS[node.op]
    operand = as_float(value)
    made = call(name, operand)
    if domain:
        made = guarded(ctx, _outside(domain, operand), made, f"{node.op} outside of its domain")
    return strict(made, FLOAT, value)


def _atan2(ctx: Context, node: Call) -> Value:
    left, right = values = numbers(node.op, operands(ctx, node))
    if left.kind == "null" or right.kind == "null":
        return NULL_VALUE
    return strict(call("atan2", as_float(left), as_float(right)), FLOAT, *values)


def _log(ctx: Context, node: Call) -> Value:
    left, base = values = numbers(node.op, operands(ctx, node))
    if left.kind == "null" or base.kind == "null":
        return NULL_VALUE
    if not base.is_constant or not base.literal > 0 or base.literal == 1:
        decline("$log with a base that is computed")
    operand = as_float(left)
    made = binary(exp.Div, call("ln", operand), ctx.literal(math.log(base.literal)).sql)
    return strict(
        guarded(ctx, _outside("above zero", operand), made, "$log outside of its domain"), FLOAT, *values
    )


def _pow(ctx: Context, node: Call) -> Value:
    base, exponent = values = numbers(node.op, operands(ctx, node))
    if base.kind == "null" or exponent.kind == "null":
        return NULL_VALUE
    if base.kind == exponent.kind == "int":
        if not exponent.is_constant or not 0 <= exponent.literal <= 3:
            decline("$pow of ints, whose result may be an int or a float")
        if exponent.literal == 0:
            decline("$pow to zero")
        power = reduce(lambda a, b: binary(exp.Mul, a, b), [base.sql] * exponent.literal)
        return strict(power, INT, base)
    operand = as_float(base)
    zero = exp.EQ(this=operand, expression=number(0))
    made = call("pow", operand, as_float(exponent))
    return strict(guarded(ctx, zero, made, "$pow of zero"), FLOAT, *values)


def _rand(ctx: Context, node: Call) -> Value:
    return Value(call("random"), FLOAT, "never")


def _bits(ctx: Context, node: Call) -> Value:
    values = operands(ctx, node)
    if any(v.kind not in ("int", "null") for v in values) or not values:
        decline(f"{node.op} of other than ints")
    if any(v.kind == "null" for v in values):
        return NULL_VALUE
    if node.op == "$bitNot":
        return strict(exp.Paren(this=exp.BitwiseNot(this=values[0].sql)), INT, *values)
    if node.op == "$bitXor":
        return strict(reduce(lambda a, b: call("xor", a, b), (v.sql for v in values)), INT, *values)
    maker: Maker = exp.BitwiseAnd if node.op == "$bitAnd" else exp.BitwiseOr
    return strict(reduce(lambda a, b: binary(maker, a, b), (v.sql for v in values)), INT, *values)


OPERATORS = {
    "$add": _add,
    "$subtract": _subtract,
    "$multiply": _multiply,
    "$divide": _divide,
    "$mod": _mod,
    "$abs": _abs,
    **dict.fromkeys(("$ceil", "$floor", "$trunc", "$round"), _whole),
    **dict.fromkeys(_FUNCTIONS, _function),
    "$atan2": _atan2,
    "$log": _log,
    "$pow": _pow,
    "$rand": _rand,
    **dict.fromkeys(("$bitAnd", "$bitOr", "$bitXor", "$bitNot"), _bits),
}
