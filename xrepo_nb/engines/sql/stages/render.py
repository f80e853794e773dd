"""Plan stages as relations: the way down a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from xrepo_nb.engines.sql.context import MARK, Context
from xrepo_nb.engines.sql.relation import Relation, Term, physical
from xrepo_nb.engines.sql.syntax import Sql, column
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import Input, Plan, Scan
from xrepo_nb.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class Source:
    """The table behind a scan; `order` names a column that numbers its rows."""

    schema: Schema
    table: Sql
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What the leaves of a plan stand for: scans by name, and the rows of a sub-pipeline."""

    scans: Mapping[str, Source]
    input: Relation | None = None


def relation(ctx: Context, plan: Plan, sources: Sources) -> Relation:
    """The relation of a plan; declines a stage without SQL form."""
    if isinstance(plan, Input):
        if sources.input is None:
            decline("a sub-pipeline on its own")
        return sources.input
    name = type(plan).__name__
    render = _renderers().get(name)
    if render is None or name not in ctx.dialect.stages:
        decline(f"the stage {name} in {ctx.dialect.name}")
    return render(ctx, plan, sources)


def scan(ctx: Context, plan: Scan, sources: Sources) -> Relation:
    """The table itself."""
    source = sources.scans.get(plan.source)
    if source is None:
        decline(f"the unknown source {plan.source!r}")
    if MARK in plan.source:
        decline("a source name with a NUL character")
    names = physical(f.name for f in source.schema.fields)
    table, alias = _named(ctx, source.table)
    columns = {}
    for field in source.schema.fields:
        physical_name = field.name if isinstance(source.table, exp.Table) else names[field.name]
        sql: Sql = column(physical_name, alias)
        if not field.type.is_typed and ctx.dialect.nested:
            sql = exp.Null()  # such columns are not handed over; touching one is declined
        columns[field.name] = Value(sql, field.type, field.absence, extra=field.extra, stored=True)
    order = (Term(column(source.order, alias)),) if source.order else ()
    return Relation(table, columns, order)


def _named(ctx: Context, table: Sql) -> tuple[Sql, str]:
    """The table under a name by which its columns can be told: its own, unless that is taken."""
    if isinstance(table, exp.Table) and ctx.names.tables == 0:
        ctx.names.tables += 1
        return table, table.name
    alias = ctx.table_name()
    made = exp.TableAlias(this=exp.Identifier(this=alias, quoted=True))
    if isinstance(table, exp.Table):
        return exp.Table(this=table.this, db=table.args.get("db"), alias=made), alias
    return exp.Subquery(this=table, alias=made), alias


Renderer = Callable[[Context, Any, Sources], Relation]


def _renderers() -> Mapping[str, Renderer]:
    from xrepo_nb.engines.sql.stages.table import RENDERERS

    return RENDERERS
