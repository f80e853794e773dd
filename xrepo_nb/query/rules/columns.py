"""Columns that nobody reads are left out at the scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xrepo_nb.query import plan as s
from xrepo_nb.query.expressions import Expr, FieldRef, Literal, Path
from xrepo_nb.query.walk import WHOLE, over, paths_in, paths_of
from xrepo_nb.schema.schema import Schema

Need = frozenset[str] | None
"""The top-level fields of its input that a stage reads or hands on; None for all."""

NONE: frozenset[str] = frozenset()


def prune(plan: s.Plan, schemas: Mapping[str, Schema]) -> s.Plan:
    """The plan with a projection over each scan of which not all columns are needed."""
    return _Pruning(schemas).below(plan, None)


class _Pruning:
    """One pass from the top: what is needed above decides what is needed below."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas
        self.input_needs: list[Need] = []

    def below(self, plan: s.Plan, need: Need) -> s.Plan:
        """The plan, pruned to what is needed of its rows."""
        plan = narrowed(plan, need)
        if isinstance(plan, s.Scan):
            return self._scan(plan, need)
        if isinstance(plan, s.Input):
            self.input_needs.append(need)
            return plan
        if isinstance(plan, s.Join):
            return self._join(plan, need)
        if not isinstance(plan, s.Stage):
            return plan
        change = _OTHERS.get(type(plan))
        if change is not None:
            plan, needed = change(self, plan, need)
        else:
            reads = _READS.get(type(plan))
            needed = None if reads is None else reads(plan, need)
        if isinstance(plan.input, s.Scan) and isinstance(plan, s.Project) and _is_selection(plan):
            return plan
        return over(plan, self.below(plan.input, needed))

    def _scan(self, scan: s.Scan, need: Need) -> s.Plan:
        schema = self.schemas.get(scan.source)
        if need is None or schema is None or not schema.fields:
            return scan
        kept = [f.name for f in schema.fields if f.name in need] or [_cheapest(schema)]
        if len(kept) == len(schema.fields):
            return scan
        fields: tuple[tuple[Path, bool], ...] = tuple(((name,), True) for name in kept)
        hidden = ((("_id",), False),) if "_id" not in kept and "_id" in schema.names else ()
        return s.Project(scan, (*fields, *hidden), inclusive=True)

    def _join(self, join: s.Join, need: Need) -> s.Plan:
        left = None if need is None else need | {a for a, _ in join.on}
        right = None if need is None else need | {b for _, b in join.on}
        new_left, new_right = self.below(join.left, left), self.below(join.right, right)
        if new_left is join.left and new_right is join.right:
            return join
        return replace(join, left=new_left, right=new_right)

    def inside(self, plan: s.Plan) -> tuple[s.Plan, Need]:
        """A sub-pipeline of which all is needed, and what it needs of its `Input`."""
        outer, self.input_needs = self.input_needs, []
        pruned = self.below(plan, None)
        needs, self.input_needs = self.input_needs, outer
        if not needs or None in needs:
            return pruned, None if needs else NONE
        return pruned, frozenset().union(*(need for need in needs if need is not None))


def narrowed(plan: s.Plan, need: Need) -> s.Plan:
    """A stage without the fields that nobody needs, where leaving them out hides no error."""
    if need is None or not isinstance(plan, (s.Project, s.AddFields)):
        return plan
    if isinstance(plan, s.Project) and not plan.inclusive:
        return plan
    kept = tuple(
        (path, value)
        for path, value in plan.fields
        if path[0] in need or value is False or not (value is True or isinstance(value, (FieldRef, Literal)))
    )
    if len(kept) == len(plan.fields):
        return plan
    if isinstance(plan, s.AddFields):
        computed = tuple((path, value) for path, value in kept if isinstance(value, Expr))
        return replace(plan, fields=computed) if computed else plan.input
    if any(value is not False for _, value in kept):
        return replace(plan, fields=kept)
    return replace(plan, fields=(plan.fields[0], *kept) if plan.fields[0][1] is not False else plan.fields)


def _cheapest(schema: Schema) -> str:
    """Rows are counted by some column; a plain one that every row has is best."""
    plain = [f for f in schema.fields if f.type.kind not in ("object", "array", "mixed", "string")]
    return (plain or list(schema.fields))[0].name


def _is_selection(project: s.Project) -> bool:
    return project.inclusive and all(isinstance(v, bool) and len(path) == 1 for path, v in project.fields)


def _tops(paths: Iterable[Path]) -> Need:
    found = set()
    for path in paths:
        if path == WHOLE:
            return None
        found.add(path[0])
    return frozenset(found)


def _plus(*needs: Need) -> Need:
    found: set[str] = set()
    for need in needs:
        if need is None:
            return None
        found |= need
    return frozenset(found)


def _of(*expressions: Expr | None) -> Need:
    return _tops(paths_in(*expressions))


def _outcomes(outcomes: Sequence[s.Outcome]) -> Need:
    read = [item for o in outcomes for item in (*o.args, *[value for _, value in o.options])]
    return _plus(_of(*read), *[_ordered(o) for o in outcomes if o.options])


