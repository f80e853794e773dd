"""Window operators: expressions over the rows around each row, in a frame sorted by partition and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from xrepo_nb.core.entering import entering
from xrepo_nb.core.errors import an
from xrepo_nb.engines.polars.accumulators import Rows, accumulated
from xrepo_nb.engines.polars.frame import column
from xrepo_nb.engines.polars.numbers import as_float, exact_in_float, guarded, widened
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import FLOAT, INT, NULL_VALUE, Value, unified
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import Accumulator, Window, WindowOutput
from xrepo_nb.query.units import FIXED

ROW, PART, KEY, TIES = "\0row", "\0part", "\0key", "\0ties"
FAR = 2**31
"""Further away than any row."""

FAR_KEY = 2**61
"""Further apart than the ints that a range window takes as keys; see `within_reach`."""

FOREVER = 10**18
"""Microseconds, longer than any dates are apart."""

Operator = Callable[[WindowOutput, "Partition"], Value]
OPERATORS: dict[str, Operator] = {}


windows = entering(OPERATORS)
"""Registers the lowering of operators that have a window of their own."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of a partition, in order: the scope, the sort key's value, how many rows at most."""

    scope: Scope
    key: Value | None
    height: int | None

    def over(self, expr: pl.Expr) -> pl.Expr:
        """The expression within each partition."""
        return expr.over(PART)

    def argument(self, output: WindowOutput, name: str | None = None) -> Value:
        """The argument, by name or the only one: a value for each row, also of a constant."""
        given = output.needed(name) if name else output.args[0]
        return Rows(self.scope, self.height, place=column(ROW)).column(given)


@windows("$documentNumber")
def _number(output: WindowOutput, rows: Partition) -> Value:
    return Value(rows.over(pl.int_range(1, pl.len() + 1, dtype=pl.Int64)), INT, "never")


@windows("$denseRank")
def _dense_rank(output: WindowOutput, rows: Partition) -> Value:
    return Value(column(TIES).cast(pl.Int64) + 1, INT, "never")


@windows("$rank")
def _rank(output: WindowOutput, rows: Partition) -> Value:
    row = column(ROW)
    return Value(row.first().over(PART, TIES) - row.first().over(PART) + 1, INT, "never")


@windows("$shift")
def _shift(output: WindowOutput, rows: Partition) -> Value:
    value = rows.argument(output, "output")
    by, default = int(output.constant("by")), output.option("default")
    if value.absence in ("missing", "both"):
        decline("$shift of a field that may be missing")
    fill = NULL_VALUE if default is None else rows.scope.typed(default)
    type_ = unified([value.type, fill.type])
    moved = widened(value, type_).shift(-by, fill_value=None)
    if fill.kind != "null":
        place = pl.int_range(pl.len())
        target = place + by
        moved = pl.when((target >= 0) & (target < pl.len())).then(moved).otherwise(widened(fill, type_))
        return Value(rows.over(moved), type_, value.absence)
    return Value(rows.over(moved), type_, "null")


@windows("$locf")
def _locf(output: WindowOutput, rows: Partition) -> Value:
    return carried(rows.argument(output), rows)


def carried(value: Value, rows: Partition) -> Value:
    """The value, or the last one before it that is there."""
    return Value(rows.over(value.expr.forward_fill()), value.type, "null")


@windows("$linearFill")
def _linear(output: WindowOutput, rows: Partition) -> Value:
    return on_the_line(rows.argument(output), rows)


def on_the_line(value: Value, rows: Partition) -> Value:
    """The value, or what lies on the line between the values before and after it."""
    filled = rows.over(interpolated(value, rows.key))
    again = rows.over(column(KEY) == column(KEY).shift())
    once = guarded(again, lambda s: s, "a linear fill by a key that comes twice")
    return Value(pl.when(once).then(None).otherwise(filled), FLOAT, "null")


