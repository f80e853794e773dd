"""Unwind: one row an element of an array."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

from xrepo_nb.engines.polars.frame import Column, Frame, mask_name
from xrepo_nb.engines.polars.logic import as_expr, disjunction
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.predicates import rows_where
from xrepo_nb.engines.polars.stages.combine import is_joined, unwound_lookup
from xrepo_nb.engines.polars.values import INT, MISSING_VALUE, Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import Lookup, Unwind


@lowers_stage(Unwind)
def _unwind(stage: Unwind, lowering: Lowering) -> Frame:
    below = stage.input
    if (
        isinstance(below, Lookup)
        and below.target == stage.path
        and is_joined(below)
        and not stage.index_field
    ):
        return unwound_lookup(below, lowering, keep=stage.preserve_empty)
    frame = lowering.frame(stage.input)
    if len(stage.path) > 1 or (stage.index_field is not None and len(stage.index_field) > 1):
        decline("$unwind of a nested path")
    name = stage.path[0]
    found = frame.columns.get(name)
    value = MISSING_VALUE if found is None else found.value(name)
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
    keep, array = stage.preserve_empty, value.expr
    exprs, exploded = [array.alias(name)], [name]
    columns = dict(frame.columns)
    columns[name] = Column(item)
    if keep:
        # Null elements stay null; what an empty or a missing array leaves behind is missing.
        missing = disjunction(array.list.len() == 0, value.is_missing())
        exprs.append(as_expr(missing).alias(mask_name(name)))
        columns[name] = Column(item, "both")
    if stage.index_field is not None:
        index = stage.index_field[0]
        exprs.append(pl.int_ranges(0, array.list.len(), dtype=pl.Int64).alias(index))
        exploded.append(index)
        columns[index] = Column(INT, "null" if keep else "never")
    lazy = frame.lazy.with_columns(exprs).explode(cs.by_name(exploded), empty_as_null=keep, keep_nulls=keep)
    return Frame(lazy, columns)