def _ordered(outcome: s.Outcome) -> Need:
    """The fields of a `sortBy` inside an accumulator."""
    value = outcome.constant("sortBy")
    return frozenset(str(name).split(".")[0] for name in value) if isinstance(value, Mapping) else NONE


def _match(stage: s.Match, need: Need) -> Need:
    return _plus(need, _tops(paths_of(stage.predicate)))


def _project(stage: s.Project, need: Need) -> Need:
    read = _of(*(value for _, value in stage.fields if isinstance(value, Expr)))
    named = frozenset(path[0] for path, value in stage.fields if value is True or len(path) > 1)
    if not stage.inclusive:
        return _plus(need, read, named)
    hidden = (("_id",), False) in stage.fields
    return _plus(read, named, NONE if hidden else frozenset({"_id"}))


def _without(need: Need, fields: Iterable[Path]) -> Need:
    """What is needed of the input besides fields that the stage sets anew."""
    return None if need is None else need - {path[0] for path in fields if len(path) == 1}


def _add_fields(stage: s.AddFields, need: Need) -> Need:
    nested = frozenset(path[0] for path, _ in stage.fields if len(path) > 1)
    return _plus(
        _without(need, (path for path, _ in stage.fields)), nested, _of(*(value for _, value in stage.fields))
    )


def _group(stage: s.Group, need: Need) -> Need:
    return _plus(_of(stage.key), _outcomes(stage.accumulators))


def _bucket(stage: s.Bucket | s.BucketAuto, need: Need) -> Need:
    return _plus(_of(stage.by), _outcomes(stage.outputs))


def _keys(keys: Iterable[s.SortKey]) -> Need:
    return _tops(key.path for key in keys)


def _windows(stage: s.SetWindowFields, need: Need) -> Need:
    nested = frozenset(o.path[0] for o in stage.outputs if len(o.path) > 1)
    rest = _without(need, (o.path for o in stage.outputs))
    return _plus(rest, nested, _of(stage.partition_by), _keys(stage.keys), _outcomes(stage.outputs))


def _fill(stage: s.Fill, need: Need) -> Need:
    filled = _plus(_tops(o.path for o in stage.outputs), _of(*(o.value for o in stage.outputs)))
    return _plus(need, filled, _of(stage.partition_by), _keys(stage.keys))


def _unwind(stage: s.Unwind, need: Need) -> Need:
    index = NONE if stage.index_field is None else frozenset({stage.index_field[0]})
    return _plus(need, frozenset({stage.path[0]}), index)


_READS: dict[type, Callable[[Any, Need], Need]] = {
    s.Match: _match,
    s.Project: _project,
    s.AddFields: _add_fields,
    s.Unset: lambda stage, need: _plus(need, frozenset(path[0] for path in stage.paths if len(path) > 1)),
    s.Group: _group,
    s.Bucket: _bucket,
    s.BucketAuto: _bucket,
    s.Sort: lambda stage, need: need if stage.is_natural else _plus(need, _keys(stage.keys)),
    **dict.fromkeys((s.Limit, s.Skip, s.Sample), lambda stage, need: need),
    s.Unwind: _unwind,
    s.ReplaceRoot: lambda stage, need: _of(stage.root),
    s.SetWindowFields: _windows,
    s.Densify: lambda stage, need: _plus(need, _tops([stage.path, *stage.partition_by])),
    s.Fill: _fill,
}


def _lookup(pruning: _Pruning, stage: s.Lookup, need: Need) -> tuple[s.Stage, Need]:
    foreign = NONE if stage.foreign is None else frozenset({stage.foreign[0]})
    pipeline, wanted = (None, None) if stage.pipeline is None else pruning.inside(stage.pipeline)
    right = pruning.below(stage.right, _plus(wanted, foreign))
    local = NONE if stage.local is None else frozenset({stage.local[0]})
    bound = _of(*(value for _, value in stage.let))
    nested = frozenset({stage.target[0]}) if len(stage.target) > 1 else NONE
    if right is not stage.right or pipeline is not stage.pipeline:
        stage = replace(stage, right=right, pipeline=pipeline)
    return stage, _plus(_without(need, [stage.target]), nested, local, bound)


def _graph_lookup(pruning: _Pruning, stage: s.GraphLookup, need: Need) -> tuple[s.Stage, Need]:
    return replace(stage, right=pruning.below(stage.right, None)), _plus(need, _of(stage.start))


def _union(pruning: _Pruning, stage: s.UnionWith, need: Need) -> tuple[s.Stage, Need]:
    return replace(stage, other=pruning.below(stage.other, need)), need


def _facet(pruning: _Pruning, stage: s.Facet, need: Need) -> tuple[s.Stage, Need]:
    found = [(name, *pruning.inside(branch)) for name, branch in stage.branches]
    changed = replace(stage, branches=tuple((name, branch) for name, branch, _ in found))
    return changed, _plus(*(wanted for _, _, wanted in found))


_OTHERS: dict[type, Callable[[_Pruning, Any, Need], tuple[s.Stage, Need]]] = {
    s.Lookup: _lookup,
    s.GraphLookup: _graph_lookup,
    s.UnionWith: _union,
    s.Facet: _facet,
}
"""Stages that read other plans too."""
