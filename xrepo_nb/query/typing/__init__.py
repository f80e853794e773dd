"""Typing: the schema that leaves a plan, known before a row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xrepo_nb.query.plan import AddFields, Limit, Match, Plan, Project, Sample, Scan, Skip, Sort, Unset
from xrepo_nb.query.typing.stages import Walk, rows_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field


def output_schema(plan: Plan, schemas: Mapping[str, Schema]) -> Schema:
    """The schema of a plan's rows: types, absence and lineage of every column.

    `schemas` are those of the scans; fields of a scan without one are unknown and `mixed`. No row is
    read: what only the data can tell (a conversion to a computed type, documents with computed
    keys) is `mixed` too. A typed column that may be both null and missing counts as `null`. A
    column's `lineage` names its source fields as `source.field`; a computed one tells its
    `expression` in `extra`. Keys and indexes stay where the rows are still the scan's own.

    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> from xrepo_nb.schema.types import DataType
    >>> sales = Schema((Field("city", DataType("string")), Field("price", DataType("int"), "never")))
    >>> plan = parse_pipeline([{"$group": {"_id": "$city", "total": {"$sum": "$price"}}}], Scan("sales"))
    >>> [(f.name, str(f.type), f.lineage) for f in output_schema(plan, {"sales": sales}).fields]
    [('_id', 'string', ('sales.city',)), ('total', 'int', ('sales.price',))]
    """
    rows = rows_of(plan, Walk(schemas, traced=True))
    fields = tuple(_settled(field) for field in rows.type.fields)
    return _keyed(Schema(fields), plan, schemas)


def _settled(field: Field) -> Field:
    if field.absence == "both" and field.type.kind != "mixed":
        return replace(field, absence="null")
    return field


def _keyed(schema: Schema, plan: Plan, schemas: Mapping[str, Schema]) -> Schema:
    """Carries keys and indexes over stages that leave each row what it was."""
    set_names: set[str] = set()
    node = plan
    while isinstance(node, _KEEPING):
        if isinstance(node, (Project, AddFields)):
            set_names |= {path[0] for path, value in node.fields if not isinstance(value, bool)}
        node = node.input
    source = schemas.get(node.source) if isinstance(node, Scan) else None
    if source is None:
        return schema
    whole = set(schema.names) - set_names
    return schema.replace(
        name=source.name,
        primary_key=source.primary_key if whole.issuperset(source.primary_key) else (),
        indexes=tuple(index for index in source.indexes if whole.issuperset(index.fields)),
    )


_KEEPING = (Match, Sort, Limit, Skip, Sample, Project, Unset, AddFields)

__all__ = ["Walk", "output_schema", "rows_of"]
