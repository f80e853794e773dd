"""Stages that choose or order rows: match, sort, limit, skip, sample, count."""

from __future__ import annotations

import polars as pl

from xrepo_nb.engines.polars.frame import Frame
from xrepo_nb.engines.polars.order import Order
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.predicates import condition, rows_where
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import Limit, Match, Sample, Skip, Sort


@lowers_stage(Match)
def _match(stage: Match, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    return frame.over(rows_where(frame.lazy, condition(stage.predicate, lowering.scope(frame))))


@lowers_stage(Sort)
def _sort(stage: Sort, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    if stage.is_natural:
        return frame.over(frame.lazy.reverse())
    order = Order(stage.keys, lowering.scope(frame))
    return frame.over(order.sorted(frame.lazy))


_MOST = 2**32 - 1
"""More rows a Polars frame does not have."""


@lowers_stage(Limit)
def _limit(stage: Limit, lowering: Lowering) -> Frame:
    if stage.count < 0:
        decline("a negative limit")
    count, skip = min(stage.count, _MOST), stage.input if isinstance(stage.input, Skip) else None
    frame = lowering.frame(stage.input if skip is None else skip.input)
    skipped = 0 if skip is None else min(skip.count, _MOST)
    height = count if frame.height is None else min(frame.height, count)
    return frame.over(frame.lazy.slice(skipped, count), height)


@lowers_stage(Skip)
def _skip(stage: Skip, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    return frame.over(frame.lazy.slice(min(stage.count, _MOST)))


@lowers_stage(Sample)
def _sample(stage: Sample, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    chosen = pl.int_range(pl.len()).shuffle() < stage.size
    return frame.over(frame.lazy.filter(chosen), stage.size)
