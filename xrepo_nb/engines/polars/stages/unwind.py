"""Unwind: one row an element of an array."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

from xrepo_nb.engines.polars.facts import UNKNOWN
from xrepo_nb.engines.polars.frame import Column, Frame
from xrepo_nb.engines.polars.logic import as_expr, disjunction
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.predicates import rows_where
from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.stages.combine import is_equality, unwound_lookup
from xrepo_nb.engines.polars.values import INT, Value, absence_of
from xrepo_nb.query.plan import Unwind


@lowers_stage(Unwind)
def _unwind(stage: Unwind, lowering: Lowering) -> Frame:
    if stage.index_field is None and is_equality(stage.input) and stage.input.target == stage.path:  # type: ignore[attr-defined]
        return unwound_lookup(stage.input, lowering, keep=stage.preserve_empty)  # type: ignore[arg-type]
    frame = lowering.frame(stage.input)
    if len(stage.path) > 1 or (stage.index_field is not None and len(stage.index_field) > 1):
        decline("$unwind of a nested path")
    name = stage.path[0]
    found = frame.columns.get(name)
    if found is None:
        return frame if stage.preserve_empty else frame.over(frame.lazy.clear())
    value = found.value(name)
    if value.kind == "mixed":
        decline("$unwind of a field of mixed type")
    if value.kind != "array":
        return _alone(frame, value, stage)
    return _elements(frame, name, value, stage)


def _alone(frame: Frame, value: Value, stage: Unwind) -> Frame:
    """What is no array stands for itself."""
    if stage.index_field is not None:
        null = Value(pl.lit(None, dtype=pl.Int64), INT, "null")
        frame = frame.assign({stage.index_field[0]: null})
    return frame if stage.preserve_empty else frame.over(rows_where(frame.lazy, value.is_present()))


def _elements(frame: Frame, name: str, value: Value, stage: Unwind) -> Frame:
    item = value.type.item
    if item is None:
        decline("$unwind of an array of unknown items")
    index = stage.index_field[0] if stage.index_field is not None else None
    keep = stage.preserve_empty
    array = value.expr
    empty = array.list.len() == 0
    if keep:
        missing = disjunction(empty, value.is_missing())
        null = disjunction(
            value.is_null(), item.kind != "null" and array.list.eval(pl.element().is_null()).list.any()
        )
        absence, mask = absence_of(null, missing)
        mask = mask if mask is not None else as_expr(missing)
    else:
        absence, mask = "null", None
    columns = dict(frame.columns)
    columns[name] = Column(item, absence, facts=UNKNOWN)
    exprs = [array.alias(name)]
    if mask is not None:
        exprs.append(mask.alias("\0missing\0" + name))
    exploded = [name]
    if index is not None:
        exprs.append(pl.int_ranges(0, array.list.len(), dtype=pl.Int64).alias(index))
        exploded.append(index)
        columns[index] = Column(INT, "null" if keep else "never")
    lazy = frame.lazy.with_columns(*exprs).explode(cs.by_name(exploded), empty_as_null=keep, keep_nulls=keep)
    return Frame(lazy, columns, None)
