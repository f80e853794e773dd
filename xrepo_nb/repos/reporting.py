"""Making the report of a view's join from the key columns of its sides."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from xrepo_nb.core.offload import offload
from xrepo_nb.engines.base import Inputs
from xrepo_nb.query.plan import Join, Plan, Project
from xrepo_nb.repos.execution import gather, lowered, run_now
from xrepo_nb.repos.join import JoinReport, JoinStep
from xrepo_nb.repos.narrowing import Scope


async def join_report(plan: Plan, scope: Scope, rows: int, sources: Iterable[str]) -> JoinReport | None:
    """The report on a governed chain of joins of the sources; None for a plan that is none."""
    joins, names = _chain(plan), list(sources)
    if not joins:
        return None
    steps = []
    for place, join in enumerate(joins, start=1):
        left = await _keys(join.left, [ours for ours, _ in join.on], scope)
        right = await _keys(join.right, [theirs for _, theirs in join.on], scope)
        steps.append(await offload(_step, join, left, right, " + ".join(names[:place]), names[place]))
    return JoinReport(tuple(steps), rows)


def _chain(plan: Plan) -> list[Join]:
    """The joins of a left-deep chain, the first one first."""
    joins: list[Join] = []
    while isinstance(plan, Join):
        joins.insert(0, plan)
        plan = plan.left
    return joins


async def _keys(side: Plan, keys: Iterable[str], scope: Scope) -> pl.LazyFrame:
    """The key columns of one side."""
    narrow = Project.only(side, ((key,) for key in dict.fromkeys(keys)))
    rest, inputs = await gather(narrow, scope.opened, scope.repos)
    return await offload(_lazy, rest, inputs)


def _lazy(plan: Plan, inputs: Inputs) -> pl.LazyFrame:
    found = lowered(plan, inputs)
    return run_now(plan, inputs).lazy if found is None else found.lazy


def _step(join: Join, left: pl.LazyFrame, right: pl.LazyFrame, left_name: str, right_name: str) -> JoinStep:
    """What one join did, from the keys of its sides."""
    exact = join.on[:-1] if join.how == "asof" else join.on
    ours, theirs = [a for a, _ in exact], [b for _, b in exact]
    left_counts, right_counts = _counts(left, ours, "left"), _counts(right, theirs, "right")
    if exact:
        both = left_counts.join(right_counts, left_on=ours, right_on=theirs, how="inner")
    else:
        both = left_counts.join(right_counts, how="cross")
    met = both.select(pl.col("left", "right").sum(), pl.col("right").max().alias("most"))
    totals, counts, matched = pl.collect_all([left.select(pl.len()), right.select(pl.len()), met])
    left_met, right_met, most = (int(found or 0) for found in matched.row(0))
    return JoinStep(
        left_name,
        right_name,
        join.on,
        join.how,
        left_rows=int(totals.item()),
        right_rows=int(counts.item()),
        left_matched=left_met,
        right_matched=right_met,
        fan_out=most,
    )


def _counts(side: pl.LazyFrame, keys: list[str], name: str) -> pl.LazyFrame:
    """How many rows have each key."""
    count = pl.len().alias(name)
    return side.group_by(keys).agg(count) if keys else side.select(count)
