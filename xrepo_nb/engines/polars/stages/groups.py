"""Stages that gather rows: group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import polars as pl

from xrepo_nb.engines.polars.accumulators import Rows, accumulated
from xrepo_nb.engines.polars.expressions.comparison import compared
from xrepo_nb.engines.polars.expressions.conditional import branched
from xrepo_nb.engines.polars.frame import Column, Frame, assignments, column, column_of, physical_names
from xrepo_nb.engines.polars.logic import conjunction
from xrepo_nb.engines.polars.numbers import guarded
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.scope import Scope, document
from xrepo_nb.engines.polars.stages.early import grouped_early
from xrepo_nb.engines.polars.values import NULL_VALUE, Value, literal
from xrepo_nb.engines.typed.reasons import bounded, decline
from xrepo_nb.query.expressions import DocumentExpr, Expr, FieldRef, Literal
from xrepo_nb.query.plan import Bucket, Group
from xrepo_nb.query.walk import is_random
from xrepo_nb.schema.types import DataType

_PART = "\0key\0"


@lowers_stage(Group)
def _group(stage: Group, lowering: Lowering) -> Frame:
    early = grouped_early(stage, lowering)
    if early is not None:
        return grouped(early.frame, stage.key, early.outputs, lowering.scope(early.frame))
    frame = lowering.frame(stage.input)
    scope = lowering.scope(frame)
    rows = Rows(scope, frame.height, least=1)
    outputs = {a.name: accumulated(a, rows) for a in stage.accumulators}
    return grouped(frame, stage.key, outputs, scope)


def grouped(frame: Frame, key: Expr, outputs: Mapping[str, Value], scope: Scope) -> Frame:
    """One row a distinct value of the key, as `_id`, with the outputs."""
    _must_be_fixed(key)
    if isinstance(key, Literal):
        return _whole(frame, scope.typed(key), outputs)
    if isinstance(key, DocumentExpr) and key.items:
        return _by_parts(frame, {name: _key(frame, item, scope) for name, item in key.items}, outputs)
    return _by_value(frame, _key(frame, key, scope).nullable(), outputs)


def _must_be_fixed(key: Expr) -> None:
    if is_random(key):
        decline("a key that depends on chance, which would be drawn once for all rows")


def _key(frame: Frame, key: Expr, scope: Scope) -> Value:
    """The value of a key; text that is kept as categories is grouped as such."""
    value = scope.typed(key)
    if _has_hollow(value.type):
        decline("a key of documents without fields")  # of no rows of them Polars makes a group
    if value.kind == "string" and isinstance(key, FieldRef) and len(key.path) == 1:
        (name,) = key.path
        if frame.columns[name].dtype is not None:
            return replace(value, expr=column(name), type=CATEGORIES)
    return value


def _has_hollow(type_: DataType) -> bool:
    """Whether there are documents without fields in it."""
    if type_.kind == "object":
        return not type_.fields or any(_has_hollow(field.type) for field in type_.fields)
    return type_.item is not None and _has_hollow(type_.item)


CATEGORIES = DataType("string")
"""Text, of a key that is a column of categories: told apart by identity."""


def _by_value(frame: Frame, key: Value, outputs: Mapping[str, Value]) -> Frame:
    constant = not key.expr.meta.root_names()
    return _whole(frame, key, outputs) if constant else _by(frame, {"_id": key}, outputs)


def _by(frame: Frame, keys: Mapping[str, Value], outputs: Mapping[str, Value]) -> Frame:
    exprs = [e for name, value in outputs.items() for e in assignments(name, value)]
    by = [value.expr.alias(name) for name, value in keys.items()]
    columns = {n: column_of(v) for n, v in keys.items()} | {n: column_of(v) for n, v in outputs.items()}
    made = frame.lazy.group_by(by).agg(exprs)
    if texts := [column(name).cast(pl.String) for name, value in keys.items() if value.type is CATEGORIES]:
        made = made.with_columns(texts)
    return Frame(made, columns, frame.height)


def _by_parts(frame: Frame, parts: Mapping[str, Value], outputs: Mapping[str, Value]) -> Frame:
    """A document as the key: grouped by its fields, which is faster, and put together after."""
    if not any(value.expr.meta.root_names() for value in parts.values()):
        return _whole(frame, document(parts), outputs)
    made = _by(frame, {_PART + name: value for name, value in parts.items()}, outputs)
    key = document({name: made.columns[_PART + name].value(_PART + name) for name in parts})
    out = {"_id": column_of(key)} | {n: made.columns[n] for n in outputs}
    lazy = made.lazy.select(key.expr.alias("_id"), *map(column, physical_names(out)[1:]))
    return Frame(lazy, out, frame.height)


def _whole(frame: Frame, key: Value, outputs: Mapping[str, Value]) -> Frame:
    """One group of all rows, and none when there are no rows."""
    exprs = [e for name, value in outputs.items() for e in assignments(name, value)]
    counted = frame.lazy.select(*exprs, pl.len().alias(_PART)).filter(column(_PART) > 0).drop(_PART)
    lazy = counted.with_columns(key.expr.alias("_id"))
    columns: dict[str, Column] = {"_id": column_of(key)}
    columns |= {name: column_of(value) for name, value in outputs.items()}
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
    rows = Rows(scope, frame.height, least=1)
    made = _by_value(frame, key, {a.name: accumulated(a, rows) for a in stage.outputs})
    return made.over(made.lazy.sort("_id"))
