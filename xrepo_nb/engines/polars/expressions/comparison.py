"""Comparison and boolean operators. Expressions order all types, missing before null before values."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from xrepo_nb.engines.polars.logic import Condition, choose, conjunction, disjunction, negation
from xrepo_nb.engines.polars.matching import compares, relation
from xrepo_nb.engines.polars.numbers import exact_in_float
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.truth import truth
from xrepo_nb.engines.polars.values import BOOL, INT, Value, literal
from xrepo_nb.engines.typed.kinds import MIRRORED, RANKS
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call


def boolean(condition: Condition) -> Value:
    """A condition as a value that is never null."""
    if isinstance(condition, bool):
        return Value(pl.lit(condition), BOOL, "never", literal=condition)
    return Value(condition.fill_null(False), BOOL, "never")


@lowers("$eq", "$gt", "$gte", "$lt", "$lte")
def _compare(call: Call, scope: Scope) -> Value:
    left, right = (scope.typed(arg) for arg in call.args)
    return boolean(compared(call.op, left, right))


@lowers("$ne")
def _differs(call: Call, scope: Scope) -> Value:
    left, right = (scope.typed(arg) for arg in call.args)
    return boolean(negation(compared("$eq", left, right)))


@lowers("$cmp")
def _three_way(call: Call, scope: Scope) -> Value:
    left, right = (scope.typed(arg) for arg in call.args)
    less, greater = compared("$lt", left, right), compared("$gt", left, right)
    if isinstance(less, bool) and isinstance(greater, bool):
        return literal(greater - less)
    expr = choose(less, pl.lit(-1), choose(greater, pl.lit(1), pl.lit(0))).cast(pl.Int64)
    return Value(expr, INT, "never")


def compared(op: str, left: Value, right: Value) -> Condition:
    """The relation of two values in the order over all types; a null counts as false."""
    if left.is_constant and not right.is_constant:
        left, right, op = right, left, MIRRORED[op]
    both = conjunction(left.is_present(), right.is_present())
    found = conjunction(_values(op, left, right), True) if both is not False else False
    return disjunction(found, _with_absent(op, left, right))


def _values(op: str, left: Value, right: Value) -> Condition:
    """The relation where both values are there."""
    mine, other = left.bracket, right.bracket
    if mine != other:
        ordered = {"$eq": False, "$gt": RANKS[mine] > RANKS[other], "$gte": RANKS[mine] > RANKS[other]}
        holds = ordered.get(op, RANKS[mine] < RANKS[other])
        return conjunction(holds, left.is_present(), right.is_present())
    if (
        mine in ("object", "array", "binary")
        or "decimal" in (left.kind, right.kind)
        or left.kind == "date" != right.kind
    ):
        decline(f"a comparison of {left.kind} with {right.kind}")
    if mine != "number":
        return relation(op, left.expr, right.expr)
    return _numbers(op, left, right)


def _numbers(op: str, left: Value, right: Value) -> Condition:
    if right.is_constant and right.literal == right.literal:
        found = compares(op, right.literal, left)
        if left.kind == "float" and left.facts.may_be_nan and op in ("$lt", "$lte"):
            return disjunction(found, left.expr.is_nan())
        return found
    if left.kind != right.kind:
        left, right = (replace(v, expr=exact_in_float(v)) if v.kind == "int" else v for v in (left, right))
    if left.kind == right.kind == "int":
        return relation(op, left.expr, right.expr)
    if not (left.facts.may_be_nan or right.facts.may_be_nan):
        return relation(op, left.expr, right.expr)
    return _with_nan(op, left.expr, right.expr)


def _with_nan(op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """NaN is less than all numbers and equal to itself."""
    if op == "$eq":
        return left == right
    if op in ("$gt", "$gte"):
        left, right, op = right, left, MIRRORED[op]
    first, second = left.cast(pl.Float64), right.cast(pl.Float64)
    if op == "$lte":
        return (first.is_nan() & second.is_not_null()) | ((first <= second) & second.is_not_nan())
    return (first.is_nan() & second.is_not_nan()) | ((first < second) & second.is_not_nan())


def _with_absent(op: str, left: Value, right: Value) -> Condition:
    """The relation where one or both are null or missing."""
    missing = left.is_missing(), right.is_missing()
    null = left.is_null(), right.is_null()
    there = left.is_present(), right.is_present()
    equal = disjunction(conjunction(missing[0], missing[1]), conjunction(null[0], null[1]))
    less = disjunction(
        conjunction(missing[0], disjunction(null[1], there[1])),
        conjunction(null[0], there[1]),
    )
    greater = disjunction(
        conjunction(missing[1], disjunction(null[0], there[0])),
        conjunction(null[1], there[0]),
    )
    if op == "$eq":
        return equal
    ordered = greater if op in ("$gt", "$gte") else less
    return disjunction(ordered, equal) if op in ("$gte", "$lte") else ordered


@lowers("$and")
def _and(call: Call, scope: Scope) -> Value:
    return boolean(conjunction(*(truth(scope.typed(arg)) for arg in call.args)))


@lowers("$or")
def _or(call: Call, scope: Scope) -> Value:
    return boolean(disjunction(*(truth(scope.typed(arg)) for arg in call.args)))


@lowers("$not")
def _not(call: Call, scope: Scope) -> Value:
    return boolean(negation(truth(scope.typed(call.args[0]))))
