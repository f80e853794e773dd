"""From the configuration of a view to its plan over its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from xrepo_nb.query.expressions import FieldRef
from xrepo_nb.query.plan import Join, Plan, Project, Scan, UnionWith
from xrepo_nb.schema.join_config import JoinConfig, join_steps
from xrepo_nb.schema.merge import join_schema, short_names, view_names
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field
from xrepo_nb.schema.unite import united_field


@dataclass(frozen=True, slots=True)
class Shape:
    """A view's plan over its sources, its schema, and what it calls each source's fields."""

    plan: Plan
    schema: Schema
    names: Mapping[str, Mapping[str, str]]


def join_shape(
    schemas: Mapping[str, Schema], config: Mapping[str, Any] | JoinConfig, name: str = ""
) -> Shape:
    """The join of the sources, in their order."""
    steps = join_steps(schemas, config)
    schema = join_schema(schemas, steps, name)
    names, short = view_names(schemas, steps), short_names(schemas)
    first, *others = (_named(source, names[short[source]]) for source in schemas)
    plan = first
    for part, step in zip(others, steps.values(), strict=True):
        plan = Join(plan, part, tuple((left, left) for left, _ in step.on), step.how, step.validate)
    return Shape(plan, schema, names)


def _named(source: str, names: Mapping[str, str]) -> Plan:
    chosen: list[tuple[tuple[str, ...], Any]] = [
        ((new,), True if new == old else FieldRef((old,))) for old, new in names.items()
    ]
    if "_id" not in names.values():
        chosen.append((("_id",), False))
    return Project(Scan(source), tuple(chosen), inclusive=True)


def union_shape(schemas: Mapping[str, Schema], name: str = "") -> Shape:
    """The rows of all sources one after another, fields by their own names."""
    fields: dict[str, Field] = {}
    for source, schema in schemas.items():
        for field in schema.fields:
            line = (f"{source}.{field.name}",)
            there = fields.get(field.name)
            if there is None:
                fields[field.name] = replace(field, lineage=line)
                continue
            both = united_field(there, field)
            kind = both.type if both is not None else DataType("mixed")
            fields[field.name] = replace(there, type=kind, lineage=there.lineage + line)
    parts: list[Plan] = [Scan(source) for source in schemas]
    plan = reduce(UnionWith, parts)
    extra = (("view_type", "union"), ("source_schemas", dict(schemas)))
    return Shape(plan, Schema(tuple(fields.values()), name=name, extra=extra), {})
