"""What a database cannot say exactly of a plan is finished here, over its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xrepo_nb.engines.select import choose, ready
from xrepo_nb.query import plan as q
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

_BY_ROW = (q.Match, q.Project, q.AddFields, q.Unset)
"""Stages that treat each row by itself, so that batches can pass one by one."""


def parted(plan: q.Plan, dialect: str, schema: Schema) -> tuple[q.Plan, list[q.Stage]]:
    """The longest part of a plan over one scan that the dialect says exactly, and the stages above it.

    Names of nodes decide what a source is given; the types of its columns decide it here.
    """
    from xrepo_nb.engines.sql.render import supports

    [source] = plan.sources()
    above: list[q.Stage] = []
    while isinstance(plan, q.Stage) and supports(plan, dialect, {source: schema}) is not None:
        above.append(plan)
        plan = plan.input
    return plan, above


def ungrouped(plan: q.Plan, above: Sequence[q.Stage]) -> tuple[q.Plan, list[q.Stage]]:
    """The same parts with every group among the stages above: for values that the database cannot reduce."""
    stages = list(above)
    while isinstance(plan, q.Stage) and any(isinstance(node, q.Group) for node in plan.walk()):
        stages.append(plan)
        plan = plan.input
    return plan, stages


def finished(source: str, batches: Iterable[Table], above: Sequence[q.Stage], size: int) -> Iterator[Table]:
    """The rows of the stages above, lowest last in the list, over the batches of the database."""
    rest: q.Plan = q.Scan(source)
    for stage in reversed(above):
        rest = replace(stage, input=rest)
    if all(isinstance(stage, _BY_ROW) for stage in above):
        for batch in batches:
            yield ready(rest, {source: batch}).collect()
    else:
        tables = list(batches)
        table = Table.joined(tables, tables[0].schema)
        yield from choose(rest, {source: table}).stream(rest, {source: table}, size)
