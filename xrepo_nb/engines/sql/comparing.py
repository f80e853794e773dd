"""Comparisons of typed values by MongoDB's order over all values."""

from __future__ import annotations

import math
from decimal import Decimal

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import (
    Condition,
    as_sql,
    cast,
    certain,
    conjunction,
    disjunction,
    negation,
    number,
)
from xrepo_nb.engines.sql.values import BOOL, Value
from xrepo_nb.engines.typed.kinds import MIRRORED, RANKS
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.types import DataType

_HOLDS = {
    "$eq": lambda sign: sign == 0,
    "$ne": lambda sign: sign != 0,
    "$gt": lambda sign: sign > 0,
    "$gte": lambda sign: sign >= 0,
    "$lt": lambda sign: sign < 0,
    "$lte": lambda sign: sign <= 0,
}
_UNORDERED = frozenset({"binary", "array", "object"})


def comparison(ctx: Context, op: str, left: Value, right: Value) -> Condition:
    """The answer of an expression operator, never NULL: missing before null before all values."""
    if op == "$ne":
        return negation(comparison(ctx, "$eq", left, right))
    both = conjunction(left.is_present(), right.is_present())
    cases: list[Condition] = []
    if both is not False:
        cases.append(_present(ctx, op, left, right))
    for place, test in ((0, left.is_missing()), (1, left.is_null()), (2, left.is_present())):
        for other, against in ((0, right.is_missing()), (1, right.is_null()), (2, right.is_present())):
            if (place, other) != (2, 2) and _HOLDS[op](place - other):
                cases.append(conjunction(test, against))
    return disjunction(*cases)


def _present(ctx: Context, op: str, left: Value, right: Value) -> Condition:
    """The comparison where both are there; NULL or false elsewhere."""
    if left.bracket != right.bracket:
        holds = _HOLDS[op](RANKS[left.bracket] - RANKS[right.bracket])
        return conjunction(left.is_present(), right.is_present()) if holds else False
    check(ctx, op, left, right)
    if left.bracket != "number" or not ctx.dialect.has_nan:
        return related(ctx, op, left, right)
    return _numbers(ctx, op, left, right)


def _numbers(ctx: Context, op: str, left: Value, right: Value) -> Condition:
    """NaN is least here and greatest in the database."""
    odd, other_odd = _nan(ctx, left), _nan(ctx, right)
    plain = related(ctx, op, left, right)
    if op == "$eq" or (odd is False and other_odd is False):
        return plain
    if op in ("$lt", "$lte"):
        low, high = odd, other_odd
    else:
        low, high = other_odd, odd
    strictly = op in ("$lt", "$gt")
    present = conjunction(left.is_present(), right.is_present())
    first = conjunction(low, negation(high) if strictly else True, present)
    return disjunction(first, conjunction(plain, negation(high)))


def _nan(ctx: Context, value: Value) -> Condition:
    if value.kind != "float" or not ctx.dialect.has_nan:
        return False
    if value.is_constant:
        return math.isnan(value.literal)
    return ctx.dialect.is_nan(value.sql)


def check(ctx: Context, op: str, left: Value, right: Value) -> None:
    """Declines pairs of one class that SQL would not compare as MongoDB does."""
    for value in (left, right):
        ctx.dialect.check(value, op)
        if value.bracket in _UNORDERED and op not in ("$eq", "$ne") and value.kind != "uuid":
            decline(f"the order of {value.kind} values")
    if left.bracket in ("array", "object") and not same_shape(left.type, right.type):
        decline(f"comparing {left.type} with {right.type}")


def same_shape(left: DataType, right: DataType) -> bool:
    """Whether nested values of the two types compare member by member."""
    if left.kind == right.kind == "array":
        return left.item is None or right.item is None or same_shape(left.item, right.item)
    if left.kind == right.kind == "object":
        if [f.name for f in left.fields] != [f.name for f in right.fields]:
            return False
        pairs = zip(left.fields, right.fields, strict=True)
        return all(a.absence == b.absence and same_shape(a.type, b.type) for a, b in pairs)
    return left.kind == right.kind or "null" in (left.kind, right.kind)


def related(ctx: Context, op: str, left: Value, right: Value) -> Condition:
    """`left op right` of one class in the database's own order; exact between ints and floats."""
    if {left.kind, right.kind} == {"datetime", "date"}:
        left, right = _as_datetime(left), _as_datetime(right)
    if left.kind == "int" and right.kind == "float" and right.is_constant:
        return _int_with_float(ctx, op, left, right.literal)
    if left.kind == "float" and right.kind == "int" and left.is_constant:
        return _int_with_float(ctx, MIRRORED[op], right, left.literal)
    if {left.kind, right.kind} == {"decimal", "float"}:
        return _decimal_with_float(ctx, op, left, right)
    if (left.kind, right.kind) == ("int", "float"):
        return ctx.dialect.across(op, left, right)
    if (left.kind, right.kind) == ("float", "int"):
        return ctx.dialect.across(MIRRORED[op], right, left)
    return ctx.dialect.compare(op, left, right)


def _int_with_float(ctx: Context, op: str, left: Value, constant: float) -> Condition:
    """An int column against a float, without rounding the ints: 2**53 + 1 is more than 2.0**53."""
    if math.isnan(constant) or abs(constant) >= 2.0**63:
        sign = -1 if constant > 0 else 1
        return left.is_present() if _HOLDS[op](sign) else False
    if constant.is_integer():
        return ctx.dialect.compare(op, left, ctx.literal(int(constant)))
    if op == "$eq":
        return False
    floor = ctx.literal(math.floor(constant))
    return ctx.dialect.compare("$gt" if op in ("$gt", "$gte") else "$lte", left, floor)


def _decimal_with_float(ctx: Context, op: str, left: Value, right: Value) -> Condition:
    """A decimal column against a float for what the float is in binary: 1.1 is more than a tenth and one."""
    if left.kind == "float":
        op, left, right = MIRRORED[op], right, left
    if not right.is_constant:
        decline("comparing decimals with floats")
    constant = right.literal
    if not math.isfinite(constant):
        return left.is_present() if _HOLDS[op](-1 if constant > 0 else 1) else False
    return ctx.dialect.decimals(ctx, op, left, Decimal(constant))


def _as_datetime(value: Value) -> Value:
    if value.kind == "datetime":
        return value
    return Value(cast(value.sql, "TIMESTAMP"), DataType("datetime"), value.absence, value.missing)


def truth(value: Value) -> Condition:
    """Truth by MongoDB's rule: not false, null, missing or zero; NaN is true."""
    if value.is_constant and (value.kind == "bool" or value.bracket == "number"):
        return bool(value.literal)
    if value.kind == "bool":
        return value.sql
    if value.bracket == "number":
        return exp.NEQ(this=value.sql, expression=number(0))
    return value.is_present()


def as_value(condition: Condition) -> Value:
    """A condition as a bool that is never null."""
    return Value(certain(as_sql(condition)), BOOL, "never")
