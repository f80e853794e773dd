"""`$lookup` by equality: the matching rows of another plan, as an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.objects import struct
from xrepo_nb.engines.sql.paths import column_of, follow
from xrepo_nb.engines.sql.relation import Relation, aliased, subquery
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.stages.shapes import put
from xrepo_nb.engines.sql.syntax import Sql, column
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.kinds import KEYS
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as q
from xrepo_nb.query.expressions import Path
from xrepo_nb.schema.types import DataType


def lookup(ctx: Context, stage: q.Lookup, sources: Sources) -> Relation:
    """`$lookup`: the other rows grouped by their key, joined to these."""
    if stage.local is None or stage.foreign is None or stage.let:
        decline("a $lookup by a pipeline")
    right = relation(ctx, stage.right, sources)
    if stage.pipeline is not None:
        if any(isinstance(n, q.Limit | q.Skip | q.Group | q.Sample) for n in stage.pipeline.walk()):
            decline("a $lookup whose pipeline depends on the rows of each match")
        right = relation(ctx, stage.pipeline, replace(sources, input=right))
    left = relation(ctx, stage.input, sources).derived(ctx)
    right = right.derived(ctx)
    mine, other = _key(ctx, left, stage.local), _key(ctx, right, stage.foreign)
    if mine.kind != other.kind or mine.kind not in KEYS:
        decline(f"a $lookup between keys of {mine.type} and {other.type}")
    found, item = _gathered(ctx, right, other)
    alias, side = ctx.table_name(), ctx.table_name()
    same = exp.NullSafeEQ(this=mine.sql, expression=column("#key", side))
    selected, columns, order = left.carried(alias)
    rows = exp.Coalesce(this=column("#rows", side), expressions=[exp.Array(expressions=[])])
    select = left.selecting(ctx, [*selected, aliased(rows, "#rows")])
    select = select.join(subquery(found, side), on=same, join_type="LEFT", copy=False)
    put(columns, stage.target, Value(column("#rows", alias), DataType("array", item=item), "never"))
    return Relation(subquery(select, alias), columns, order, explicit=bool(order))


def _key(ctx: Context, side: Relation, path: Path) -> Value:
    value = follow(ctx, column_of(ctx.over(side.columns), path[0]), path[1:])
    if value.kind == "array":
        decline("a $lookup by an array")
    return value


def _gathered(ctx: Context, right: Relation, key: Value) -> tuple[exp.Select, DataType]:
    """The rows of each key as one array; null and missing keys are one."""
    listed, item = rows_as_array(ctx, right)
    made = [aliased(key.sql, "#key"), aliased(listed, "#rows")]
    return right.selecting(ctx, made).group_by(key.sql, copy=False), item


def rows_as_array(ctx: Context, rows: Relation) -> tuple[Sql, DataType]:
    """The aggregate that gathers whole rows, in their order, and the type of its elements."""
    row = struct(list(rows.columns.items()))
    ordered: Sql = row.sql
    if rows.order:
        terms = [ctx.dialect.ordered(t.sql, t.descending) for t in rows.order]
        ordered = exp.Order(this=row.sql, expressions=terms)
    return exp.Anonymous(this="array_agg", expressions=[ordered]), row.type


RENDERERS: Mapping[str, Renderer] = {"Lookup": lookup}
