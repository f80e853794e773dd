"""Paths: what `"$a.b"` reaches, through objects and through the elements of arrays."""

from __future__ import annotations

import polars as pl

from xrepo_nb.engines.polars.logic import disjunction
from xrepo_nb.engines.polars.values import MISSING_VALUE, Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Path
from xrepo_nb.schema.types import DataType


def reach(value: Value, path: Path) -> Value:
    """The value at a path below `value`, as an expression sees it."""
    for position, name in enumerate(path):
        kind = value.type.kind
        if kind == "mixed":
            decline("a field of mixed type")
        if kind == "array":
            return _through(value, path[position:])
        if kind != "object":
            return MISSING_VALUE
        value = member(value, name)
    return value


def member(value: Value, name: str) -> Value:
    """The field of an object; missing where the object is absent."""
    field = value.type.field(name)
    if field is None:
        return MISSING_VALUE
    inner = Value(value.expr.struct.field(name), field.type, field.absence)
    return inner.with_absence(
        inner.is_null() if value.absence == "never" else _present_null(value, inner),
        disjunction(value.is_absent(), inner.is_missing()),
    )


def _present_null(value: Value, inner: Value) -> bool | pl.Expr:
    return inner.absence == "null" and value.expr.is_not_null() & inner.expr.is_null()


def element(type_: DataType) -> Value:
    """The element that `list.eval` looks at."""
    return Value(pl.element(), type_, "null")


def each_element(lists: pl.Expr, each: pl.Expr, item: DataType) -> pl.Expr:
    """The arrays with `each` in place of every element, of that type.

    Out of Polars' sight: it takes the first of computed lists for a list of one computed first element.
    """
    type_ = DataType("array", item=item).to_polars()
    return lists.map_batches(lambda s: s.list.eval(each), return_dtype=type_, is_elementwise=True)


def _through(value: Value, path: Path) -> Value:
    item = value.type.item
    if item is None or item.kind != "object":
        if item is not None and item.kind == "mixed":
            decline("an array of mixed type")
        inner: Value = MISSING_VALUE
    else:
        inner = reach(element(item), path)
    type_ = DataType("array", item=inner.type)
    if inner.absence == "missing":
        each = inner.expr.drop_nulls() if inner.kind != "null" else pl.element().head(0).cast(pl.Null)
    elif inner.absence == "both":
        assert inner.missing is not None
        each = inner.expr.filter(~inner.missing)
    else:
        each = inner.expr
    made = each_element(value.expr, each, inner.type)
    return Value(made, type_).with_absence(False, value.is_absent())
