"""Conditions: a Polars expression, or a bool where the answer is known while lowering."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_

import polars as pl

Condition = pl.Expr | bool


def conjunction(*conditions: Condition) -> Condition:
    """All hold; constants fold away."""
    kept = [c for c in conditions if not isinstance(c, bool)]
    if any(c is False for c in conditions):
        return False
    if not kept:
        return True
    return reduce(and_, kept) if len(kept) <= _FEW else _in_parts(kept, pl.all_horizontal)


def disjunction(*conditions: Condition) -> Condition:
    """Any holds; constants fold away."""
    kept = [c for c in conditions if not isinstance(c, bool)]
    if any(c is True for c in conditions):
        return True
    if not kept:
        return False
    return reduce(or_, kept) if len(kept) <= _FEW else _in_parts(kept, pl.any_horizontal)


_FEW = 16
"""Beyond so many they are no tree of pairs: one of a thousand takes Polars seconds to plan."""
_PART = 128
"""So many conditions Polars keeps in memory side by side, each as a column of bits."""


def _in_parts(conditions: list[pl.Expr], join: Callable[[list[pl.Expr]], pl.Expr]) -> pl.Expr:
    while len(conditions) > _PART:
        conditions = [join(conditions[i : i + _PART]) for i in range(0, len(conditions), _PART)]
    return join(conditions)


def negation(condition: Condition) -> Condition:
    """It does not hold, where a null counts as not holding."""
    return not condition if isinstance(condition, bool) else ~condition.fill_null(False)


def certain(condition: Condition) -> Condition:
    """The condition, where a null counts as not holding."""
    return condition if isinstance(condition, bool) else condition.fill_null(False)


def as_expr(condition: Condition) -> pl.Expr:
    """The condition as a Polars expression."""
    return pl.lit(condition) if isinstance(condition, bool) else condition


def choose(condition: Condition, then: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
    """`then` where the condition holds, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    return pl.when(condition).then(then).otherwise(otherwise)
