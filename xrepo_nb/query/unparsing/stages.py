"""Plans back into MongoDB's pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.query import plan as s
from xrepo_nb.query.expressions import DocumentExpr, Expr, Literal
from xrepo_nb.query.parsing.values import is_number
from xrepo_nb.query.unparsing.expressions import (
    dotted,
    unparse_accumulator,
    unparse_expression,
    unparse_let,
)
from xrepo_nb.query.unparsing.predicates import operators, unparse_predicate


def unparse(plan: s.Plan) -> list[dict[str, Any]]:
    """The pipeline that parses to the plan, over whatever it scans.

    Raises `XRepoUnsupportedError` for what MongoDB's language has no words for: relational joins,
    and lookups into more than a named collection.

    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> unparse(parse_pipeline([{"$sort": {"a": -1}}, {"$limit": 3}], s.Scan("t")))
    [{'$sort': {'a': -1}}, {'$limit': 3}]
    """
    leaf, stages = plan.chain()
    pipeline = [unparse_stage(stage) for stage in stages]
    if isinstance(leaf, s.Documents):
        return [{"$documents": unparse_expression(leaf.items)}, *pipeline]
    if not isinstance(leaf, (s.Scan, s.Input)):
        raise _unsupported(type(leaf).__name__)
    return pipeline


def unparse_stage(stage: s.Stage) -> dict[str, Any]:
    """One stage, without its input."""
    write = _STAGES.get(type(stage))
    if write is None:
        raise _unsupported(type(stage).__name__)
    name, value = write(stage)
    return {name: value}


def _unsupported(name: str) -> XRepoUnsupportedError:
    return XRepoUnsupportedError(f"MongoDB's pipelines have no words for {name}", asked=name)


Written = tuple[str, Any]


def _field_value(value: Expr) -> Any:
    """A computed field: a built document must not read as nested fields."""
    written = unparse_expression(value)
    return {"$mergeObjects": [written]} if isinstance(value, DocumentExpr) else written


def _projected(value: bool | Expr) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, Literal) and (isinstance(value.value, bool) or is_number(value.value)):
        return {"$literal": value.value}
    return _field_value(value)


def _project(stage: s.Project) -> Written:
    return "$project", {dotted(path): _projected(value) for path, value in stage.fields}


def unparse_projection(fields: Iterable[tuple[tuple[str, ...], bool | Expr]]) -> dict[str, Any]:
    """The find projection of a `Project`'s fields."""
    given: dict[str, Any] = {}
    for path, value in fields:
        if isinstance(value, s.SliceOf):
            count = value.count if value.skip is None else [value.skip, value.count]
            given[dotted(path)] = {"$slice": count}
        elif isinstance(value, s.FirstMatch):
            given.update(_first_match(value))
        else:
            given[dotted(path)] = _projected(value)
    return given


def _first_match(value: s.FirstMatch) -> dict[str, Any]:
    if value.positional:
        return {dotted(value.path) + ".$": True}
    found = operators(value.predicate) if value.on_values else unparse_predicate(value.predicate)
    return {dotted(value.path): {"$elemMatch": found}}


def _accumulators(outputs: tuple[s.Accumulator, ...]) -> dict[str, Any]:
    return {o.name: unparse_accumulator(o.op, o.args, o.options) for o in outputs}


def _group(stage: s.Group) -> Written:
    return "$group", {"_id": unparse_expression(stage.key), **_accumulators(stage.accumulators)}


def order_of(keys: tuple[s.SortKey, ...]) -> dict[str, int]:
    """Sort keys as a document."""
    return {dotted(key.path): -1 if key.descending else 1 for key in keys}


def _unwind(stage: s.Unwind) -> Written:
    given: dict[str, Any] = {"path": "$" + dotted(stage.path)}
    if stage.index_field is not None:
        given["includeArrayIndex"] = dotted(stage.index_field)
    if stage.preserve_empty:
        given["preserveNullAndEmptyArrays"] = True
    return "$unwind", given if len(given) > 1 else given["path"]


def _named(plan: s.Plan) -> str:
    if isinstance(plan, s.Scan):
        return plan.source
    raise _unsupported("a lookup into a pipeline")


def _lookup(stage: s.Lookup) -> Written:
    given: dict[str, Any] = {}
    steps = [] if stage.pipeline is None else unparse(stage.pipeline)
    if isinstance(stage.right, s.Documents):
        steps = [*unparse(stage.right), *steps]
    else:
        given["from"] = _named(stage.right)
    if stage.local is not None and stage.foreign is not None:
        given.update(localField=dotted(stage.local), foreignField=dotted(stage.foreign))
    if stage.let:
        given["let"] = unparse_let(stage.let)
    if stage.pipeline is not None:
        given["pipeline"] = steps
    return "$lookup", {**given, "as": dotted(stage.target)}


def _graph_lookup(stage: s.GraphLookup) -> Written:
    given: dict[str, Any] = {
        "from": _named(stage.right),
        "startWith": unparse_expression(stage.start),
        "connectFromField": dotted(stage.connect_from),
        "connectToField": dotted(stage.connect_to),
        "as": dotted(stage.target),
    }
    if stage.max_depth is not None:
        given["maxDepth"] = stage.max_depth
    if stage.depth_field is not None:
        given["depthField"] = dotted(stage.depth_field)
    if stage.restrict is not None:
        given["restrictSearchWithMatch"] = unparse_predicate(stage.restrict)
    return "$graphLookup", given


