"""`$facet`: several pipelines over the same rows, each giving one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.relation import Relation, physical, subquery
from xrepo_nb.engines.sql.stages.lookups import rows_as_array
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.syntax import Sql, column, name
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.query import plan as q
from xrepo_nb.schema.types import DataType


def facet(ctx: Context, stage: q.Facet, sources: Sources) -> Relation:
    """`$facet`: one row of subqueries, each a branch gathered into an array."""
    base = relation(ctx, stage.input, sources).derived(ctx)
    names, alias = physical(branch for branch, _ in stage.branches), ctx.table_name()
    selected: list[Sql] = []
    columns: dict[str, Value] = {}
    for branch, plan in stage.branches:
        rows = relation(ctx, plan, replace(sources, input=base)).derived(ctx)
        listed, item = rows_as_array(ctx, rows)
        one = exp.Subquery(this=rows.selecting(ctx, [listed]))
        array = exp.Coalesce(this=one, expressions=[exp.Array(expressions=[])])
        selected.append(exp.Alias(this=array, alias=name(names[branch])))
        columns[branch] = Value(column(names[branch], alias), DataType("array", item=item), "never")
    return Relation(subquery(exp.select(*selected, copy=False), alias), columns)


RENDERERS: Mapping[str, Renderer] = {"Facet": facet}
