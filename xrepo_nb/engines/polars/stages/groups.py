"""Stages that gather rows: group."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import polars as pl

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.accumulators import Rows, accumulated
from xrepo_nb.engines.polars.expressions.comparison import compared
from xrepo_nb.engines.polars.expressions.conditional import branched
from xrepo_nb.engines.polars.frame import Column, Frame, assignments, column, column_of, physical_names
from xrepo_nb.engines.polars.logic import conjunction
from xrepo_nb.engines.polars.numbers import guarded
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.running import MANY
from xrepo_nb.engines.polars.scope import Scope, document
from xrepo_nb.engines.polars.stages.early import grouped_early
from xrepo_nb.engines.polars.stages.keys import CATEGORIES, PACKED, key_of, packed
from xrepo_nb.engines.polars.stages.totals import Totals, totals_of
from xrepo_nb.engines.polars.values import NULL_VALUE, Value, literal
from xrepo_nb.engines.typed.reasons import bounded, decline
from xrepo_nb.query.expressions import DocumentExpr, Expr, Literal
from xrepo_nb.query.plan import Bucket, Group
from xrepo_nb.query.walk import is_random

_PART = "\0key\0"


@frozen
class _Outputs:
    """What is kept of each group: values over its rows, and the same as totals, where that is known."""

    values: Mapping[str, Value]
    totals: Totals | None = None

    def exprs(self) -> list[pl.Expr]:
        return [e for name, value in self.values.items() for e in assignments(name, value)]

    def columns(self) -> dict[str, Column]:
        return {name: column_of(value) for name, value in self.values.items()}


@lowers_stage(Group)
def _group(stage: Group, lowering: Lowering) -> Frame:
    early = grouped_early(stage, lowering)
    if early is not None:
        return _grouped(early.frame, stage.key, _Outputs(early.outputs), lowering.scope(early.frame))
    frame = lowering.frame(stage.input)
    scope = lowering.scope(frame)
    rows = Rows(scope, frame.height, least=1, shifted=lowering.shifted)
    values = {a.name: accumulated(a, rows) for a in stage.accumulators}
    totals = totals_of(stage.accumulators, rows) if lowering.files == frozenset() else None
    return _grouped(frame, stage.key, _Outputs(values, totals), scope)


def _grouped(frame: Frame, key: Expr, outputs: _Outputs, scope: Scope) -> Frame:
    """One row a distinct value of the key, as `_id`, with the outputs."""
    _must_be_fixed(key)
    if isinstance(key, Literal):
        return _whole(frame, scope.typed(key), outputs)
    if isinstance(key, DocumentExpr) and key.items:
        return _by_parts(frame, {name: key_of(frame, item, scope) for name, item in key.items}, outputs)
    return _by_value(frame, key_of(frame, key, scope).nullable(), outputs)


def _must_be_fixed(key: Expr) -> None:
    if is_random(key):
        decline("a key that depends on chance, which would be drawn once for all rows")


def _by_value(frame: Frame, key: Value, outputs: _Outputs) -> Frame:
    constant = not key.expr.meta.root_names()
    return _whole(frame, key, outputs) if constant else _by(frame, {"_id": key}, outputs)


def _by_parts(frame: Frame, parts: Mapping[str, Value], outputs: _Outputs) -> Frame:
    """A document as the key: grouped by its fields, which is faster, and put together after."""
    if not any(value.expr.meta.root_names() for value in parts.values()):
        return _whole(frame, document(parts), outputs)
    made = _by(frame, {_PART + name: value for name, value in parts.items()}, outputs)
    key = document({name: made.columns[_PART + name].value(_PART + name) for name in parts})
    out = {"_id": column_of(key)} | outputs.columns()
    lazy = made.lazy.select(key.expr.alias("_id"), *map(column, physical_names(out)[1:]))
    return Frame(lazy, out, frame.height)


def _by(frame: Frame, keys: Mapping[str, Value], outputs: _Outputs) -> Frame:
    made = _by_number(frame, keys, outputs)
    if made is None:
        made = frame.lazy.group_by(_named({n: v.expr for n, v in keys.items()})).agg(outputs.exprs())
    if texts := [column(name).cast(pl.String) for name, value in keys.items() if value.type is CATEGORIES]:
        made = made.with_columns(texts)
    return Frame(made, {n: column_of(v) for n, v in keys.items()} | outputs.columns(), frame.height)


def _by_number(frame: Frame, keys: Mapping[str, Value], outputs: _Outputs) -> pl.LazyFrame | None:
    """The keys and outputs of each group, by several keys packed into a number, or by its place; None
    where neither pays."""
    few = frame.height is not None and frame.height < MANY
    if few or (len(keys) == 1 and outputs.totals is None):
        return None
    packing = packed(keys)
    if packing is None:
        return None
    others = {name: value.expr for name, value in keys.items() if name not in packing.parts}
    made = None if outputs.totals is None or others else outputs.totals.by(packing, frame)
    if made is None:
        if len(packing.parts) == 1:
            return None
        by = [packing.number.alias(PACKED), *_named(others)]
        made = frame.lazy.group_by(by).agg(outputs.exprs())
    return made.with_columns(_named(packing.parts))


def _named(exprs: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    return [expr.alias(name) for name, expr in exprs.items()]


def _whole(frame: Frame, key: Value, outputs: _Outputs) -> Frame:
    """One group of all rows, and none when there are no rows."""
    counted = frame.lazy.select(*outputs.exprs(), pl.len().alias(_PART)).filter(column(_PART) > 0)
    columns = {"_id": column_of(key)} | outputs.columns()
    lazy = counted.with_columns(key.expr.alias("_id")).select(map(column, physical_names(columns)))
    return Frame(lazy, columns, 1)


@lowers_stage(Bucket)
def _bucket(stage: Bucket, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    scope = lowering.scope(frame)
    _must_be_fixed(stage.by)
    by, edges = scope.typed(stage.by), stage.boundaries
    bounded(edges, "boundaries")
    branches = [
        (conjunction(compared("$gte", by, literal(low)), compared("$lt", by, literal(high))), literal(low))
        for low, high in pairwise(edges)
    ]
    if stage.has_default:
        key = branched(branches, literal(stage.default))
    else:
        key = branched(branches, NULL_VALUE)
        if key.kind == "null":
            decline("boundaries of another type than the value")
        inside = guarded(key.expr, lambda s: s.is_null(), "a value outside of the boundaries")
        key = Value(inside, key.type, "never")
    rows = Rows(scope, frame.height, least=1, shifted=lowering.shifted)
    made = _by_value(frame, key, _Outputs({a.name: accumulated(a, rows) for a in stage.outputs}))
    return made.over(made.lazy.sort("_id"))
