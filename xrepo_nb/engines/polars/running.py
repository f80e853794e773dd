"""How a lowered plan is best collected: in memory, or by Polars' streaming engine."""

from __future__ import annotations

from typing import Literal

from xrepo_nb.engines.base import Inputs
from xrepo_nb.query import plan as p

How = Literal["in-memory", "streaming"]

MANY = 50_000
"""Rows from which on the streaming engine's start pays."""

BIG = 500_000
"""Rows from which on the order of a join's result is not kept for its own sake, where that would take
it twice as long; without it, streaming is faster."""

REDUCING = frozenset({"$sum", "$avg", "$min", "$max", "$count", "$stdDevPop", "$stdDevSamp"})
"""Accumulators that the streaming engine reduces as it goes; others gather the rows of a group first,
which is faster in memory."""
_PLAIN = (p.Scan, p.Match, p.Project, p.AddFields, p.Unset, p.Limit, p.Skip, p.Sort, p.ReplaceRoot)


def how_to_run(plan: p.Plan, inputs: Inputs, *, placed: int = 0) -> How:
    """Streaming for lazy inputs, which may not fit into memory, for grouping by reducing accumulators, and
    for joins of a big table, or where so many as are `placed` are all joins by place; in memory for all else:
    sorts, limited or not, take as long either way."""
    tables = [inputs[name] for name in plan.sources()]
    if any(not table.schema.is_typed for table in tables):
        return "in-memory"
    if any(table.is_lazy for table in tables):
        return "streaming"
    if max((len(table) for table in tables), default=0) < MANY:
        return "in-memory"
    nodes = list(plan.walk())
    joins = sum(isinstance(node, p.Lookup | p.Join) for node in nodes)
    if joins > placed:
        return "in-memory" if keeps_order(plan, inputs) else "streaming"
    groups = [node for node in nodes if isinstance(node, p.Group)]
    plain = joins > 0 or all(isinstance(node, (p.Group, *_PLAIN)) for node in nodes)
    reducing = all(a.op in REDUCING for group in groups for a in group.accumulators)
    return "streaming" if (groups or joins) and plain and reducing else "in-memory"


def keeps_order(plan: p.Plan, inputs: Inputs) -> bool:
    """Whether the result of a plan has its rows in the order of those it is made of: not where it
    joins two big tables, or one and drops or groups its rows, unless they are sorted or cut."""
    if len(inputs) < 2:
        return True
    names = plan.sources()
    big = sum(len(inputs[name]) >= BIG for name in names if not inputs[name].is_lazy)
    if len(names) < 2 or not big:
        return True
    nodes = list(plan.walk())
    if any(isinstance(node, p.Sort | p.Limit | p.Skip) for node in nodes):
        return True
    return big == 1 and not any(map(_drops_rows, nodes))


def _drops_rows(node: p.Plan) -> bool:
    """Whether a stage groups, or joins and keeps other rows than all left ones."""
    if isinstance(node, p.Group):
        return True
    if isinstance(node, p.Unwind):
        return isinstance(node.input, p.Lookup) and not node.preserve_empty
    return isinstance(node, p.Join) and node.how != "left"
