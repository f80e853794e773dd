"""Dotted paths into columns, objects and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import (
    Condition,
    Sql,
    as_sql,
    call,
    conjunction,
    disjunction,
    is_null,
    lambda_of,
    negation,
    number,
    text,
)
from xrepo_nb.engines.sql.values import MISSING_VALUE, Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.walk import is_position
from xrepo_nb.schema.types import DataType, Field


def column_of(ctx: Context, name: str) -> Value:
    """The column of that name; missing where there is none. Declines mixed ones."""
    value = ctx.columns.get(name, MISSING_VALUE)
    if not value.type.is_typed:
        decline(f"the mixed field {name!r}")
    return value


def member(value: Value, name: str) -> Value:
    """A field of an object; missing where the object is absent."""
    found = value.type.field(name)
    if found is None:
        return MISSING_VALUE
    return _member(value, found)


def members(value: Value) -> dict[str, Value]:
    """All fields of an object."""
    made = _parts(value.sql)
    return {field.name: _member(value, field, made) for field in value.type.fields}


def _member(value: Value, found: Field, made_of: Mapping[str, Sql] | None = None) -> Value:
    parts = _parts(value.sql) if made_of is None else made_of
    sql = parts.get(found.name)
    made = Value(
        _extracted(value, found) if sql is None else sql, found.type, found.absence, stored=value.stored
    )
    outer = value.is_absent()
    if outer is False:
        return made
    inner_missing = disjunction(outer, found.absence == "missing" and made.is_absent())
    return made.with_absence(found.absence == "null" and made.is_absent(), inner_missing)


def _extracted(value: Value, found: Field) -> Sql:
    return call("struct_extract", value.sql, text(found.name))


def _parts(sql: Sql) -> dict[str, Sql]:
    """What a document that is just being made holds: to take fields out of it would say the whole one
    again for each."""
    if not isinstance(sql, exp.Struct):
        return {}
    return {item.this.name: item.expression for item in sql.expressions}


def follow(ctx: Context, value: Value, path: Path) -> Value:
    """An expression's path within a value: through arrays it gives the array of what is there."""
    for i, name in enumerate(path):
        if value.kind == "null":
            return MISSING_VALUE
        if value.kind == "array":
            return _through_array(ctx, value, path[i:])
        if value.kind != "object":
            return MISSING_VALUE
        value = member(value, name)
    return value


def _through_array(ctx: Context, value: Value, path: Path) -> Value:
    parameter, item = element(ctx, value)
    inner = follow(ctx, item, path)
    if inner.is_never_there:
        decline("a path through an array to a field that is not there")
    missing = inner.is_missing()
    array = value.sql
    if missing is not False:
        kept = lambda_of(parameter, as_sql(negation(missing)))
        array = call("list_filter", array, kept)
    sql = call("list_transform", array, lambda_of(parameter, inner.sql))
    return Value(sql, DataType("array", item=inner.type), "never").with_absence(False, value.is_absent())


def element(ctx: Context, array: Value) -> tuple[str, Value]:
    """A lambda's parameter, and its value as an element of the array."""
    if not ctx.dialect.nested:
        decline(f"arrays in {ctx.dialect.name}")
    parameter = ctx.lambda_name()
    item = array.type.item or DataType("null")
    return parameter, Value(
        exp.Column(this=exp.Identifier(this=parameter)), item, "null", stored=array.stored
    )


def item_at(value: Value, position: int) -> Value:
    """The element at a position from 0, or from the end below 0: missing beyond the ends or without
    an array."""
    place = position + 1 if position >= 0 else position
    sql = call("list_extract", value.sql, number(place))
    least = position + 1 if position >= 0 else -position
    short = exp.LT(this=call("len", value.sql), expression=number(least))
    beyond = disjunction(value.is_absent(), short)
    null = conjunction(exp.GTE(this=call("len", value.sql), expression=number(least)), is_null(sql))
    return Value(sql, value.type.item or DataType("null")).with_absence(null, beyond)


def any_element(ctx: Context, array: Value, test: Callable[[Value], Condition]) -> Condition:
    """Whether some element of the array passes the test."""
    parameter, item = element(ctx, array)
    found = test(item)
    if found is False:
        return False
    kept = call("list_filter", array.sql, lambda_of(parameter, as_sql(found)))
    return exp.GT(this=call("len", kept), expression=number(0))


def any_at(ctx: Context, value: Value, path: Path, test: Callable[[Value], Condition]) -> Condition:
    """Whether the value that a predicate's path leads to passes the test; any one behind an array."""
    for i, name in enumerate(path):
        if value.kind == "array":
            inside = partial(any_at, ctx, path=path[i:], test=test)
            if not is_position(name):
                return any_element(ctx, value, inside)
            item = value.type.item
            if i + 1 == len(path) and item is not None and item.kind == "array":
                decline("an array within an array by its position in a filter")
            at = any_at(ctx, item_at(value, int(name)), path[i + 1 :], test)
            nested = item is not None and item.kind == "object" and item.field(name) is not None
            return disjunction(at, any_element(ctx, value, inside)) if nested else at
        if value.kind != "object":
            return test(MISSING_VALUE)
        value = member(value, name)
    return test(value)


def has_array(ctx: Context, path: Path) -> bool:
    """Whether the path passes through an array before its end."""
    value = column_of(ctx, path[0]) if path and path[0] else MISSING_VALUE
    for name in path[1:]:
        if value.kind == "array":
            return True
        found = value.type.field(name) if value.kind == "object" else None
        if found is None:
            return False
        value = replace(value, type=found.type)
    return False