def _union(stage: s.UnionWith) -> Written:
    leaf, _ = stage.other.chain()
    steps = unparse(stage.other)
    named = {"coll": leaf.source} if isinstance(leaf, s.Scan) else {}
    return "$unionWith", {**named, "pipeline": steps} if steps else named


def _bucket(stage: s.Bucket) -> Written:
    given: dict[str, Any] = {
        "groupBy": unparse_expression(stage.by),
        "boundaries": [unparse_expression(Literal(item)) for item in stage.boundaries],
    }
    if stage.has_default:
        given["default"] = unparse_expression(Literal(stage.default))
    return "$bucket", {**given, "output": _accumulators(stage.outputs)}


def _bucket_auto(stage: s.BucketAuto) -> Written:
    given = {"groupBy": unparse_expression(stage.by), "buckets": stage.buckets}
    granularity = {} if stage.granularity is None else {"granularity": stage.granularity}
    return "$bucketAuto", {**given, "output": _accumulators(stage.outputs), **granularity}


def _window(window: s.Window) -> dict[str, Any]:
    unit = {} if window.unit is None else {"unit": window.unit}
    return {window.kind: [window.lower, window.upper], **unit}


def _windows(stage: s.SetWindowFields) -> Written:
    given: dict[str, Any] = {}
    if stage.partition_by is not None:
        given["partitionBy"] = unparse_expression(stage.partition_by)
    if stage.keys:
        given["sortBy"] = order_of(stage.keys)
    given["output"] = {
        dotted(o.path): unparse_accumulator(o.op, o.args, o.options)
        | ({} if o.window is None else {"window": _window(o.window)})
        for o in stage.outputs
    }
    return "$setWindowFields", given


def _densify(stage: s.Densify) -> Written:
    unit = {} if stage.unit is None else {"unit": stage.unit}
    bounds = stage.bounds if isinstance(stage.bounds, str) else list(stage.bounds)
    given: dict[str, Any] = {"field": dotted(stage.path)}
    if stage.partition_by:
        given["partitionByFields"] = [dotted(path) for path in stage.partition_by]
    return "$densify", {**given, "range": {"step": stage.step, **unit, "bounds": bounds}}


def _fill(stage: s.Fill) -> Written:
    given: dict[str, Any] = {}
    if stage.partition_by is not None:
        given.update(_fill_partition(stage.partition_by))
    if stage.keys:
        given["sortBy"] = order_of(stage.keys)
    given["output"] = {dotted(o.path): _fill_output(o) for o in stage.outputs}
    return "$fill", given


def _fill_partition(by: Expr) -> dict[str, Any]:
    """A partition by several fields is a document whose names may be dotted paths."""
    if isinstance(by, DocumentExpr) and any("." in name for name, _ in by.items):
        return {"partitionByFields": [name for name, _ in by.items]}
    return {"partitionBy": unparse_expression(by)}


def _fill_output(output: s.FillOutput) -> dict[str, Any]:
    if output.value is not None:
        return {"value": unparse_expression(output.value)}
    return {"method": output.method}


def _merge(stage: s.Merge) -> Written:
    given: dict[str, Any] = {"into": stage.target, "on": list(stage.on)}
    if stage.let:
        given["let"] = unparse_let(stage.let)
    matched = stage.when_matched
    given["whenMatched"] = unparse(matched) if isinstance(matched, s.Plan) else matched
    return "$merge", {**given, "whenNotMatched": stage.when_not_matched}


_STAGES: dict[type, Callable[[Any], Written]] = {
    s.Match: lambda stage: ("$match", unparse_predicate(stage.predicate)),
    s.Project: _project,
    s.AddFields: lambda stage: ("$addFields", {dotted(p): _field_value(v) for p, v in stage.fields}),
    s.Unset: lambda stage: ("$unset", [dotted(path) for path in stage.paths]),
    s.Group: _group,
    s.Sort: lambda stage: ("$sort", order_of(stage.keys)),
    s.Limit: lambda stage: ("$limit", stage.count),
    s.Skip: lambda stage: ("$skip", stage.count),
    s.Unwind: _unwind,
    s.Lookup: _lookup,
    s.GraphLookup: _graph_lookup,
    s.UnionWith: _union,
    s.Facet: lambda stage: ("$facet", {name: unparse(branch) for name, branch in stage.branches}),
    s.Bucket: _bucket,
    s.BucketAuto: _bucket_auto,
    s.ReplaceRoot: lambda stage: ("$replaceRoot", {"newRoot": unparse_expression(stage.root)}),
    s.Redact: lambda stage: ("$redact", unparse_expression(stage.expr)),
    s.Sample: lambda stage: ("$sample", {"size": stage.size}),
    s.SetWindowFields: _windows,
    s.Densify: _densify,
    s.Fill: _fill,
    s.Out: lambda stage: ("$out", stage.target),
    s.Merge: _merge,
}
