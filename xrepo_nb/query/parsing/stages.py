"""Pipelines: MongoDB's stages into plan nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.query.expressions import Literal, Path
from xrepo_nb.query.operators import STAGES, UPDATE_STAGES
from xrepo_nb.query.parsing.accumulators import accumulator
from xrepo_nb.query.parsing.expressions import REDACT_VARIABLES, Scope, expression
from xrepo_nb.query.parsing.filters import Reading, filter_document
from xrepo_nb.query.parsing.limits import MAX_STAGES
from xrepo_nb.query.parsing.projections import check_collisions, stage_projection
from xrepo_nb.query.parsing.sorts import sort_keys
from xrepo_nb.query.parsing.values import (
    array,
    document,
    fail,
    field_name,
    field_path,
    flag,
    kind,
    reference,
    string,
    unknown,
    whole,
)
from xrepo_nb.query.plan import (
    Accumulator,
    AddFields,
    Documents,
    Group,
    Input,
    Limit,
    Match,
    Plan,
    Project,
    Redact,
    ReplaceRoot,
    Sample,
    Skip,
    Sort,
    SortKey,
    Unset,
    Unwind,
)

Parse = Callable[[Any, Plan, str, Scope], Plan]


def pipeline(
    steps: Sequence[Any],
    start: Plan,
    at: str,
    scope: Scope,
    *,
    forbidden: Sequence[str] = (),
    leaf: bool = False,
) -> Plan:
    """The plan of the stages over `start`.

    `forbidden` names stages that may not stand here; with `leaf` the first must be
    `$documents`, which then takes the place of `start`.
    """
    if len(steps) > MAX_STAGES:
        raise XRepoLimitError(f"a pipeline of more than {MAX_STAGES} stages", at=at)
    plan = start
    last = len(steps) - 1
    for i, step in enumerate(steps):
        op, argument = _stage(step, f"{at}[{i}]")
        here = f"{at}[{i}].{op}"
        parse = _table().get(op)
        if parse is None:
            unknown("stage", op, STAGES, here)
        if op in forbidden:
            fail(f"{op} may not stand here", here, asked=op)
        if op in ("$out", "$merge") and i < last:
            fail(f"{op} is the last stage of a pipeline", here, asked=op)
        if op == "$documents" and (i > 0 or not (leaf or _starts(start))):
            fail("$documents is the first stage of a pipeline", here, asked=op)
        plan = parse(argument, plan, here, scope)
    return plan


def _starts(start: Plan) -> bool:
    from xrepo_nb.query.plan import Scan

    return isinstance(start, Scan)


def _stage(step: Any, at: str) -> tuple[str, Any]:
    if not isinstance(step, (dict, Mapping)):
        fail(f"a stage is a document, not {kind(step)}", at)
    if len(step) != 1:
        fail(f"a stage has exactly one field, this has {len(step)}", at)
    ((op, argument),) = step.items()
    return string(op, "the name of a stage", at), argument


def update_pipeline(steps: Sequence[Any], at: str, scope: Scope) -> Plan:
    """The plan over `Input` of an update by pipeline, of stages that change single documents."""
    if not steps:
        fail("an update pipeline has at least one stage", at)
    for i, step in enumerate(steps):
        op, _ = _stage(step, f"{at}[{i}]")
        if op not in UPDATE_STAGES:
            fail(f"{op} may not stand in an update", f"{at}[{i}].{op}", asked=op, exists=UPDATE_STAGES)
    return pipeline(steps, Input(), at, scope)


def _match(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    if type(given) is dict:
        return Match(source, filter_document(given, at, Reading(scope)), at=at)
    from xrepo_nb.query.parsing.entry import predicate_of

    built = predicate_of(given)
    if built is None:
        built = filter_document(document(given, "$match", at), at, Reading(scope))
    return Match(source, built, at=at)


def _project(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    return Project(source, *stage_projection(given, at, scope), at=at)


def _add_fields(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    named = document(given, at.rpartition(".")[2], at)
    if not named:
        fail("names at least one field", at)
    fields = tuple(_computed((), named, at, scope))
    check_collisions([path for path, _ in fields], at)
    return AddFields(source, fields, at=at)


def _computed(prefix: Path, named: Mapping[str, Any], at: str, scope: Scope) -> Any:
    for name, value in named.items():
        here = f"{at}.{name}"
        path = prefix + field_path(name, here)
        if isinstance(value, (dict, Mapping)) and value and not any(str(key)[:1] == "$" for key in value):
            yield from _computed(path, value, here, scope)
        elif isinstance(value, (dict, Mapping)) and not value and prefix:
            fail("an empty document is no expression here", here, hint="use {'$literal': {}}")
        else:
            yield path, expression(value, here, scope)


def _unset(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    names = [given] if isinstance(given, str) else array(given, "$unset", at)
    if not names:
        fail("$unset names at least one field", at)
    paths = tuple(field_path(name, f"{at}[{i}]") for i, name in enumerate(names))
    check_collisions(paths, at)
    return Unset(source, paths, at=at)


def _group(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    named = document(given, "$group", at)
    if "_id" not in named:
        fail("$group needs an _id", at, hint='group everything by {"_id": null}')
    outputs = tuple(
        accumulator(name, value, f"{at}.{name}", scope) for name, value in named.items() if name != "_id"
    )
    return Group(source, expression(named["_id"], f"{at}._id", scope), outputs, at=at)


def _sort(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    keys = sort_keys(document(given, "$sort", at), at)
    if not keys:
        fail("$sort needs at least one key", at)
    return Sort(source, keys, at=at)


def _limit(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    return Limit(source, whole(given, "$limit", at, least=1), at=at)


def _skip(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    return Skip(source, whole(given, "$skip", at, least=0), at=at)


def _sample(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    from xrepo_nb.query.parsing.joins import named_options

    named = named_options(given, "$sample", ("size",), ("size",), at)
    return Sample(source, whole(named["size"], "size", f"{at}.size", least=1, truncate=True), at=at)


def _unwind(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    from xrepo_nb.query.parsing.joins import named_options

    if isinstance(given, str):
        return Unwind(source, reference(given, "$unwind", at), at=at)
    known = ("path", "includeArrayIndex", "preserveNullAndEmptyArrays")
    named = named_options(given, "$unwind", known, ("path",), at)
    index = named.get("includeArrayIndex")
    keep = named.get("preserveNullAndEmptyArrays", False)
    return Unwind(
        source,
        reference(named["path"], "path", f"{at}.path"),
        None if index is None else field_path(index, f"{at}.includeArrayIndex"),
        flag(keep, "preserveNullAndEmptyArrays", at),
        at=at,
    )


def _replace_root(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    from xrepo_nb.query.parsing.joins import named_options

    named = named_options(given, "$replaceRoot", ("newRoot",), ("newRoot",), at)
    return _replace_with(named["newRoot"], source, f"{at}.newRoot", scope)


def _replace_with(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    root = expression(given, at, scope)
    if isinstance(root, Literal) and not isinstance(root.value, Mapping):
        fail(f"the new root is a document, not {kind(root.value)}", at)
    return ReplaceRoot(source, root, at=at)


def _redact(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    expr = expression(given, at, scope.binding(*REDACT_VARIABLES))
    if isinstance(expr, Literal):
        fail("$redact takes an expression that gives $$KEEP, $$PRUNE or $$DESCEND", at)
    return Redact(source, expr, at=at)


def _count(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    name = field_name(string(given, "$count", at), at)
    rows = Group(source, Literal(None), (Accumulator(name, "$sum", (Literal(1),), at=at),), at=at)
    return rows if name == "_id" else Project(rows, ((("_id",), False),), inclusive=False)


def _sort_by_count(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    is_reference = isinstance(given, str) and given.startswith("$")
    is_operator = (
        isinstance(given, (dict, Mapping)) and len(given) == 1 and str(next(iter(given))).startswith("$")
    )
    if not (is_reference or is_operator):
        fail("$sortByCount takes a field path with '$' before it, or an operator", at)
    count = Accumulator("count", "$sum", (Literal(1),), at=at)
    return Sort(
        Group(source, expression(given, at, scope), (count,), at=at), (SortKey(("count",), True),), at=at
    )


def _documents(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    items = expression(given, at, scope)
    if isinstance(items, Literal):
        for i, item in enumerate(array(items.value, "$documents", at)):
            document(item, "each of $documents", f"{at}[{i}]")
    return Documents(items)


_STAGES: dict[str, Parse] = {
    "$match": _match,
    "$project": _project,
    "$addFields": _add_fields,
    "$set": _add_fields,
    "$unset": _unset,
    "$group": _group,
    "$sort": _sort,
    "$limit": _limit,
    "$skip": _skip,
    "$sample": _sample,
    "$unwind": _unwind,
    "$replaceRoot": _replace_root,
    "$replaceWith": _replace_with,
    "$redact": _redact,
    "$count": _count,
    "$sortByCount": _sort_by_count,
    "$documents": _documents,
}


def _table() -> dict[str, Parse]:
    if "$lookup" not in _STAGES:
        from xrepo_nb.query.parsing import buckets, gaps, joins, windows

        _STAGES.update(
            {
                "$lookup": joins.lookup,
                "$graphLookup": joins.graph_lookup,
                "$unionWith": joins.union_with,
                "$facet": joins.facet,
                "$out": joins.out,
                "$merge": joins.merge,
                "$bucket": buckets.bucket,
                "$bucketAuto": buckets.bucket_auto,
                "$setWindowFields": windows.set_window_fields,
                "$densify": gaps.densify,
                "$fill": gaps.fill,
            }
        )
    return _STAGES
