"""Aggregated views: from the specification's dict form to a plan and its schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.query.operators import ACCUMULATORS
from xrepo_nb.repos.joining import Shape, join_shape, union_shape
from xrepo_nb.schema.schema import Schema

_OPTIONS = ("group_by", "aggregations", "filters", "join_config")


def aggregated(config: Mapping[str, Any], name: str = "") -> Callable[[Mapping[str, Schema]], Shape]:
    """What makes the aggregation of given sources.

    `group_by`: a field or a list of them. `aggregations`: name to `{"op": "sum", "field": "x"}`
    (also `"function"` or `"type"` for the operation), `{"sum": "x"}`, `{"$sum": "$x"}` or
    `"count"`. `filters` narrow the rows first. Several sources are joined by `join_config`, and
    without one they form a union.
    """
    unknown = next((key for key in config if key not in _OPTIONS), None)
    if unknown is not None:
        raise XRepoConfigurationError(
            f"an aggregation has no option {unknown!r}", asked=unknown, exists=_OPTIONS
        )
    given = config.get("group_by", [])
    keys = (given,) if isinstance(given, str) else tuple(given)
    outputs = {out: accumulator(spec, out) for out, spec in config.get("aggregations", {}).items()}
    if not keys and not outputs:
        raise XRepoConfigurationError("an aggregation needs group_by or aggregations", exists=_OPTIONS)
    stages = _stages(keys, outputs, config.get("filters"))

    def define(schemas: Mapping[str, Schema]) -> Shape:
        return _shape(schemas, config, stages, name)

    return define


def _stages(keys: tuple[str, ...], outputs: Mapping[str, Any], filters: Any) -> list[dict[str, Any]]:
    flat = {key.replace(".", "_"): f"${key}" for key in keys}
    stages: list[dict[str, Any]] = [] if filters is None else [{"$match": filters}]
    stages.append({"$group": {"_id": flat or None, **outputs}})
    shown = {key: f"$_id.{key}" for key in flat} | {out: f"${out}" for out in outputs}
    stages.append({"$project": {"_id": 0, **shown}})
    if flat:
        stages.append({"$sort": dict.fromkeys(flat, 1)})
    return stages


def _shape(schemas: Mapping[str, Schema], config: Mapping[str, Any], stages: Any, name: str) -> Shape:
    from xrepo_nb.query.check import check_fields
    from xrepo_nb.query.naming import names_with_dots, with_names
    from xrepo_nb.query.parsing import parse_pipeline
    from xrepo_nb.query.typing import output_schema

    if config.get("join_config"):
        base = join_shape(schemas, config["join_config"], name)
    else:
        base = union_shape(schemas, name)
    plan = with_names(
        parse_pipeline(stages, base.plan, at="aggregation_config"), names_with_dots(base.schema)
    )
    check_fields(plan, schemas)
    found = output_schema(plan, schemas)
    specs = config.get("aggregations", {})
    fields = []
    for field in found.fields:
        extra = (("aggregation", specs[field.name]),) if field.name in specs else ()
        fields.append(replace(field, extra=(*field.extra, *extra)))
    notes = (
        ("view_type", "aggregated"),
        ("source_schemas", dict(schemas)),
        ("aggregation_config", dict(config)),
    )
    schema = Schema(tuple(fields), name=name, extra=notes)
    return Shape(plan, schema, {})


_SYNONYMS = {
    "mean": "avg", "average": "avg", "minimum": "min", "maximum": "max", "total": "sum", "std": "stdDevSamp",
    "stddev": "stdDevSamp", "unique": "addToSet", "list": "push", "collect": "push",
}  # fmt: skip


def accumulator(given: Any, name: str) -> dict[str, Any]:
    """One output of a group as MongoDB writes it.

    >>> accumulator({"op": "mean", "field": "delay"}, "delay")
    {'$avg': '$delay'}
    """
    if given in ("count", {"op": "count"}):
        return {"$sum": 1}
    op, field = _operation({given: name} if isinstance(given, str) else given, name)
    if op.startswith("$"):
        return {op: field}
    if op == "count":
        every = field in (None, "*", name)
        return {"$sum": 1 if every else {"$cond": [{"$gt": [f"${field}", None]}, 1, 0]}}
    operator = "$" + _SYNONYMS.get(op, op)
    if operator not in ACCUMULATORS:
        raise XRepoConfigurationError(
            f"unknown operation {op!r} in aggregation {name!r}",
            asked=op,
            exists=[known.removeprefix("$") for known in ACCUMULATORS],
        )
    if not isinstance(field, str):
        raise XRepoConfigurationError(f"aggregation {name!r} needs a field", asked=name)
    return {operator: f"${field.removeprefix('$')}"}


def _operation(given: Any, name: str) -> tuple[str, Any]:
    """The operation that an output names, and the field it is of."""
    if not isinstance(given, Mapping) or not given:
        raise XRepoConfigurationError(
            f"aggregation {name!r} is no operation", hint='{"op": "sum", "field": "x"}'
        )
    op = next((given[key] for key in ("op", "function", "type", "operation") if key in given), None)
    if op is not None:
        return str(op), given.get("field")
    if len(given) != 1:
        raise XRepoConfigurationError(
            f"aggregation {name!r} names no single operation", asked=", ".join(given), hint='{"sum": "x"}'
        )
    op, field = next(iter(given.items()))
    return str(op), field
