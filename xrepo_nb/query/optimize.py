"""Optimisation: the same rows by a cheaper plan."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from xrepo_nb.query import plan as s
from xrepo_nb.query.expressions import Expr, FieldRef
from xrepo_nb.query.rules import columns
from xrepo_nb.query.rules.constants import folded
from xrepo_nb.query.rules.joins import Schemas
from xrepo_nb.query.rules.limits import merge_skip, merge_sort, push_limit
from xrepo_nb.query.rules.matches import push_match
from xrepo_nb.query.walk import LONGEST, over


def optimize(
    plan: s.Plan, schemas: Schemas | None = None, *, narrow: Collection[str] | None = None
) -> s.Plan:
    """A plan with the same rows in the same order, and the same errors on the rows that stay.

    Filters and limits move towards the scans, constants are folded, stages without effect go,
    and scans are narrowed to the columns read where not all are needed. No condition that can
    fail is moved past one that drops rows. `schemas` are those of the scans, as far as known;
    `narrow` names the scans worth narrowing, by default all: not those whose documents are at
    hand, where leaving out a field costs more than keeping it. Reads no rows; costs
    microseconds a stage.

    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> before = parse_pipeline([{"$sort": {"a": 1}}, {"$match": {"b": 2}}], s.Scan("t"))
    >>> after = parse_pipeline([{"$match": {"b": 2}}, {"$sort": {"a": 1}}], s.Scan("t"))
    >>> optimize(before) == after
    True
    """
    if len(plan.chain()[1]) > LONGEST:
        return plan
    known = schemas or {}
    better = _improved(plan, known)
    read = known if narrow is None else {name: known[name] for name in narrow if name in known}
    return columns.prune(better, read) if read else better


def _improved(plan: s.Plan, schemas: Schemas) -> s.Plan:
    """The plan improved from its leaves upwards."""
    descend = _DESCENT.get(type(plan))
    if descend is not None:
        plan = descend(plan, schemas)
    elif isinstance(plan, s.Stage):
        plan = over(plan, _improved(plan.input, schemas))
    rule = _RULES.get(type(plan))
    return plan if rule is None else rule(plan, schemas)


def _sides(*names: str) -> Callable[[Any, Schemas], s.Plan]:
    def descend(plan: Any, schemas: Schemas) -> s.Plan:
        new = {name: _improved(old, schemas) for name in names if (old := getattr(plan, name)) is not None}
        if any(getattr(plan, name) is not better for name, better in new.items()):
            plan = replace(plan, **new)
        changed: s.Plan = plan
        return changed

    return descend


def _branches(plan: s.Facet, schemas: Schemas) -> s.Plan:
    branches = tuple((name, _improved(branch, schemas)) for name, branch in plan.branches)
    return replace(plan, input=_improved(plan.input, schemas), branches=branches)


_DESCENT: dict[type, Callable[[Any, Schemas], s.Plan]] = {
    s.Lookup: _sides("input", "right", "pipeline"),
    s.GraphLookup: _sides("input", "right"),
    s.UnionWith: _sides("input", "other"),
    s.Join: _sides("left", "right"),
    s.Facet: _branches,
}


def _fields(plan: Any, schemas: Schemas) -> s.Plan:
    """Constants folded in computed fields; a stage that sets fields to themselves, or none, goes."""
    fields = tuple(
        [(path, folded(value) if isinstance(value, Expr) else value) for path, value in plan.fields]
    )
    if isinstance(plan, s.AddFields):
        fields = tuple(item for item in fields if not _is_itself(*item))
    if not fields and not (isinstance(plan, s.Project) and plan.inclusive):
        below: s.Plan = plan.input
        return below
    same = len(fields) == len(plan.fields) and all(
        a is b for (_, a), (_, b) in zip(fields, plan.fields, strict=True)
    )
    changed: s.Plan = plan if same else replace(plan, fields=fields)
    return changed


def _is_itself(path: tuple[str, ...], value: bool | Expr) -> bool:
    return len(path) == 1 and isinstance(value, FieldRef) and value.path == path


_RULES: dict[type, Callable[[Any, Schemas], s.Plan]] = {
    s.Match: push_match,
    s.Project: _fields,
    s.AddFields: _fields,
    s.Limit: lambda plan, _: push_limit(plan),
    s.Skip: lambda plan, _: merge_skip(plan),
    s.Sort: lambda plan, _: merge_sort(plan),
}
