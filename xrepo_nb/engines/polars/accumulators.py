"""Accumulators: expressions over the rows of a group, also over a whole frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from xrepo_nb.core.entering import entering
from xrepo_nb.core.errors import an
from xrepo_nb.engines.document.expressions.arrays import element_order
from xrepo_nb.engines.polars.facts import INT64, Facts, fits
from xrepo_nb.engines.polars.frame import column
from xrepo_nb.engines.polars.logic import as_expr, negation
from xrepo_nb.engines.polars.numbers import as_float, exact_in_float, mean_of_ints
from xrepo_nb.engines.polars.order import Order
from xrepo_nb.engines.polars.paths import member
from xrepo_nb.engines.polars.reasons import Close
from xrepo_nb.engines.polars.scope import Scope, document
from xrepo_nb.engines.polars.values import FLOAT, INT, NULL_VALUE, Value
from xrepo_nb.engines.typed.kinds import SORTED
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Expr, FieldRef, Literal
from xrepo_nb.query.plan import Accumulator
from xrepo_nb.schema.types import EXACT, Absence, DataType

Lowering = Callable[[Accumulator, "Rows"], Value]
ACCUMULATORS: dict[str, Lowering] = {}


accumulates = entering(ACCUMULATORS)
"""Registers the lowering of accumulators; it may decline."""


class Rows:
    """The rows that an accumulator sees: their scope, how many there are at least and at most, and, in a
    window, a column of theirs that is never absent nor negative; whether deviations are `shifted`."""

    __slots__ = ("height", "least", "place", "scope", "shifted")

    def __init__(
        self,
        scope: Scope,
        height: int | None,
        least: int = 0,
        place: pl.Expr | None = None,
        *,
        shifted: bool = False,
    ) -> None:
        self.scope = scope
        self.height = height
        self.least = least
        self.place = place
        self.shifted = shifted

    def argument(self, accumulator: Accumulator) -> Value:
        """The only argument."""
        return self.column(accumulator.args[0])

    def option(self, accumulator: Accumulator, name: str) -> Value:
        """A named argument."""
        return self.column(accumulator.needed(name))

    def chosen(self, value: Value, expr: pl.Expr) -> Value:
        """One of a value's values over the rows; null where there are no rows."""
        if self.least:
            return Value(expr, value.type, value.absence, facts=value.facts)
        return Value(expr, value.type, "null", facts=Facts(value.facts.bounds))

    def found(self, value: Value) -> Absence:
        """The absence of what is null in rows without any value, which needs absent ones, or no rows."""
        return "never" if value.absence == "never" and self.least else "null"

    def column(self, expr: Expr) -> Value:
        """An expression's value for each row, also where it is a constant."""
        value = self.scope.typed(expr)
        if (isinstance(expr, FieldRef) and value.kind != "null") or value.expr.meta.root_names():
            return value
        place = _place(self.scope) if self.place is None else self.place
        each = pl.when(place >= 0).then(value.expr)
        return replace(value, expr=each)


def _place(scope: Scope) -> pl.Expr:
    """Not made of constants only where there is any column: in groups Polars takes those for one row."""
    name = next(iter(scope.columns or ()), None)
    return pl.int_range(pl.len()) if name is None else column(name).is_null().cast(pl.Int8)


def accumulated(accumulator: Accumulator, rows: Rows) -> Value:
    """The value of an accumulator; declines where it has no lowering."""
    lowering = ACCUMULATORS.get(accumulator.op)
    if lowering is None:
        decline(f"the accumulator {accumulator.op} has no lowering")
    return lowering(accumulator, rows)


@accumulates("$sum")
def _sum(accumulator: Accumulator, rows: Rows) -> Value:
    given = accumulator.args[0]
    if isinstance(given, Literal) and type(given.value) is int:
        return _counted(given.value, rows)
    value = rows.argument(accumulator)
    if value.kind == "float":
        return Value(value.expr.sum(), FLOAT, "never")
    if value.kind == "decimal":
        decline("$sum of decimals")
    if value.kind != "int":
        return Value(COUNT * 0, INT, "never", facts=Facts((0, 0)))
    return int_sum(value, rows.height)


COUNT = pl.len().cast(pl.Int64)
"""How many rows there are."""
LARGE = 2**31
"""A number beyond which so many times each row may leave 64 bits."""


def _counted(each: int, rows: Rows) -> Value:
    expr = COUNT
    if each != 1:
        if abs(each) > LARGE:
            decline("$sum of a large constant")
        expr = expr * each
    return Value(expr, INT, "never", facts=_multiples(each, rows))


