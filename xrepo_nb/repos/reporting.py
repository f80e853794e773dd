"""Making the report of a view's join from the key columns of its sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from xrepo_nb.core.offload import offload
from xrepo_nb.engines.base import Inputs
from xrepo_nb.query.plan import Join, Plan, Project
from xrepo_nb.repos.execution import gather
from xrepo_nb.repos.join import JoinReport, report_of
from xrepo_nb.repos.narrowing import Scope


async def join_report(plan: Plan, scope: Scope, rows: int, sources: Mapping[str, Any]) -> JoinReport | None:
    """The report on a governed chain of joins; None for a plan that is none."""
    joins = _chain(plan)
    if not joins:
        return None
    frames: dict[int, pl.LazyFrame] = {}
    for join in joins:
        for side, keys in ((join.left, [a for a, _ in join.on]), (join.right, [b for _, b in join.on])):
            chosen = tuple(((key,), True) for key in dict.fromkeys(keys))
            narrow = Project(side, (*chosen, *_without_id(keys)), inclusive=True)
            rest, inputs = await gather(narrow, scope.opened, scope.repos)
            frames[id(side)] = await offload(_lazy, rest, inputs)
    labels = _labels(joins, list(sources))
    return await offload(report_of, joins, rows, frames, labels)


def _chain(plan: Plan) -> list[Join]:
    """The joins of a left-deep chain, the first one first."""
    joins: list[Join] = []
    while isinstance(plan, Join):
        joins.insert(0, plan)
        plan = plan.left
    return joins


def _without_id(keys: list[str]) -> tuple[Any, ...]:
    return () if "_id" in keys else ((("_id",), False),)


def _lazy(plan: Plan, inputs: Inputs) -> pl.LazyFrame:
    from xrepo_nb.engines.polars import PolarsEngine, lower
    from xrepo_nb.repos.execution import run_now

    if PolarsEngine().supports(plan, inputs) is None:
        return lower(plan, inputs)[0]
    return run_now(plan, inputs).lazy


def _labels(joins: list[Join], sources: list[str]) -> dict[int, str]:
    labels = {id(joins[0].left): sources[0]}
    for place, join in enumerate(joins, start=1):
        labels[id(join.right)] = sources[place]
        if place > 1:
            labels[id(join.left)] = " + ".join(sources[:place])
    return labels
