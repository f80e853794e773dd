"""Arrays as lists: positions, parts, mapping, sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.comparing import as_value, comparison, truth
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.common import constant, guarded, operands
from xrepo_nb.engines.sql.paths import any_element, element, item_at
from xrepo_nb.engines.sql.syntax import (
    Sql,
    as_sql,
    binary,
    call,
    case,
    cast,
    conjunction,
    disjunction,
    lambda_of,
    negation,
    number,
)
from xrepo_nb.engines.sql.values import FLOAT, INT, NULL, NULL_VALUE, Value, strict, unified
from xrepo_nb.engines.typed.constants import position
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call
from xrepo_nb.schema.types import DataType


def _array(op: str, value: Value) -> Value:
    if value.kind != "array":
        decline(f"{op} of {an(value.kind)}")
    return value


def _item(value: Value) -> DataType:
    return value.type.item or NULL


def _size(ctx: Context, node: Call) -> Value:
    value = _array(node.op, operands(ctx, node)[0])
    return Value(guarded(ctx, value.is_absent(), call("len", value.sql), "$size of null"), INT, "never")


def _element_at(ctx: Context, node: Call) -> Value:
    value, index = operands(ctx, node)
    if value.kind == "null" or index.kind == "null":
        return NULL_VALUE
    _array(node.op, value)
    return _at(value, position(index.literal, "$arrayElemAt at a position"))


def _at(value: Value, index: int) -> Value:
    """The element at a position; null, not missing, where there is no array."""
    if value.absence == "never":
        return item_at(value, index)
    found = item_at(replace(value, absence="never", missing=None), index)
    missing = conjunction(value.is_present(), found.is_missing())
    return found.with_absence(disjunction(value.is_absent(), found.is_null()), missing)


def _end(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    return _at(_array(node.op, value), 0 if node.op == "$first" else -1)


def _in(ctx: Context, node: Call) -> Value:
    needle, haystack = operands(ctx, node)
    _array(node.op, haystack)
    found = as_value(any_element(ctx, haystack, lambda item: comparison(ctx, "$eq", item, needle)))
    return replace(found, sql=guarded(ctx, haystack.is_absent(), found.sql, "$in needs an array"))


def _slice(ctx: Context, node: Call) -> Value:
    value, *bounds = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    _array(node.op, value)
    places = [position(b.literal, "$slice with bounds") for b in bounds]
    if len(places) == 1:
        (count,) = places
        first, last = (1, count) if count >= 0 else (count, -1)
        if count == 0:
            first, last = 1, 0
        sql = _cut(value.sql, number(first), number(last)) if count >= 0 else _tail(value.sql, -count)
        return strict(sql, value.type, value)
    start, count = places
    if start < 0 or count <= 0:
        decline("$slice from the end with a count")
    return strict(_cut(value.sql, number(start + 1), number(start + count)), value.type, value)


def _cut(array: Sql, first: Sql, last: Sql) -> Sql:
    return call("list_slice", array, first, last)


def _tail(array: Sql, count: int) -> Sql:
    start = call("greatest", binary(exp.Sub, call("len", array), number(count - 1)), number(1))
    return _cut(array, start, call("len", array))


def _reverse(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    return strict(call("list_reverse", _array(node.op, value).sql), value.type, value)


def _concat(ctx: Context, node: Call) -> Value:
    values = operands(ctx, node)
    if not values:
        decline("$concatArrays of nothing")
    for value in values:
        if value.kind == "null":
            return NULL_VALUE
        _array(node.op, value)
    type_ = unified([v.type for v in values])
    sql = values[0].sql
    for value in values[1:]:
        sql = binary(exp.DPipe, sql, value.sql)
    return strict(sql, type_, *values)


def _map(ctx: Context, node: Call) -> Value:
    value = ctx.value(node.needed("input"))
    if value.kind == "null":
        return NULL_VALUE
    parameter, item = element(ctx, _array(node.op, value))
    inner = ctx.with_variables({node.constant("as") or "this": item}).value(node.needed("in")).nullable()
    sql = call("list_transform", value.sql, lambda_of(parameter, inner.sql))
    return strict(sql, DataType("array", item=inner.type), value)


def _filter(ctx: Context, node: Call) -> Value:
    value, limit = ctx.value(node.needed("input")), constant(ctx, node, "limit")
    if limit is not None and position(limit, "$filter with a limit") < 1:
        decline("$filter with such a limit")
    if value.kind == "null":
        return NULL_VALUE
    parameter, item = element(ctx, _array(node.op, value))
    test = truth(ctx.with_variables({node.constant("as") or "this": item}).value(node.needed("cond")))
    sql = call("list_filter", value.sql, lambda_of(parameter, as_sql(test)))
    if limit is not None:
        sql = _cut(sql, number(1), number(limit))
    return strict(sql, value.type, value)


def _reduce(ctx: Context, node: Call) -> Value:
    value, initial = ctx.value(node.needed("input")), ctx.value(node.needed("initialValue"))
    if value.kind == "null":
        return NULL_VALUE
    _array(node.op, value)
    if initial.kind in ("null", "array", "object") or initial.absence in ("missing", "both"):
        decline("$reduce from such a value")
    parameter, item = element(ctx, value)
    so_far = ctx.lambda_name()
    held = Value(exp.Column(this=exp.Identifier(this=so_far)), initial.type, "null")
    body = ctx.with_variables({"this": item, "value": held}).value(node.needed("in"))
    if body.type != initial.type or item.type != initial.type:
        decline("$reduce whose value changes its type")
    if body.absence in ("missing", "both"):
        decline("$reduce whose value may be missing")
    step = exp.Lambda(
        this=body.sql, expressions=[exp.Identifier(this=so_far), exp.Identifier(this=parameter)]
    )
    sql = call("list_reduce", value.sql, step, initial.sql)
    return strict(sql, initial.type, value, body)


def _range(ctx: Context, node: Call) -> Value:
    start, end, *steps = operands(ctx, node)
    step = steps[0] if steps else ctx.literal(1)
    if any(v.kind != "int" or v.absence != "never" for v in (start, end, step)) or not step.is_constant:
        decline("$range with such bounds")
    position(step.literal, "$range by a step")
    low, high = number(-(2**31)), number(2**31 - 1)
    within = conjunction(*(ctx.dialect.between(bound, low, high) for bound in (start, end)))
    made = guarded(
        ctx, negation(within), call("range", start.sql, end.sql, step.sql), "$range beyond 32 bits"
    )
    return Value(made, DataType("array", item=INT), "never")


def _index_of(ctx: Context, node: Call) -> Value:
    value, needle, *bounds = operands(ctx, node)
    if value.kind == "null":
        return NULL_VALUE
    _array(node.op, value)
    if bounds or needle.absence != "never" or needle.type != _item(value):
        decline("$indexOfArray with bounds or of such a value")
    found = call("list_position", value.sql, needle.sql)
    place = exp.Coalesce(this=binary(exp.Sub, found, number(1)), expressions=[number(-1)])
    sql = place if value.absence == "never" else case([(value.is_present(), place)], exp.Null())
    return strict(sql, INT, value)


def _all_true(ctx: Context, node: Call) -> Value:
    value = operands(ctx, node)[0]
    _array(node.op, value)
    if value.absence != "never":
        decline(f"{node.op} of an array that may be absent")
    if node.op == "$anyElementTrue":
        return as_value(any_element(ctx, value, truth))
    return as_value(negation(any_element(ctx, value, lambda item: negation(truth(item)))))


def _aggregate(ctx: Context, node: Call) -> Value:
    """`$sum`, `$avg`, `$min`, `$max` of one array, or of the arguments."""
    values = operands(ctx, node)
    if len(values) != 1:
        return _of_arguments(ctx, node, values)
    value = values[0]
    if value.kind != "array":
        return _of_arguments(ctx, node, values)
    return _over_list(ctx, node.op, value)


def _over_list(ctx: Context, op: str, value: Value) -> Value:
    item = _item(value)
    name = {"$sum": "list_sum", "$avg": "list_avg", "$min": "list_min", "$max": "list_max"}[op]
    if op in ("$sum", "$avg") and item.kind not in ("int", "float"):
        decline(f"{op} of {value.type}")
    if item.kind not in ("int", "float", "string", "bool", "datetime", "date"):
        decline(f"{op} of {value.type}")
    if item.kind == "float" and op in ("$min", "$max"):
        decline(f"{op} of floats in an array")
    sql = call(name, value.sql)
    if op == "$sum":
        to = "BIGINT" if item.kind == "int" else "DOUBLE"
        return Value(exp.Coalesce(this=cast(sql, to), expressions=[number(0)]), item, "never")
    return Value(sql, FLOAT if op == "$avg" else item, "null")


def _of_arguments(ctx: Context, node: Call, values: list[Value]) -> Value:
    kinds = {v.kind for v in values if v.kind != "null"}
    if not values or len(kinds) != 1 or not kinds <= {"int", "float", "string", "datetime"}:
        decline(f"{node.op} of such arguments")
    if node.op in ("$sum", "$avg") and not kinds <= {"int", "float"}:
        decline(f"{node.op} of such arguments")
    type_ = next(v.type for v in values if v.kind != "null")
    return _over_list(ctx, node.op, _listed([v for v in values if v.kind != "null"], type_))


def _listed(values: list[Value], type_: DataType) -> Value:
    return Value(exp.Array(expressions=[v.sql for v in values]), DataType("array", item=type_), "never")


Operator = Callable[[Context, Call], Value]
OPERATORS: dict[str, Operator] = {
    "$size": _size,
    "$arrayElemAt": _element_at,
    "$first": _end,
    "$last": _end,
    "$in": _in,
    "$slice": _slice,
    "$reverseArray": _reverse,
    "$concatArrays": _concat,
    "$map": _map,
    "$filter": _filter,
    "$reduce": _reduce,
    "$range": _range,
    "$indexOfArray": _index_of,
    "$allElementsTrue": _all_true,
    "$anyElementTrue": _all_true,
    **dict.fromkeys(("$sum", "$avg", "$min", "$max"), _aggregate),
}
