"""Groups by direct addressing: which accumulators can be made so, and where it is faster than hashing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.accumulators import LARGE, Rows
from xrepo_nb.engines.polars.direct import Count, Farthest, Function, Groups, Mean, Output, Reduced
from xrepo_nb.engines.polars.frame import Frame
from xrepo_nb.engines.polars.stages.keys import PACKED, Packing
from xrepo_nb.engines.polars.values import NULL_VALUE, Value
from xrepo_nb.query.expressions import Expr, FieldRef, Literal
from xrepo_nb.query.plan import Accumulator
from xrepo_nb.schema.types import EXACT

ROWS = 500_000
"""Rows from which on it pays to import NumPy."""
GROUPS = 10_000
"""Groups from which on hashing is slower, where it need not order the rows of each."""
ROWS_EACH = 4
"""Rows of a group, on average, below which the arrays would be larger than the rows."""
CORES = 4
"""Cores with which hashing, which uses all of them, is as fast."""
REDUCTIONS = 4
"""Reductions up to which it pays: each takes another look at the rows. Outputs of one field share them."""


@frozen
class Totals:
    """The outputs of a group, their dtypes, and the columns that they are made of."""

    outputs: Sequence[Output]
    dtypes: Mapping[str, Any]
    columns: Mapping[str, pl.Expr]

    def by(self, key: Packing, frame: Frame) -> pl.LazyFrame | None:
        """A row for each value of the key that occurs; None where hashing is as fast."""
        ordered = any(isinstance(output, Farthest) for output in self.outputs)
        if key.size * ROWS_EACH > (frame.height or 0) or (key.size < GROUPS and not ordered):
            return None
        rows = frame.lazy.select(key.number.alias(PACKED), *(e.alias(n) for n, e in self.columns.items()))
        outputs, size = self.outputs, key.size
        return rows.map_batches(
            lambda rows: Groups(rows, PACKED, size).gathered(outputs),
            schema={PACKED: pl.Int64, **self.dtypes},
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
        )


def totals_of(accumulators: Sequence[Accumulator], rows: Rows) -> Totals | None:
    """The accumulators as totals; None where one has none, or where it would not pay."""
    if (rows.height or 0) < ROWS or pl.thread_pool_size() > CORES:
        return None
    totals = []
    for accumulator in accumulators:
        total = _total(accumulator, rows)
        if total is None:
            return None
        totals.append(total)
    outputs = [total.output for total in totals]
    reductions = {reduction for output in outputs for reduction in output.reductions}
    if sum(reduction.ways for reduction in reductions) > REDUCTIONS:
        return None
    dtypes = {total.output.name: total.dtype for total in totals}
    return Totals(outputs, dtypes, {name: expr for total in totals for name, expr in total.columns.items()})


@frozen
class _Total:
    """One output."""

    output: Output
    dtype: Any
    columns: Mapping[str, pl.Expr]


def _total(accumulator: Accumulator, rows: Rows) -> _Total | None:
    op = accumulator.op
    if op in ("$minN", "$maxN"):
        return _farthest(accumulator, rows)
    given = accumulator.args[0] if accumulator.args else Literal(1)
    if op in ("$sum", "$count") and isinstance(given, Literal):
        return _count(accumulator.name, given.value)
    make = _TOTALS.get(op)
    value = rows.argument(accumulator) if make is not None else NULL_VALUE
    return make(accumulator, value, rows) if make is not None and value.is_number else None


def _count(name: str, times: Any) -> _Total | None:
    if type(times) is not int or abs(times) > LARGE:
        return None
    return _Total(Count(name, times), pl.Int64, {})


def _sum(accumulator: Accumulator, value: Value, rows: Rows) -> _Total | None:
    return _reduced("add", accumulator, value) if _within(2**63, value, rows) else None


def _within(limit: int, value: Value, rows: Rows) -> bool:
    """Whether no sum of a number from each row reaches the limit, where it is one of ints."""
    low, high = value.facts.bounds
    return value.kind == "float" or max(-low, high) * (rows.height or 0) < limit


def _mean(accumulator: Accumulator, value: Value, rows: Rows) -> _Total | None:
    if not _within(EXACT, value, rows):
        return None
    name, column, present = accumulator.name, _column(accumulator, accumulator.args[0]), None
    columns = {column: _filled(value)}
    if value.may_be_absent:
        present = f"{PACKED}\0present {column}"
        columns[present] = value.expr.is_not_null().cast(pl.Int64)
    return _Total(Mean(name, column, present), pl.Float64, columns)


def _extreme(accumulator: Accumulator, value: Value, rows: Rows) -> _Total | None:
    return _reduced(_FARTHER[accumulator.op], accumulator, value) if _has_order(value) else None


def _has_order(value: Value) -> bool:
    """Whether all are numbers that can be compared."""
    return not (value.may_be_absent or (value.kind == "float" and value.facts.may_be_nan))


def _reduced(function: Function, accumulator: Accumulator, value: Value) -> _Total:
    column = _column(accumulator, accumulator.args[0])
    output = Reduced(accumulator.name, function, column)
    return _Total(output, _DTYPES[value.kind], {column: _filled(value)})


def _filled(value: Value) -> pl.Expr:
    return value.expr.fill_null(0) if value.may_be_absent else value.expr


def _column(accumulator: Accumulator, of: Expr) -> str:
    """The column that an accumulator reduces: one for all that are of the same field."""
    path = "\0".join(of.path) if isinstance(of, FieldRef) else f"\0{accumulator.name}"
    return f"{PACKED} {path}"


def _farthest(accumulator: Accumulator, rows: Rows) -> _Total | None:
    value, count = rows.option(accumulator, "input"), accumulator.constant("n")
    if not (value.is_number and _has_order(value) and isinstance(count, int) and 0 < count <= REDUCTIONS):
        return None
    name, column = accumulator.name, _column(accumulator, accumulator.needed("input"))
    output = Farthest(name, _FARTHER[accumulator.op], column, count)
    return _Total(output, pl.List(_DTYPES[value.kind]), {column: value.expr})


_TOTALS: Mapping[str, Callable[[Accumulator, Value, Rows], _Total | None]] = {
    "$sum": _sum, "$avg": _mean, "$min": _extreme, "$max": _extreme,
}  # fmt: skip
_FARTHER: Mapping[str, Function] = {
    "$min": "minimum", "$minN": "minimum", "$max": "maximum", "$maxN": "maximum",
}  # fmt: skip
_DTYPES = {"int": pl.Int64, "float": pl.Float64}
