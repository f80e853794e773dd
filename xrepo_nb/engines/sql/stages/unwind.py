"""`$unwind`: one row an element of an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.paths import column_of, follow
from xrepo_nb.engines.sql.relation import Relation, Term, aliased, subquery
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.stages.shapes import put
from xrepo_nb.engines.sql.syntax import (
    NULL,
    Condition,
    Sql,
    binary,
    call,
    choose,
    column,
    conjunction,
    disjunction,
    is_null,
    negation,
    number,
)
from xrepo_nb.engines.sql.values import INT, Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as q
from xrepo_nb.query.expressions import Path
from xrepo_nb.schema.types import DataType


def unwind(ctx: Context, stage: q.Unwind, sources: Sources) -> Relation:
    """`$unwind`: the rows once for each position of the array."""
    base = relation(ctx, stage.input, sources).derived(ctx)
    value = _at(ctx, base.columns, stage.path)
    if value.kind == "null" and not stage.preserve_empty:
        return replace(base, where=False)
    if value.kind != "array":
        decline(f"$unwind of {an(value.kind)}")
    length = _length(value)
    exploded, place = _numbered(
        ctx, base, call("greatest", length, number(1)) if stage.preserve_empty else length
    )
    columns = dict(exploded.columns)
    array = _at(ctx, columns, stage.path)
    empty: Condition = stage.preserve_empty and exp.EQ(this=_length(array), expression=number(0))
    put(columns, stage.path, _element(array, place, empty))
    if stage.index_field is not None:
        index = Value(choose(empty, NULL, place), INT, "null" if stage.preserve_empty else "never")
        put(columns, stage.index_field, index)
    return replace(exploded, columns=columns)


def _at(ctx: Context, columns: Mapping[str, Value], path: Path) -> Value:
    return follow(ctx, column_of(ctx.over(columns), path[0]), path[1:])


def _length(array: Value) -> Sql:
    return exp.Coalesce(this=call("len", array.sql), expressions=[number(0)])


def _numbered(ctx: Context, base: Relation, length: Sql) -> tuple[Relation, Sql]:
    """Each row once for each number from 0 below `length`, and the column with that number."""
    alias = ctx.table_name()
    selected, columns, order = base.carried(alias)
    selected.append(aliased(call("unnest", call("range", number(0), length)), "#place"))
    place = column("#place", alias)
    source = subquery(base.selecting(ctx, selected), alias)
    return Relation(source, columns, (*order, Term(place)) if order else (), base.explicit), place


def _element(array: Value, place: Sql, empty: Condition) -> Value:
    """The element at the place; of an array without any, missing, or null where the array is."""
    sql = call("list_extract", array.sql, binary(exp.Add, place, number(1)))
    item = Value(sql, array.type.item or DataType("null"), "null")
    if empty is False:
        return item
    null = disjunction(conjunction(negation(empty), is_null(sql)), array.is_null())
    return item.with_absence(null, conjunction(empty, negation(array.is_null())))


RENDERERS: Mapping[str, Renderer] = {"Unwind": unwind}
