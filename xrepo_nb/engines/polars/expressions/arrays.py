"""Array operators: what is computed for each element stays within `list.eval`."""

from __future__ import annotations

import polars as pl

from xrepo_nb.engines.polars.expressions.comparison import boolean
from xrepo_nb.engines.polars.matching import compares, is_one_of
from xrepo_nb.engines.polars.numbers import mean_of_ints, widened
from xrepo_nb.engines.polars.paths import each_element, element
from xrepo_nb.engines.polars.predicates import any_element
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.truth import truth
from xrepo_nb.engines.polars.values import BOOL, FLOAT, INT, Value, absent_like, unified
from xrepo_nb.engines.typed.constants import position
from xrepo_nb.engines.typed.kinds import SORTED
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call, Expr, Literal
from xrepo_nb.schema.types import DataType


def array_of(values: list[Value]) -> Value:
    """The array of those values; a missing one becomes null."""
    if not values:
        decline("an empty array literal")
    item = unified([v.type for v in values])
    parts = [widened(v, item) for v in values]
    if item.kind != "array":
        # Each part as an array of one, so that a null is an element.
        array = pl.concat_list([pl.concat_list(part) for part in parts])
    else:  # `concat_list` would splice the parts in, but not objects of one field.
        wrapped = pl.concat_list([pl.struct(part.alias("part")) for part in parts])
        array = each_element(wrapped, pl.element().struct.field("part"), item)
    return Value(array, DataType("array", item=item), "never")


def _array(scope: Scope, expr: Expr, op: str, *, present: bool = False) -> Value:
    """An argument that is an array, and where the operator fails on absent ones never absent."""
    value = scope.typed(expr)
    if value.kind != "array" or (present and value.absence != "never"):
        decline(f"{op} of what may be no array")
    if value.type.item is None or value.type.item.kind == "mixed":
        decline(f"{op} of an array of mixed type")
    return value


def _item(value: Value) -> DataType:
    assert value.type.item is not None
    return value.type.item


@lowers("$isArray")
def _is_array(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind != "array":
        return Value(pl.lit(False), BOOL, "never", literal=False)
    return boolean(value.is_present())


@lowers("$size")
def _size(call: Call, scope: Scope) -> Value:
    value = _array(scope, call.args[0], call.op, present=True)
    return Value(value.expr.list.len().cast(pl.Int64), INT, "never")


@lowers("$arrayElemAt")
def _element_at(call: Call, scope: Scope) -> Value:
    value, index = _array(scope, call.args[0], call.op), call.args[1]
    return _at(value, _bound(index, "$arrayElemAt at a position"))


@lowers("$first", "$last")
def _end(call: Call, scope: Scope) -> Value:
    return _at(_array(scope, call.args[0], call.op), 0 if call.op == "$first" else -1)


def _at(value: Value, index: int) -> Value:
    """The element at a position; missing past the ends, null of an absent array."""
    length = value.expr.list.len().cast(pl.Int64)
    outside = (length <= index) if index >= 0 else (length < -index)
    expr = value.expr.list.get(index, null_on_oob=True)
    return Value(expr, _item(value), "both", outside.fill_null(False))


@lowers("$reverseArray")
def _reversed(call: Call, scope: Scope) -> Value:
    value = _array(scope, call.args[0], call.op)
    # Out of Polars' sight, which takes the first of reversed lists for one of their last elements.
    expr = value.expr.map_batches(
        lambda lists: lists.list.reverse(), return_dtype=value.type.to_polars(), is_elementwise=True
    )
    return Value(expr, value.type, absent_like([value]))


@lowers("$slice")
def _slice(call: Call, scope: Scope) -> Value:
    value = _array(scope, call.args[0], call.op)
    bounds = [_bound(arg, "$slice with bounds") for arg in call.args[1:]]
    first, array = bounds[0], value.expr.list
    if len(bounds) == 1:
        expr = array.head(first) if first >= 0 else array.tail(-first)
    elif bounds[1] <= 0:
        decline("$slice of no elements")
    else:
        from_end = (array.len().cast(pl.Int64) + first).clip(lower_bound=0)
        expr = array.slice(first if first >= 0 else from_end, bounds[1])
    return Value(expr, value.type, absent_like([value]))


def _bound(arg: Expr, what: str) -> int:
    return position(arg.value if isinstance(arg, Literal) else None, what)


@lowers("$in")
def _in(call: Call, scope: Scope) -> Value:
    wanted, among = scope.typed(call.args[0]), call.args[1]
    if isinstance(among, Literal) and isinstance(among.value, list) and not wanted.is_constant:
        if wanted.absence != "never":
            decline("$in of a value that may be absent")
        return boolean(is_one_of(among.value, wanted))
    array = _array(scope, among, call.op, present=True)
    if not wanted.is_constant:
        decline("$in of a computed value in a computed array")
    return boolean(any_element(array, lambda item: compares("$eq", wanted.literal, item)))


@lowers("$concatArrays")
def _concatenated(call: Call, scope: Scope) -> Value:
    values = [_array(scope, arg, call.op) for arg in call.args]
    if not values:
        decline("$concatArrays of nothing")
    type_ = unified([value.type for value in values])
    return Value(pl.concat_list([widened(v, type_) for v in values]), type_, absent_like(values))


@lowers("$map")
def _map(call: Call, scope: Scope) -> Value:
    value = _array(scope, call.needed("input"), call.op)
    body = _within(call, scope, value, "in")
    if body.is_constant or body.kind == "null":
        decline("$map to a constant")
    type_ = DataType("array", item=body.type)
    return Value(each_element(value.expr, body.expr, body.type), type_, absent_like([value]))


@lowers("$filter")
def _filter(call: Call, scope: Scope) -> Value:
    value = _array(scope, call.needed("input"), call.op)
    if call.option("limit") is not None:
        decline("$filter with a limit")
    holds = truth(_within(call, scope, value, "cond"))
    if holds is True:
        expr = value.expr
    else:
        kept = pl.element().filter(holds.fill_null(False)) if holds is not False else pl.element().head(0)
        expr = value.expr.list.eval(kept)
    return Value(expr, value.type, absent_like([value]))


def _within(call: Call, scope: Scope, value: Value, name: str) -> Value:
    """The inner expression, over an element bound to its variable."""
    bound = call.constant("as") or "this"
    return scope.inside({bound: element(_item(value))}).typed(call.needed(name))


@lowers("$sum", "$avg", "$min", "$max")
def _aggregate(call: Call, scope: Scope) -> Value:
    if len(call.args) != 1:
        decline(f"{call.op} of several arguments")
    value = _array(scope, call.args[0], call.op)
    item = _item(value)
    if call.op in ("$min", "$max"):
        return _extreme(call.op, value, item)
    if item.kind not in ("int", "float"):
        decline(f"{call.op} of an array of {item}")
    if call.op == "$avg":
        mean = mean_of_ints(pl.element()) if item.kind == "int" else pl.element().mean()
        return Value(value.expr.list.agg(mean), FLOAT, "null")
    each = pl.element().cast(pl.Int128) if item.kind == "int" else pl.element()
    total = value.expr.list.agg(each.sum()).cast(item.to_polars())
    return Value(total.fill_null(0) if value.absence != "never" else total, item, "never")


def _extreme(op: str, value: Value, item: DataType) -> Value:
    if item.kind not in SORTED:
        decline(f"{op} of an array of {item}")
    each = pl.element().max() if op == "$max" else pl.element().min()
    if item.kind == "float" and op == "$min":
        each = pl.element().nan_min()
    return Value(value.expr.list.agg(each), item, "null")
