"""What a database cannot say exactly of a plan is finished here, over its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.engines.select import choose, ready
from xrepo_nb.query import plan as q
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.render import Rendered

_BY_ROW = (q.Match, q.Project, q.AddFields, q.Unset)
"""Stages that treat each row by itself, so that batches can pass one by one."""


def parted(plan: q.Plan, render: Callable[[q.Plan], Rendered]) -> tuple[q.Plan, Rendered, list[q.Stage]]:
    """The longest part of a plan over one scan that can be said exactly, its statement, and the stages above.

    Names of nodes decide what a source is given; the types of its columns decide it here.
    """
    above: list[q.Stage] = []
    while True:
        try:
            return plan, render(plan), above
        except (XRepoUnsupportedError, RecursionError):
            if not isinstance(plan, q.Stage):
                raise
        above.append(plan)
        plan = plan.input


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


def step(batches: Iterator[Table], size: int) -> tuple[list[Table], bool]:
    """The next batch, and whether there are more: of a short one, the last as a rule, it is looked whether
    another follows, which then comes along."""
    found: list[Table] = []
    for batch in batches:
        found.append(batch)
        if len(batch) >= size or len(found) > 1:
            return found, True
    return found, False
