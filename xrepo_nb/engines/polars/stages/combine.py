"""Stages that read other plans or make several results: lookup, union, facet, documents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from xrepo_nb.engines.polars.frame import Column, Frame, assignments, column, column_of, physical_names, scan
from xrepo_nb.engines.polars.join import comparable_keys
from xrepo_nb.engines.polars.logic import as_expr
from xrepo_nb.engines.polars.numbers import widened
from xrepo_nb.engines.polars.placing import Others, found_by_place
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.scope import document
from xrepo_nb.engines.polars.stages.fields import added
from xrepo_nb.engines.polars.values import MISSING_VALUE, Value, unified
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Literal, Path
from xrepo_nb.query.plan import (
    AddFields,
    Documents,
    Facet,
    Input,
    Lookup,
    Match,
    Plan,
    Project,
    UnionWith,
    Unset,
)
from xrepo_nb.query.typing.values import either
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType

_KEY, _FOUND, _RIGHT = "\0lookup", "\0found", "\0right\0"
_ROW_WISE = (Input, Match, Project, AddFields, Unset)


@lowers_stage(Lookup)
def _lookup(stage: Lookup, lowering: Lowering) -> Frame:
    """The rows found for each key as arrays, joined to the keys."""
    left = lowering.frame(stage.input)
    if stage.local is None or stage.foreign is None:
        return _crossed(stage, left, _right(stage, lowering))
    match = _Match.of(stage, left, lowering)
    grouped = match.right.lazy.group_by(_KEY).agg(match.root.expr.implode().alias(_FOUND))
    lazy = match.joined(left, grouped, "left", ordered=lowering.ordered)
    array = Value(column(_FOUND).fill_null([]), DataType("array", item=match.root.type), "never")
    return _placed(left.over(lazy), stage, array)


def unwound_lookup(stage: Lookup, lowering: Lowering, *, keep: bool) -> Frame:
    """A lookup whose result is unwound at once: a plain join."""
    left = lowering.frame(stage.input)
    match = _Match.of(stage, left, lowering)
    # Columns are joined and made a document after, which is cheaper than to join documents.
    # The other key equals ours where it is compared as it is stored.
    shared = stage.foreign[0] if stage.foreign is not None and match.shares_key(stage.foreign) else None
    names = [name for name in physical_names(match.right.columns) if name != shared]
    found = [pl.lit(True).alias(_FOUND)] if keep else []
    right = match.right.lazy.select(column(_KEY), *(column(n).alias(_RIGHT + n) for n in names), *found)
    lazy = match.placed(left, right, stage, lowering, keep=keep)
    if lazy is None:
        lazy = match.joined(left, right, "left" if keep else "inner", ordered=lowering.ordered)
    parts = {
        name: replace(col.value(name), expr=match.key if name == shared else column(_RIGHT + name))
        for name, col in match.right.columns.items()
    }
    one = document(parts).expr
    if keep:
        value = Value(pl.when(column(_FOUND)).then(one), match.root.type, "missing")
        return _placed(left.over(lazy), stage, value)
    return _placed(Frame(lazy, left.columns), stage, Value(one, match.root.type, "never"))


@dataclass(frozen=True, slots=True)
class _Match:
    """What a lookup joins: the key of these rows, the other rows with their key, and them as documents;
    `plain`: the keys are of one kind, and the other one still stands in its field."""

    local: Value
    key: pl.Expr
    right: Frame
    root: Value
    nulls: bool
    plain: bool

    @classmethod
    def of(cls, stage: Lookup, left: Frame, lowering: Lowering) -> _Match:
        assert stage.local is not None and stage.foreign is not None
        right = lowering.frame(stage.right)
        local = lowering.scope(left).path(stage.local)
        foreign = lowering.scope(right).path(stage.foreign)
        key, other = comparable_keys(local, foreign)
        keyed = _narrowed(stage, right.over(right.lazy.with_columns(other.alias(_KEY))), lowering)
        canonical = keyed.over(keyed.lazy.with_columns(_recast(keyed)))
        root = lowering.scope(keyed).root()
        nulls = local.may_be_absent and foreign.may_be_absent
        stands = keyed.columns.get(stage.foreign[0]) is right.columns.get(stage.foreign[0])
        return cls(local, key, canonical, root, nulls, local.kind == foreign.kind and stands)

    def shares_key(self, foreign: Path) -> bool:
        """Whether the other rows' key, a column, holds in each matched row the very value of ours."""
        key = self.right.columns.get(foreign[0]) if len(foreign) == 1 else None
        return key is not None and not self.nulls and key.type.kind != "float" and self.plain

    def placed(
        self, left: Frame, right: pl.LazyFrame, stage: Lookup, lowering: Lowering, *, keep: bool
    ) -> pl.LazyFrame | None:
        """These rows with the one found for each, where few others can be found by place."""
        if self.nulls:
            return None
        plans = [stage.right] if stage.pipeline is None else [stage.right, stage.pipeline]
        return found_by_place(left, self.local, Others(right, plans, _KEY), lowering, keep=keep)

    def joined(self, left: Frame, right: pl.LazyFrame, how: Any, *, ordered: bool) -> pl.LazyFrame:
        """These rows with those found for each."""
        return left.lazy.join(
            right,
            left_on=self.key,
            right_on=_KEY,
            how=how,
            nulls_equal=self.nulls,
            maintain_order="left" if ordered else "none",
        )


