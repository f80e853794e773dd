"""Numbers: what several lowerings do with them, and the guards around what Polars computes otherwise."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN

import polars as pl

from xrepo_nb.engines.polars.reasons import Inexact
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.types import EXACT, DataType


def as_float(value: Value) -> pl.Expr:
    """A number as a double."""
    return value.expr if value.kind == "float" else value.expr.cast(pl.Float64)


def guarded(value: pl.Expr, fails: Callable[[pl.Series], pl.Series], reason: str) -> pl.Expr:
    """The value, unless a row fails the check: then the interpreter runs the plan."""

    def check(series: pl.Series) -> pl.Series:
        if fails(series).any():
            raise Inexact(reason)
        return series

    return value.map_batches(check, is_elementwise=True)


def exact_in_float(value: Value) -> pl.Expr:
    """An int as it is, where a double would hold it: else the interpreter runs the plan."""
    low, high = value.facts.bounds
    if low >= -EXACT and high <= EXACT:
        return value.expr
    return guarded(value.expr, lambda s: (s > EXACT) | (s < -EXACT), "an int that no double holds")


def mean_of_ints(value: pl.Expr) -> pl.Expr:
    """The exact mean of ints, rounded once."""
    return quotient(value.cast(pl.Int128).sum(), value.count())


def quotient(total: pl.Expr, count: pl.Expr) -> pl.Expr:
    """An int of 128 bits by a count, rounded once; null by none.

    A total that a double holds is divided as one; of others the quotient has more bits than a double, and
    a last one that tells whether anything is left.
    """
    scaled, by = total * 2**30, count.cast(pl.Int128)
    whole = scaled // by
    exact = whole * 2 + (whole * by != scaled).cast(pl.Int128)
    plain = total.cast(pl.Float64) / count
    return (
        pl.when(count == 0)
        .then(None)
        .when(total.is_between(-EXACT, EXACT))
        .then(plain)
        .otherwise(exact.cast(pl.Float64) * 2.0**-31)
    )


def rounded(value: pl.Expr, places: int) -> pl.Expr:
    """A double at so many places, ties to even, as the interpreter has it.

    The interpreter goes by what a double is in binary; what is as close to a tie as scaling may
    err, or has no digits to spare, it rounds itself.
    """

    def run(series: pl.Series) -> pl.Series:
        found, doubtful = pl.DataFrame([series.alias("x")]).select(_nearest(places), _doubtful(places))
        if not doubtful.any():
            return found
        at = doubtful.arg_true()
        return found.scatter(at, _interpreted(series.gather(at), places))

    return value.map_batches(run, return_dtype=pl.Float64, is_elementwise=True)


def _nearest(places: int) -> pl.Expr:
    return pl.col("x").round(places, mode="half_to_even")


def _doubtful(places: int) -> pl.Expr:
    scaled = pl.col("x") * float(10**places)
    tie = (scaled - scaled.floor() - 0.5).abs() <= scaled.abs() * 1e-14
    return (tie | (scaled.abs() >= 1e14)).alias("doubtful")


def _interpreted(series: pl.Series, places: int) -> list[float]:
    from xrepo_nb.engines.document.numbers import rounded as exactly

    return [exactly(number, places, ROUND_HALF_EVEN) for number in series.to_list()]


def remainder(number: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """What is left of an int after division, with the number's sign, where Polars gives the divisor's."""
    floored = number % divisor
    return (
        pl.when((floored != 0) & ((number < 0) != (divisor < 0))).then(floored - divisor).otherwise(floored)
    )


def widened(value: Value, type_: DataType) -> pl.Expr:
    """The value's expression as the type that `unified` gave."""
    if value.type == type_ or (value.kind == "null" and type_.kind == "decimal"):
        return value.expr  # nulls of another scale would give all of them that scale
    if value.type.holds("decimal"):
        decline("decimals within values of different types")  # a cast would give all one scale
    expr = exact_in_float(value) if value.kind == "int" and type_.kind == "float" else value.expr
    return expr.cast(type_.to_polars())
