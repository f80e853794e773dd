"""Types: `$type`, `$isNumber` and the conversions that cannot be read differently."""

from __future__ import annotations

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.comparing import as_value, truth
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.arithmetic import milliseconds
from xrepo_nb.engines.sql.expressions.common import guarded, operands
from xrepo_nb.engines.sql.syntax import Condition, Sql, as_sql, call, case, cast, disjunction, number, text
from xrepo_nb.engines.sql.values import BOOL, DATETIME, FLOAT, INT, NULL_VALUE, STRING, Value, strict
from xrepo_nb.engines.typed.kinds import BSON_NAMES
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call


def _type(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind in ("int", "float") and not value.stored:
        decline("the type of a computed number")
    if value.kind == "int":
        small = ctx.dialect.between(value, number(-(2**31)), number(2**31 - 1))
        name: Sql = case([(small, text("int"))], text("long"))
    else:
        name = text(BSON_NAMES[value.kind])
    branches = [(value.is_missing(), text("missing")), (value.is_null(), text("null"))]
    kept = [(when, then) for when, then in branches if when is not False]
    return Value(case(kept, name) if kept else name, STRING, "never")


def _is_number(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    return as_value(value.is_present() if value.bracket == "number" else False)


def _is_array(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    return as_value(value.is_present() if value.kind == "array" else False)


def _to_string(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    if value.kind == "string":
        return value.nullable()
    if value.kind in ("int", "bool"):
        return strict(cast(value.sql, "TEXT"), STRING, value)
    if value.kind == "datetime":
        return strict(call("strftime", value.sql, text("%Y-%m-%dT%H:%M:%S.%gZ")), STRING, value)
    if value.kind == "objectid":
        return strict(call("lower", call("hex", value.sql)), STRING, value)
    return decline(f"$toString of {an(value.kind)}")


def _to_double(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind in ("float", "null"):
        return value.nullable()
    if value.kind == "int":
        return strict(cast(value.sql, "DOUBLE"), FLOAT, value)
    if value.kind == "bool":
        return strict(cast(cast(value.sql, "INT"), "DOUBLE"), FLOAT, value)
    if value.kind == "datetime":
        return strict(cast(milliseconds(value), "DOUBLE"), FLOAT, value)
    return decline(f"{node.op} of {an(value.kind)}")


def _to_whole(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    made = _whole(ctx, node.op, value)
    if node.op == "$toLong" or made.kind == "null" or value.kind == "bool":
        return made
    wide = disjunction(
        exp.LT(this=made.sql, expression=number(-(2**31))),
        exp.GT(this=made.sql, expression=number(2**31 - 1)),
    )
    return strict(guarded(ctx, wide, made.sql, "the number does not fit an int"), INT, value)


def _whole(ctx: Context, op: str, value: Value) -> Value:
    if value.kind in ("int", "null"):
        return value.nullable()
    if value.kind == "bool":
        return strict(cast(value.sql, "BIGINT"), INT, value)
    if value.kind == "datetime" and op == "$toLong":
        return strict(milliseconds(value), INT, value)
    if value.kind == "float":
        far: Condition = exp.GTE(this=call("abs", value.sql), expression=number(2**63))
        whole = cast(call("trunc", value.sql), "BIGINT")
        return strict(guarded(ctx, far, whole, "the number does not fit a long"), INT, value)
    if value.kind == "string":
        plain = call("regexp_full_match", value.sql, text("-?[0-9]{1,18}"))
        odd = exp.Not(this=plain)
        return strict(guarded(ctx, odd, cast(value.sql, "BIGINT"), f"{op} of a text"), INT, value)
    return decline(f"{op} of {an(value.kind)}")


def _to_bool(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    if value.kind == "bool":
        return value.nullable()
    sql = as_sql(truth(value))
    if value.absence != "never":
        sql = case([(value.is_present(), sql)], exp.Null())
    return strict(sql, BOOL, value)


def _to_date(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind in ("datetime", "null"):
        return value.nullable()
    if value.kind == "date":
        return strict(cast(value.sql, "TIMESTAMP"), DATETIME, value)
    return decline(f"$toDate of {an(value.kind)}")


OPERATORS = {
    "$type": _type,
    "$isNumber": _is_number,
    "$isArray": _is_array,
    "$toString": _to_string,
    "$toDouble": _to_double,
    "$toInt": _to_whole,
    "$toLong": _to_whole,
    "$toBool": _to_bool,
    "$toDate": _to_date,
}
