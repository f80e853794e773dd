"""Pipelines: MongoDB's lists of stages into plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.query.operators import STAGES, UPDATE_STAGES
from xrepo_nb.query.parsing import buckets, gaps, joins, stages, windows
from xrepo_nb.query.parsing.expressions import Scope
from xrepo_nb.query.parsing.limits import MAX_STAGES
from xrepo_nb.query.parsing.values import fail, kind, string, unknown
from xrepo_nb.query.plan import Input, Plan, Scan


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
        parse = _STAGES.get(op)
        if parse is None:
            unknown("stage", op, STAGES, here)
        if op in forbidden:
            fail(f"{op} may not stand here", here, asked=op)
        if op in ("$out", "$merge") and i < last:
            fail(f"{op} is the last stage of a pipeline", here, asked=op)
        if op == "$documents" and (i > 0 or not (leaf or isinstance(start, Scan))):
            fail("$documents is the first stage of a pipeline", here, asked=op)
        plan = parse(argument, plan, here, scope)
        if op != "$match" and isinstance(argument, (dict, Mapping)):
            scope = scope.knowing(*_underscored(argument))
    return plan


def _underscored(argument: Mapping[str, Any]) -> list[str]:
    """The names with a double underscore that a stage gives to fields."""
    named = [*argument, argument.get("as"), argument.get("includeArrayIndex")]
    output = argument.get("output")
    if output is not None and isinstance(output, (dict, Mapping)):
        named += output
    return [name for name in named if isinstance(name, str) and "__" in name]


def _stage(step: Any, at: str) -> tuple[str, Any]:
    if not isinstance(step, (dict, Mapping)):
        fail(f"a stage is a document, not {kind(step)}", at)
    if len(step) != 1:
        apart = 'write each as a stage of its own: [{"$match": ...}, {"$sort": ...}]' if step else None
        fail(f"a stage has exactly one field, this has {len(step)}", at, hint=apart)
    ((op, argument),) = step.items()
    return string(op, "the name of a stage", at), argument


def update_pipeline(steps: Sequence[Any], at: str, scope: Scope) -> Plan:
    """The plan over `Input` of an update by pipeline, of stages that change single documents; without
    any, they stay as they are."""
    for i, step in enumerate(steps):
        op, _ = _stage(step, f"{at}[{i}]")
        if op not in UPDATE_STAGES:
            fail(f"{op} may not stand in an update", f"{at}[{i}].{op}", asked=op, exists=UPDATE_STAGES)
    return pipeline(steps, Input(), at, scope)


_STAGES: dict[str, Callable[[Any, Plan, str, Scope], Plan]] = {
    "$match": stages.match,
    "$project": stages.project,
    "$addFields": stages.add_fields,
    "$set": stages.add_fields,
    "$unset": stages.unset,
    "$group": stages.group,
    "$sort": stages.sort,
    "$limit": stages.limit,
    "$skip": stages.skip,
    "$sample": stages.sample,
    "$unwind": stages.unwind,
    "$replaceRoot": stages.replace_root,
    "$replaceWith": stages.replace_with,
    "$redact": stages.redact,
    "$count": stages.count,
    "$sortByCount": stages.sort_by_count,
    "$documents": stages.documents,
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
