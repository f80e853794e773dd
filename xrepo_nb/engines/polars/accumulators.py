"""Accumulators: expressions over the rows of a group, also over a whole frame."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from xrepo_nb.engines.polars.expressions.arithmetic import as_float
from xrepo_nb.engines.polars.facts import Facts, fits
from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import FLOAT, INT, Value
from xrepo_nb.query.plan import Accumulator
from xrepo_nb.schema.types import DataType

Lowering = Callable[[Accumulator, "Rows"], Value]
ACCUMULATORS: dict[str, Lowering] = {}


def accumulates(*names: str) -> Callable[[Lowering], Lowering]:
    """Registers the lowering of accumulators; it may decline."""

    def register(function: Lowering) -> Lowering:
        ACCUMULATORS.update(dict.fromkeys(names, function))
        return function

    return register


class Rows:
    """The rows that an accumulator sees: their scope, and how many there are at most."""

    __slots__ = ("height", "scope")

    def __init__(self, scope: Scope, height: int | None) -> None:
        self.scope = scope
        self.height = height

    def argument(self, accumulator: Accumulator) -> Value:
        """The only argument."""
        return self.scope.typed(accumulator.args[0])


def accumulated(accumulator: Accumulator, rows: Rows) -> Value:
    """The value of an accumulator; declines where it has no lowering."""
    lowering = ACCUMULATORS.get(accumulator.op)
    if lowering is None:
        decline(f"the accumulator {accumulator.op} has no lowering")
    return lowering(accumulator, rows)


@accumulates("$sum")
def _sum(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.is_literal and value.kind == "int":
        return _counted(value.literal, rows)
    if value.kind == "float":
        return Value(value.expr.sum(), FLOAT, "never")
    if value.kind == "decimal":
        decline("$sum of decimals")
    if value.kind != "int":
        return Value(pl.len().cast(pl.Int64) * 0, INT, "never", facts=Facts((0, 0)))
    return Value(int_sum(value, rows.height), INT, "never")


def _counted(each: int, rows: Rows) -> Value:
    expr = pl.len().cast(pl.Int64)
    if each != 1:
        if abs(each) > 2**31:
            decline("$sum of a large constant")
        expr = expr * each
    return Value(expr, INT, "never")


def int_sum(value: Value, height: int | None) -> pl.Expr:
    """The sum of ints; the strict cast fails past 64 bits, where the sum is a double."""
    low, high = value.facts.bounds
    if height is not None and fits((min(low, 0) * height, max(high, 0) * height)):
        return value.expr.sum()
    return value.expr.cast(pl.Int128).sum().cast(pl.Int64)


@accumulates("$count")
def _count(accumulator: Accumulator, rows: Rows) -> Value:
    return Value(pl.len().cast(pl.Int64), INT, "never")


@accumulates("$avg")
def _avg(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind == "decimal":
        decline("$avg of decimals")
    if not value.is_number:
        return Value(pl.lit(None, dtype=pl.Float64).first(), FLOAT, "null")
    return Value(value.expr.mean(), FLOAT, _ever(value))


def _ever(value: Value) -> str:
    """Null in a group without any value, which needs absent ones."""
    return "never" if value.absence == "never" else "null"


ORDERED = frozenset({"int", "float", "string", "bool", "datetime", "date", "time", "objectid", "decimal"})


@accumulates("$min", "$max")
def _extreme(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind not in ORDERED:
        decline(f"{accumulator.op} of a {value.kind}")
    if accumulator.op == "$max":
        expr = value.expr.max()
        if value.kind == "float" and value.facts.may_be_nan:
            # Polars leaves NaN out; it is the greatest only where there is nothing else.
            expr = expr
    else:
        nan = value.kind == "float" and value.facts.may_be_nan
        expr = value.expr.nan_min() if nan else value.expr.min()
    return Value(expr, value.type, _ever(value), facts=value.facts)


@accumulates("$first", "$last")
def _end(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator).nullable()
    expr = value.expr.first() if accumulator.op == "$first" else value.expr.last()
    return Value(expr, value.type, value.absence, facts=value.facts)


@accumulates("$push")
def _push(accumulator: Accumulator, rows: Rows) -> Value:
    return listed(rows.argument(accumulator))


def listed(value: Value) -> Value:
    """The array of a value over the rows, missing ones left out."""
    return Value(_kept(value).implode(), DataType("array", item=value.type), "never")


def _kept(value: Value) -> pl.Expr:
    if value.absence == "missing":
        return value.expr.drop_nulls()
    if value.absence == "both":
        assert value.missing is not None
        return value.expr.filter(~value.missing)
    return value.expr


@accumulates("$addToSet")
def _add_to_set(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    return Value(
        _kept(value).unique(maintain_order=True).implode(), DataType("array", item=value.type), "never"
    )


@accumulates("$stdDevPop", "$stdDevSamp")
def _deviation(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind == "decimal":
        decline(f"{accumulator.op} of decimals")
    if not value.is_number:
        return Value(pl.lit(None, dtype=pl.Float64).first(), FLOAT, "null")
    sample = accumulator.op == "$stdDevSamp"
    return Value(as_float(value).std(ddof=int(sample)), FLOAT, "null" if sample else _ever(value))