def _multiples(each: int, rows: Rows) -> Facts:
    """What is known of a count of rows, times a number."""
    ends = each * rows.least, each * (_MOST if rows.height is None else rows.height)
    return Facts((min(ends), max(ends)))


_MOST = 2**32
"""More rows a Polars frame does not have."""


def int_sum(value: Value, height: int | None) -> Value:
    """The sum of ints; the strict cast fails past 64 bits, where the sum is a double."""
    low, high = value.facts.bounds
    bounds = (min(low, 0) * height, max(high, 0) * height) if height is not None else INT64
    if height is not None and fits(bounds):
        return Value(value.expr.sum(), INT, "never", facts=Facts(bounds))
    return Value(value.expr.cast(pl.Int128).sum().cast(pl.Int64), INT, "never")


@accumulates("$count")
def _count(accumulator: Accumulator, rows: Rows) -> Value:
    return _counted(1, rows)


@accumulates("$avg")
def _avg(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind == "decimal":
        decline("$avg of decimals")
    if not value.is_number:
        return Value(pl.lit(None, dtype=pl.Float64).first(), FLOAT, "null")
    return Value(_mean(value, rows.height), FLOAT, rows.found(value))


def _mean(value: Value, height: int | None) -> pl.Expr:
    """The mean of numbers; that of ints whose sum no double may hold is of their exact sum."""
    low, high = value.facts.bounds
    if value.kind != "int" or (height is not None and max(-low, high) * height <= EXACT):
        return value.expr.mean()
    return mean_of_ints(value.expr)


@accumulates("$min", "$max")
def _extreme(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind == "null":
        return NULL_VALUE
    if value.kind not in SORTED:
        decline(f"{accumulator.op} of {an(value.kind)}")
    return rows.chosen(replace(value, absence=rows.found(value)), extreme(accumulator.op, value))


def extreme(op: str, value: Value) -> pl.Expr:
    """The least or the greatest of values that have an order."""
    if op == "$max":
        return value.expr.max()
    nan = value.kind == "float" and value.facts.may_be_nan
    return value.expr.nan_min() if nan else value.expr.min()


@accumulates("$first", "$last")
def _end(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator).nullable()
    expr = value.expr.first() if accumulator.op == "$first" else value.expr.last()
    return rows.chosen(value, expr)


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
    numbers = exact_in_float(value) if value.kind == "int" else value.expr
    return Value(_spread(numbers, int(sample), rows), FLOAT, "null" if sample else rows.found(value))


def _spread(numbers: pl.Expr, less: int, rows: Rows) -> pl.Expr:
    """The standard deviation. Polars' own loses as many digits as the numbers are further from zero than
    from each other, unless they are shifted; shifting keeps it from reducing rows as it goes."""
    if rows.shifted:
        apart = numbers - numbers.min()
        # Of one null, where it is computed, and of one NaN Polars takes the deviation for zero.
        return pl.when(numbers.count() > 0).then(apart.std(ddof=less) + (apart.max() - apart.max()))
    return pl.map_batches(
        [numbers.std(ddof=less), numbers.max()], _far_apart, return_dtype=pl.Float64, is_elementwise=True
    )


def _far_apart(parts: Sequence[pl.Series]) -> pl.Series:
    """Deviations, unless one is so small beside a number of its group that digits are lost."""
    deviation, number = parts[0], parts[1].cast(pl.Float64)
    if ((deviation > 0) & (deviation < number.abs() * _NEAR)).any():
        raise Close("a deviation of numbers close together")
    return deviation + (number - number)  # that of one NaN is none, not zero


_NEAR = 2.0**-13
"""Of a number: deviations above keep twelve digits."""


@accumulates("$firstN", "$lastN", "$minN", "$maxN")
def _several(accumulator: Accumulator, rows: Rows) -> Value:
    count, value = _count_of(accumulator), rows.option(accumulator, "input").nullable()
    op, expr = accumulator.op, value.expr
    if op in ("$firstN", "$lastN"):
        chosen = expr.head(count) if op == "$firstN" else expr.tail(count)
    else:
        chosen = _extremes(op, value, count)
    return Value(chosen.implode(), DataType("array", item=value.type), "never")


def _count_of(accumulator: Accumulator) -> int:
    count = accumulator.constant("n")
    if not isinstance(count, int) or count < 1:
        decline(f"{accumulator.op} of a computed number")
    return count


def _extremes(op: str, value: Value, count: int) -> pl.Expr:
    """The least or greatest values in order, without absent ones."""
    if value.kind not in SORTED:
        decline(f"{op} of {an(value.kind)}")
    largest = op == "$maxN"
    if value.kind == "float" and value.facts.may_be_nan:
        present = value.expr.drop_nulls()
        return present.sort_by([present.is_not_nan(), present], descending=largest).head(count)
    # A sort of each group and its head: faster in groups than `top_k`.
    present = value.expr.drop_nulls() if value.may_be_absent else value.expr
    return present.sort(descending=largest).head(count)


@accumulates("$top", "$bottom", "$topN", "$bottomN")
def _best(accumulator: Accumulator, rows: Rows) -> Value:
    op, value = accumulator.op, rows.option(accumulator, "output").nullable()
    keys = element_order(accumulator.constant("sortBy"))
    assert not isinstance(keys, int)
    expr = value.expr
    if expr.meta.root_names():  # Polars reads beyond a constant's end when it sorts one in groups
        expr = Order(keys, rows.scope).applied(expr)
    if op in ("$top", "$bottom"):
        chosen = expr.first() if op == "$top" else expr.last()
        return rows.chosen(value, chosen)
    count = _count_of(accumulator)
    chosen = expr.head(count) if op == "$topN" else expr.tail(count)
    return Value(chosen.implode(), DataType("array", item=value.type), "never")


@accumulates("$median", "$percentile")
def _percentile(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.option(accumulator, "input")
    if not value.is_number:
        decline(f"{accumulator.op} of {an(value.kind)}")
    if accumulator.op == "$median":
        return Value(_at_point(value, 0.5), FLOAT, rows.found(value))
    points = accumulator.constant("p")
    if points is None:
        decline("$percentile at computed points")
    found = pl.concat_list([_at_point(value, float(point)) for point in points])
    return Value(found, DataType("array", item=FLOAT), "never")


def _at_point(value: Value, point: float) -> pl.Expr:
    """The number at rank ceil(n * point), NaN left out."""
    numbers = as_float(value)
    if value.kind == "float" and value.facts.may_be_nan:
        numbers = numbers.filter(numbers.is_not_nan())
    if point == 0.5:
        # The lower of the two middle ones, for which Polars need not sort.
        return numbers.quantile(0.5, "lower")
    present = numbers.drop_nulls()
    # The length of the unsorted ones: of both, Polars would compute but that and forget the sort.
    rank = (present.len() * point).ceil().cast(pl.Int64).clip(1) - 1
    return present.sort().get(rank, null_on_oob=True)


@accumulates("$covariancePop", "$covarianceSamp")
def _covariance(accumulator: Accumulator, rows: Rows) -> Value:
    left, right = (rows.column(arg) for arg in accumulator.args)
    if not (left.is_number and right.is_number):
        decline(f"{accumulator.op} of other than numbers")
    sample = accumulator.op == "$covarianceSamp"
    xs, ys = as_float(left), as_float(right)
    found = pl.cov(xs, ys, ddof=int(sample))
    if "float" in (left.kind, right.kind):
        found = found + ((xs - xs) + (ys - ys)).max()  # of one pair with NaN or infinity Polars has zero
    return Value(found, FLOAT, "null")


@accumulates("$mergeObjects")
def _merged(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind != "object":
        decline(f"$mergeObjects of {an(value.kind)}")
    fields = {}
    for field in value.type.fields:
        inner = member(value, field.name)
        missing = inner.is_missing()
        kept = inner.expr if missing is False else inner.expr.filter(as_expr(negation(missing)))
        absence: Absence = (
            "missing" if value.absence != "never" and field.absence == "never" else field.absence
        )
        if value.absence != "never" and field.absence == "null":
            decline("$mergeObjects of documents that may be absent and hold nulls")
        fields[field.name] = Value(kept.last(), field.type, absence)
    return document(fields)


@accumulates("$concatArrays", "$setUnion")
def _concatenated(accumulator: Accumulator, rows: Rows) -> Value:
    value = rows.argument(accumulator)
    if value.kind != "array" or value.may_be_absent:
        decline(f"{accumulator.op} of what may be no array")
    items = value.expr.explode(empty_as_null=False, keep_nulls=False)
    if accumulator.op == "$setUnion":
        items = items.unique(maintain_order=True)
    return Value(items.implode(), value.type, "never")
