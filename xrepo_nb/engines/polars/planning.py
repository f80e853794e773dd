"""Planning: the walk over a plan that lowers it, stage by stage, to one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from xrepo_nb.core.entering import entering
from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.frame import Frame
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as p
from xrepo_nb.query.plan import Input, Plan, Scan

StageLowering = Callable[[Any, "Lowering"], Frame]
STAGES: dict[type[Plan], StageLowering] = {}

_BY_ROW = frozenset(
    {p.Match, p.Project, p.AddFields, p.Unset, p.ReplaceRoot, p.Unwind, p.Lookup, p.Join, p.UnionWith}
)
"""Stages that give their rows in the order in which they are given them, and look no further at it."""

_OF_NO_ORDER = frozenset({
    "$sum", "$avg", "$min", "$max", "$count", "$minN", "$maxN", "$median", "$percentile",
    "$stdDevPop", "$stdDevSamp", "$covariancePop", "$covarianceSamp",
})  # fmt: skip
"""Accumulators whose result is the same whatever the order of the rows."""


lowers_stage = entering(STAGES)
"""Registers the lowering of stages; it may decline."""


@frozen
class Lowering:
    """One lowering of a plan: where scans find their rows, the caller's constants, notes for `explain`,
    whether the order of the rows matters, so that joins keep that of their left ones, and which sources
    are files, where that is known. `placed` collects what is joined by place. `shifted`: deviations are of
    numbers less the least of their group, which tells apart what lies close together."""

    scan: Callable[[str], Frame]
    constants: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    input: Frame | None = None
    ordered: bool = True
    files: frozenset[str] | None = None
    placed: list[Plan] = field(default_factory=list)
    shifted: bool = False

    def frame(self, plan: Plan) -> Frame:
        """The rows of a plan."""
        if isinstance(plan, Scan):
            return self.scan(plan.source)
        if isinstance(plan, Input):
            return self.input if self.input is not None else decline("rows of no stage")
        lowering = STAGES.get(type(plan))
        if lowering is None:
            decline(f"{type(plan).__name__} has no lowering")
        return lowering(plan, self._below(plan))

    def _below(self, plan: Plan) -> Lowering:
        """The lowering of what a stage reads."""
        if type(plan) in _BY_ROW:
            return self
        indifferent = isinstance(plan, p.Group) and all(a.op in _OF_NO_ORDER for a in plan.accumulators)
        return self if self.ordered is not indifferent else replace(self, ordered=not indifferent)

    def scope(self, frame: Frame) -> Scope:
        """The scope of expressions over the rows of a frame."""
        return Scope(frame.columns, None, {}, self.constants, self.notes)

    def within(self, frame: Frame) -> Lowering:
        """The lowering of a sub-pipeline over these rows."""
        return replace(self, input=frame)