def _recast(frame: Frame) -> list[pl.Expr]:
    """The columns that are not in their canonical dtype, in it."""
    return [c.value(n).expr.alias(n) for n, c in frame.columns.items() if c.dtype is not None]


def is_joined(stage: Lookup) -> bool:
    """Whether a lookup is by equality, into a top-level field, so that its rows can be joined one by one."""
    return stage.local is not None and len(stage.target) == 1


def _narrowed(stage: Lookup, right: Frame, lowering: Lowering) -> Frame:
    """The other rows after a pipeline that treats each by itself."""
    if stage.pipeline is None:
        return right
    if stage.let or not all(isinstance(node, _ROW_WISE) for node in stage.pipeline.walk()):
        decline("a $lookup pipeline that depends on the rows found for each row")
    kept = Frame(right.lazy, dict(right.columns) | {_KEY: Column(DataType("mixed"))}, right.height)
    narrowed = lowering.within(kept).frame(stage.pipeline.transform(_keeping_key))
    columns = {name: col for name, col in narrowed.columns.items() if name != _KEY}
    if not columns:
        decline("a $lookup pipeline that leaves no field")
    return Frame(narrowed.lazy, columns, narrowed.height)


def _keeping_key(node: Plan) -> Plan:
    if isinstance(node, Project) and node.inclusive:
        return replace(node, fields=(*node.fields, ((_KEY,), True)))
    return node


def _right(stage: Lookup, lowering: Lowering) -> Frame:
    right = lowering.frame(stage.right)
    if stage.let:
        decline("a $lookup with variables of each row")
    return right if stage.pipeline is None else lowering.within(right).frame(stage.pipeline)


def _crossed(stage: Lookup, left: Frame, right: Frame) -> Frame:
    """The same array for every row."""
    array = _gathered(right)
    one = right.lazy.select(array.expr.alias(_FOUND))
    lazy = left.lazy.join(one, how="cross", maintain_order="left")
    return _placed(left.over(lazy), stage, Value(column(_FOUND), array.type, "never"))


def _gathered(frame: Frame) -> Value:
    """All rows of a frame as one array of documents."""
    if not frame.columns:
        decline("documents without any known field")
    root = document({name: col.value(name) for name, col in frame.columns.items()})
    return Value(root.expr.implode(), DataType("array", item=root.type), "never")


def _placed(frame: Frame, stage: Lookup, value: Value) -> Frame:
    """The rows with the value in the lookup's field, and nothing of the join besides."""
    if len(stage.target) > 1:
        placed = added(frame, {stage.target: value})
        return placed.select(placed.columns)
    name = stage.target[0]
    kept = {n: col for n, col in frame.columns.items() if n != name}
    exprs = [*map(column, physical_names(kept)), *assignments(name, value)]
    return Frame(frame.lazy.select(exprs), kept | {name: column_of(value)}, frame.height)


@lowers_stage(UnionWith)
def _union(stage: UnionWith, lowering: Lowering) -> Frame:
    first, second = lowering.frame(stage.input), lowering.frame(stage.other)
    names = dict.fromkeys([*first.columns, *second.columns])
    if not names:
        decline("a union of rows without fields")
    pairs = {name: (_value(first, name), _value(second, name)) for name in names}
    height = None if first.height is None or second.height is None else first.height + second.height
    columns = {name: _united(a, b) for name, (a, b) in pairs.items()}
    sides = []
    for side, frame in enumerate((first, second)):
        exprs = [e for name, col in columns.items() for e in _aligned(name, pairs[name][side], col)]
        sides.append(frame.computed(exprs, columns).lazy.select(physical_names(columns)))
    if any(col.type.holds("decimal") for col in columns.values()):  # whose scales may differ
        return Frame(pl.concat(sides, how="vertical_relaxed"), columns, height)
    return Frame(pl.concat(sides, how="vertical"), columns, height)


def _value(frame: Frame, name: str) -> Value:
    col = frame.columns.get(name)
    if col is None:
        return MISSING_VALUE
    if col.type.kind == "mixed":
        decline("a union of fields of mixed type")
    return col.value(name)


def _united(a: Value, b: Value) -> Column:
    """The column that holds both."""
    return Column(unified([a.type, b.type]), either(a.absence, b.absence))


def _aligned(name: str, value: Value, col: Column) -> list[pl.Expr]:
    expr = widened(value, col.type)
    if col.absence != "both":
        return [expr.alias(name)]
    return assignments(name, Value(expr, col.type, "both", as_expr(value.is_missing())))


@lowers_stage(Facet)
def _facet(stage: Facet, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    shared = lowering.within(frame.over(frame.lazy.cache()))
    parts: list[pl.LazyFrame] = []
    columns: dict[str, Column] = {}
    for name, branch in stage.branches:
        made = shared.frame(branch)
        array = _gathered(made)
        parts.append(made.lazy.select(array.expr.alias(name)))
        columns[name] = column_of(array)
    return Frame(pl.concat(parts, how="horizontal"), columns, 1)


@lowers_stage(Documents)
def _documents(stage: Documents, lowering: Lowering) -> Frame:
    if not isinstance(stage.items, Literal):
        decline("computed $documents")
    return scan(Table(documents=list(stage.items.value)))
