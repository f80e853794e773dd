"""Set window fields and fill: rows in the order of their partitions and sort keys."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from xrepo_nb.engines.polars import windows as w
from xrepo_nb.engines.polars.expressions.conditional import branched
from xrepo_nb.engines.polars.frame import Frame, assignments, column_of
from xrepo_nb.engines.polars.order import Order
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.stages.fields import added
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Expr, FieldRef
from xrepo_nb.query.plan import Fill, FillOutput, SetWindowFields, SortKey, WindowOutput

_OUT = "\0out\0"


@lowers_stage(SetWindowFields)
def _set_window_fields(stage: SetWindowFields, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    rows, base = partitioned(frame, stage.partition_by, stage.keys, lowering)
    frame = base
    values: dict[str, Value] = {}
    for number, output in enumerate(stage.outputs):
        name = f"{_OUT}{number}"
        frame, values[name] = _output(frame, name, output, rows, base)
    tree = {output.path: values[f"{_OUT}{n}"] for n, output in enumerate(stage.outputs)}
    frame = added(frame, tree)
    return frame.select(frame.columns)


def partitioned(
    frame: Frame, partition: Expr | None, keys: Sequence[SortKey], lowering: Lowering
) -> tuple[w.Partition, Frame]:
    """The rows by partition and sort key, with the helper columns that window operators read."""
    scope = lowering.scope(frame)
    part = pl.lit(0) if partition is None else _part(scope.typed(partition))
    order = Order(keys, scope)
    lazy = frame.lazy.with_columns(part.alias(w.PART))
    lazy = lazy.sort(
        [pl.col(w.PART), *order.by],
        descending=[False, *order.descending],
        nulls_last=[False, *order.descending],
        maintain_order=True,
    )
    helpers = [pl.int_range(pl.len(), dtype=pl.Int64).alias(w.ROW)]
    key = scope.path(keys[0].path) if len(keys) == 1 else None
    if key is not None:
        helpers.append(w.placed(key).alias(w.KEY))
    same = [by.alias(str(number)) for number, by in enumerate(order.by)]
    ties = pl.struct(same).rle_id().over(w.PART) if same else pl.lit(0)
    helpers.append(ties.alias(w.TIES))
    lazy = lazy.with_columns(helpers)
    return w.Partition(scope, key, frame.height), frame.over(lazy)


def _part(value: Value) -> pl.Expr:
    if value.kind in ("array", "mixed"):
        decline(f"a partition by a value of type {value.type}")
    return value.expr if value.kind != "null" else pl.lit(0)


def _output(
    frame: Frame, name: str, output: WindowOutput, rows: w.Partition, base: Frame
) -> tuple[Frame, Value]:
    """The frame with the helper column of one output, and its value; `base` is the frame without any:
    what rolls over the one with those before it, and is joined to it, would double the plan each time.
    """
    own = w.OPERATORS.get(output.op)
    if own is not None:
        if output.op in ("$rank", "$denseRank") and rows.key is None:
            decline(f"{output.op} without one sort key")
        value = own(output, rows)
        return _with(frame, frame.lazy.with_columns(assignments(name, value)), name, value)
    value = w.accumulator(output, rows)
    window = output.window
    if window is None or w.is_whole(window):
        exprs = [rows.over(e) for e in assignments(name, value)]
        return _with(frame, frame.lazy.with_columns(exprs), name, value)
    index, period, offset, on = w.span(window, rows.key)
    lazy = base.lazy
    if index == w.KEY and rows.key is not None:
        lazy = lazy.with_columns(w.within_reach(rows.key).alias(w.KEY))
    rolled = lazy.rolling(
        index_column=index, period=period, offset=offset, closed="right", group_by=w.PART
    ).agg(assignments(name, value))
    if on != (w.ROW,):
        rolled = rolled.unique(list(on), keep="any")
    rolled = rolled.select(*on, pl.exclude([*on, w.PART, index]))
    joined = frame.lazy.join(rolled, on=list(on), how="left", nulls_equal=True, maintain_order="left")
    return _with(frame, joined, name, value)


def _with(frame: Frame, lazy: pl.LazyFrame, name: str, value: Value) -> tuple[Frame, Value]:
    return frame.over(lazy), column_of(value).value(name)


@lowers_stage(Fill)
def _fill(stage: Fill, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    methods = [output for output in stage.outputs if output.method is not None]
    if methods:
        rows, frame = partitioned(frame, stage.partition_by, stage.keys, lowering)
        frame = added(frame, {output.path: _filled(output, rows.scope, rows) for output in methods})
        frame = frame.select(frame.columns)
    values = {
        output.path: _filled(output, lowering.scope(frame), None)
        for output in stage.outputs
        if output.value is not None
    }
    return added(frame, values) if values else frame


def _filled(output: FillOutput, scope: Scope, rows: w.Partition | None) -> Value:
    """A field where it is there, and elsewhere what fills it."""
    old = scope.typed(FieldRef(output.path))
    if output.value is not None:
        return branched([(old.is_present(), old)], scope.typed(output.value))
    assert rows is not None
    filled = w.carried(old, rows) if output.method == "locf" else w.on_the_line(old, rows)
    return branched([(old.is_present(), old)], filled)