def interpolated(value: Value, key: Value | None) -> pl.Expr:
    """Nulls between two values on the line through them, by the sort key."""
    if key is None or key.may_be_absent or key.kind not in ("int", "float", "datetime"):
        decline("a linear fill by a key that is no number or date")
    if not value.is_number:
        decline(f"a linear fill of {an(value.kind)}")
    by = key.expr.cast(pl.Int64) if key.kind == "datetime" else key.expr
    if value.kind == "int":
        return exact_in_float(value).cast(pl.Float64).interpolate_by(by)
    finite = guarded(value.expr, lambda s: s.is_infinite(), "a linear fill from or to infinity")
    return as_float(replace(value, expr=finite)).interpolate_by(by)


@windows("$expMovingAvg")
def _moving(output: WindowOutput, rows: Partition) -> Value:
    value = rows.argument(output, "input")
    if not value.is_number or value.may_be_absent:
        decline("$expMovingAvg of what may be no number")
    count = output.constant("N")
    weight = output.constant("alpha") if count is None else 2 / (count + 1)
    expr = value.expr.cast(pl.Float64).ewm_mean(alpha=weight, adjust=False)
    return Value(rows.over(expr), FLOAT, "never")


def accumulator(output: WindowOutput, rows: Partition) -> Value:
    """The accumulator of an output, over whatever rows it will be given."""
    made = Accumulator(output.path[-1], output.op, output.args, output.options, output.at)
    least = int(holds_its_row(output.window))
    return accumulated(made, Rows(rows.scope, rows.height, least, place=column(ROW), shifted=True))


def holds_its_row(window: Window | None) -> bool:
    """Whether the window of every row holds that row, so that none is empty."""
    if window is None:
        return True
    low, high = _bound(window.lower, -FAR), _bound(window.upper, FAR)
    return isinstance(low, int) and isinstance(high, int) and low <= 0 <= high


def is_whole(window: Window | None) -> bool:
    """Whether the window is the whole partition."""
    return window is None or (window.lower == "unbounded" and window.upper == "unbounded")


Span = tuple[str, str, str, tuple[str, ...]]
"""Index column, period, offset (the window is open on the left), and the columns by which results are
matched to rows."""


def span(window: Window, key: Value | None) -> Span:
    """The window as Polars' `rolling` takes it."""
    far = FAR if window.kind == "documents" else FAR_KEY
    low, high = _bound(window.lower, -far), _bound(window.upper, far)
    if not (isinstance(low, int) and isinstance(high, int)):
        decline("a window with fractions")
    low, high = max(low, -FAR_KEY), min(high, FAR_KEY)
    if window.kind == "documents":
        return ROW, f"{high - low + 1}i", f"{low - 1}i", (ROW,)
    if key is None or key.may_be_absent:
        decline("a range window over a key that may be absent")
    if key.kind == "int" and window.unit is None:
        return KEY, f"{high - low + 1}i", f"{low - 1}i", (PART, KEY)
    unit = FIXED.get(window.unit or "")
    if key.kind != "datetime" or unit is None:
        decline(f"a range window of unit {window.unit} over {an(key.kind)}")
    low, high = max(low, -FOREVER // unit), min(high, FOREVER // unit)
    return KEY, f"{(high - low) * unit + 1}i", f"{low * unit - 1}i", (PART, KEY)


def placed(key: Value) -> pl.Expr:
    """The sort key as Polars rolls over it: dates as microseconds, because its spans end at 292 years."""
    return key.expr.dt.timestamp("us") if key.kind == "datetime" else key.expr


def within_reach(key: Value) -> pl.Expr:
    """The key column of a range window, whose bounds may not pass 64 bits."""
    low, high = key.facts.bounds
    most = FAR_KEY // 2
    if key.kind != "int" or (low >= -most and high <= most):
        return column(KEY)
    return guarded(column(KEY), lambda s: (s > most) | (s < -most), "a range around a very large int")


def _bound(given: Any, far: int) -> Any:
    if given == "unbounded":
        return far
    return 0 if given == "current" else given
