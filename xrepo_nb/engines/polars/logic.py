"""Conditions: a Polars expression, or a bool where the answer is known while lowering."""

from __future__ import annotations

import polars as pl

Condition = pl.Expr | bool


def conjunction(*conditions: Condition) -> Condition:
    """All hold; constants fold away."""
    kept = [c for c in conditions if c is not True]
    if any(c is False for c in kept):
        return False
    out: Condition = True
    for condition in kept:
        out = condition if out is True else out & condition
    return out


def disjunction(*conditions: Condition) -> Condition:
    """Any holds; constants fold away."""
    kept = [c for c in conditions if c is not False]
    if any(c is True for c in kept):
        return True
    out: Condition = False
    for condition in kept:
        out = condition if out is False else out | condition
    return out


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
