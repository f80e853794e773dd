"""Conversions whose result depends on the type alone."""

from __future__ import annotations

import polars as pl

from xrepo_nb.core.errors import an
from xrepo_nb.engines.polars.expressions.comparison import boolean
from xrepo_nb.engines.polars.facts import INT64
from xrepo_nb.engines.polars.logic import as_expr, choose
from xrepo_nb.engines.polars.matching import INT32
from xrepo_nb.engines.polars.numbers import as_float
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.truth import truth
from xrepo_nb.engines.polars.values import BOOL, FLOAT, INT, NULL_VALUE, STRING, Value, absent_like, literal
from xrepo_nb.engines.typed.kinds import BSON_NAMES
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call, FieldRef


@lowers("$type")
def _type(call: Call, scope: Scope) -> Value:
    (arg,) = call.args
    value = scope.typed(arg)
    if value.is_number and not (isinstance(arg, FieldRef) and scope.keeps_widths(arg.path)):
        decline("the type of a computed number")
    if value.kind == "int":
        name = pl.when(value.expr.is_between(*INT32)).then(pl.lit("int")).otherwise(pl.lit("long"))
    elif value.is_absent() is False:
        return literal(BSON_NAMES[value.kind])
    else:
        name = pl.lit(BSON_NAMES[value.kind])
    absent = choose(value.is_missing(), pl.lit("missing"), pl.lit("null"))
    return Value(choose(value.is_absent(), absent, name), STRING, "never")


@lowers("$isNumber")
def _is_number(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    return boolean(value.is_present() if value.bracket == "number" else False)


@lowers("$toDouble")
def _to_double(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind == "null":
        return NULL_VALUE
    if not value.is_number:
        decline(f"$toDouble of {an(value.kind)}")
    return Value(as_float(value), FLOAT, absent_like([value]))


@lowers("$toInt", "$toLong")
def _to_int(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind == "bool":
        return Value(value.expr.cast(pl.Int64), INT, absent_like([value]))
    if value.kind != "int":
        decline(f"{call.op} of {an(value.kind)}")
    low, high = value.facts.bounds
    least, greatest = INT32 if call.op == "$toInt" else INT64
    if low < least or high > greatest:
        decline(f"{call.op} of an int that may not fit")
    return Value(value.expr, INT, absent_like([value]), facts=value.facts)


@lowers("$toBool")
def _to_bool(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind == "null":
        return NULL_VALUE
    holds = as_expr(truth(value))
    found = pl.when(value.expr.is_not_null()).then(holds) if value.may_be_absent else holds
    return Value(found, BOOL, absent_like([value]))


@lowers("$toString")
def _to_string(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind not in ("int", "string"):
        decline(f"$toString of {an(value.kind)}")
    return Value(value.expr.cast(pl.String), STRING, absent_like([value]))
