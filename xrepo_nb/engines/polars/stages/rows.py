"""Stages that choose or order rows: match, sort, limit, skip, sample, count."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from xrepo_nb.engines.polars.accumulators import ORDERED
from xrepo_nb.engines.polars.frame import Frame
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.predicates import condition, rows_where
from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.query.plan import Limit, Match, Sample, Skip, Sort, SortKey


@lowers_stage(Match)
def _match(stage: Match, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    return frame.over(rows_where(frame.lazy, condition(stage.predicate, lowering.scope(frame))))


@lowers_stage(Sort)
def _sort(stage: Sort, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    order = Order(stage.keys, lowering.scope(frame))
    return frame.over(order.sorted(frame.lazy))


class Order:
    """Sort keys as Polars takes them: nulls and missing first, then NaN, then values."""

    __slots__ = ("by", "descending")

    def __init__(self, keys: Sequence[SortKey], scope: Scope) -> None:
        self.by: list[pl.Expr] = []
        self.descending: list[bool] = []
        for key in keys:
            for expr in _parts(scope.path(key.path), key.descending):
                self.by.append(expr)
                self.descending.append(key.descending)

    def sorted(self, lazy: pl.LazyFrame) -> pl.LazyFrame:
        """The rows in this order; ties keep theirs. A limit above makes it a top-k."""
        if not self.by:
            return lazy
        return lazy.sort(self.by, descending=self.descending, nulls_last=self.descending, maintain_order=True)


def _parts(value: Value, descending: bool) -> list[pl.Expr]:
    if value.kind == "null":
        return []
    if value.kind not in ORDERED:
        decline(f"a sort by a field of type {value.type}")
    if value.kind == "float" and value.facts.may_be_nan:
        return [value.expr.is_not_nan(), value.expr]
    return [value.expr]


@lowers_stage(Limit)
def _limit(stage: Limit, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    height = stage.count if frame.height is None else min(frame.height, stage.count)
    return frame.over(frame.lazy.head(stage.count), height)


@lowers_stage(Skip)
def _skip(stage: Skip, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    return frame.over(frame.lazy.slice(stage.count))


@lowers_stage(Sample)
def _sample(stage: Sample, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    chosen = pl.int_range(pl.len()).shuffle() < stage.size
    return frame.over(frame.lazy.filter(chosen), stage.size)
