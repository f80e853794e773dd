"""The way from a plan to one SQL statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.engines.document.meter import metered
from xrepo_nb.engines.sql.context import Context, Names
from xrepo_nb.engines.sql.dialects import dialect as dialect_of
from xrepo_nb.engines.sql.relation import Relation, table
from xrepo_nb.engines.sql.stages.render import Source, Sources, relation
from xrepo_nb.engines.sql.syntax import Sql
from xrepo_nb.engines.typed.reasons import Unsupported, decline
from xrepo_nb.query.plan import Plan
from xrepo_nb.schema.nesting import MAX_FIELDS
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field


@dataclass(frozen=True, slots=True)
class Rendered:
    """A statement, its bound values as the driver takes them, and the schema of its rows.

    The statement's columns stand in the order of the schema's fields; go by position. The columns
    in `constants` hold that one value, which has no SQL form, in every row: put it there.
    """

    sql: str
    params: Any
    schema: Schema
    constants: Mapping[str, Any] = field(default_factory=dict)


def render(
    plan: Plan,
    dialect: str,
    schemas: Mapping[str, Schema],
    *,
    tables: Mapping[str, str | Sql] | None = None,
    order: Mapping[str, str] | None = None,
    variables: Mapping[str, Any] | None = None,
    shifted: bool = False,
) -> Rendered:
    """The statement that gives the plan's rows, exactly as the document engine would.

    `schemas` describe the scans, `tables` their tables where those are named otherwise or are
    queries, `order` a column of each that numbers its rows, where ties and "first" are to
    follow it. Values are bound; fields are quoted identifiers. `shifted` deviations gather the rows of
    their groups, and lose no digits of numbers close together. No I/O, about 0.3 ms.

    Raises `XRepoUnsupportedError` where `supports` tells the reason.

    >>> from xrepo_nb.query.plan import Limit, Scan
    >>> schema = Schema.of({"fields": {"age": {"type": "int"}}})
    >>> render(Limit(Scan("people"), 3), "sqlite", {"people": schema}).sql
    'SELECT "people"."age" FROM "people" LIMIT 3'
    """
    try:
        return _render(plan, dialect, schemas, tables or {}, order or {}, variables or {}, shifted)
    except Unsupported as unsupported:
        raise XRepoUnsupportedError(
            f"{dialect} cannot run this plan: {unsupported.reason}", asked=unsupported.reason
        ) from None
    except RecursionError:
        raise XRepoUnsupportedError(f"{dialect} cannot run this plan: {_TOO_DEEP}", asked=_TOO_DEEP) from None


_TOO_DEEP = "the plan is nested too deeply"


def supports(
    plan: Plan,
    dialect: str,
    schemas: Mapping[str, Schema],
    *,
    variables: Mapping[str, Any] | None = None,
) -> str | None:
    """None when the dialect can say the plan exactly, else the reason why not."""
    try:
        _render(plan, dialect, schemas, {}, {}, variables or {})
    except Unsupported as unsupported:
        return unsupported.reason
    except RecursionError:
        return _TOO_DEEP
    return None


def _render(
    plan: Plan,
    dialect: str,
    schemas: Mapping[str, Schema],
    tables: Mapping[str, str | Sql],
    order: Mapping[str, str],
    variables: Mapping[str, Any],
    shifted: bool = False,
) -> Rendered:
    spoken = dialect_of(dialect)
    ctx = Context(spoken, Names(), shifted=shifted)
    ctx = ctx.with_variables({name: ctx.literal(value) for name, value in variables.items()})
    sources = {
        name: Source(schema, _table(tables.get(name, name)), order.get(name))
        for name, schema in schemas.items()
    }
    with metered():
        found = relation(ctx, plan, Sources(sources))
    schema = _schema(ctx, found)
    text, params = spoken.generate(found.statement(ctx), ctx.names.values)
    constants = {f.name: found.columns[f.name].literal for f in schema.fields if f.type.kind == "mixed"}
    return Rendered(text, params, schema, constants if spoken.nested else {})


def _table(given: str | Sql) -> Sql:
    return table(given) if isinstance(given, str) else given


def _schema(ctx: Context, found: Relation) -> Schema:
    if not found.columns:
        decline("a result without fields")
    if len(found.columns) > MAX_FIELDS:
        decline(f"a result of more than {MAX_FIELDS:,} fields")
    fields = []
    for name, value in found.columns.items():
        if not value.type.is_typed and ctx.dialect.nested and not value.is_constant:
            decline(f"the mixed field {name!r}")
        absence = value.settled(f"the field {name!r}").absence
        fields.append(Field(name, value.type, absence, extra=value.extra))
    return Schema(tuple(fields))
