"""Conditional operators: `$cond`, `$switch`, `$ifNull`."""

from __future__ import annotations

from xrepo_nb.engines.polars.logic import Condition, certain, choose, conjunction, disjunction, negation
from xrepo_nb.engines.polars.numbers import widened
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.truth import truth
from xrepo_nb.engines.polars.values import Value, unified
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call

Branch = tuple[Condition, Value]


@lowers("$cond")
def _cond(call: Call, scope: Scope) -> Value:
    test, then, otherwise = call.args
    return branched([(truth(scope.typed(test)), scope.typed(then))], scope.typed(otherwise))


@lowers("$switch")
def _switch(call: Call, scope: Scope) -> Value:
    default = call.option("default")
    if default is None:
        decline("$switch without a default, which fails where no branch holds")
    pairs = zip(call.args[::2], call.args[1::2], strict=True)
    branches = [(truth(scope.typed(case)), scope.typed(then)) for case, then in pairs]
    return branched(branches, scope.typed(default))


@lowers("$ifNull")
def _if_null(call: Call, scope: Scope) -> Value:
    values = [scope.typed(arg) for arg in call.args]
    return branched([(value.is_present(), value) for value in values[:-1]], values[-1])


def branched(branches: list[Branch], default: Value) -> Value:
    """The value of the first branch whose condition holds."""
    branches = [(c, v) for c, v in branches if c is not False]
    taken = next((i for i, (c, _) in enumerate(branches) if c is True), None)
    if taken is not None:
        default, branches = branches[taken][1], branches[:taken]
    if not branches:
        return default
    values = [value for _, value in branches] + [default]
    type_ = unified([value.type for value in values])
    cast = [widened(v, type_) for v in values]
    expr = cast[-1]
    null, missing = default.is_null(), default.is_missing()
    for (condition, value), part in zip(reversed(branches), reversed(cast[:-1]), strict=True):
        expr = choose(condition, part, expr)
        null = _either(condition, value.is_null(), null)
        missing = _either(condition, value.is_missing(), missing)
    return Value(expr, type_).with_absence(null, missing)


def _either(condition: Condition, then: Condition, otherwise: Condition) -> Condition:
    if then is False and otherwise is False:
        return False
    return disjunction(conjunction(certain(condition), then), conjunction(negation(condition), otherwise))
