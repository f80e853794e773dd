"""Types of accumulators and window operators."""

from __future__ import annotations

from collections.abc import Callable

from xrepo_nb.query.operators import by_operator
from xrepo_nb.query.plan import Outcome
from xrepo_nb.query.typing.expressions import Scope, type_of
from xrepo_nb.query.typing.values import (
    MIXED,
    UNKNOWN,
    Value,
    array_of,
    lineage,
    summed,
    union,
)
from xrepo_nb.schema.types import Absence, DataType, Kind

Rule = Callable[[Value], Value]


def accumulated(outcome: Outcome, scope: Scope) -> Value:
    """The type of one output of a group or window."""
    here = scope.placed(outcome.at)
    values = [type_of(item, here) for item in outcome.args]
    named = {name: type_of(item, here) for name, item in outcome.options}
    rule = _RULES.get(outcome.op)
    if rule is None:
        return Value(MIXED, "both", lineage(*values, *named.values()))
    main = values[0] if values else named.get("output") or named.get("input") or UNKNOWN
    if outcome.op == "$shift" and "default" in named:
        return union([main, named["default"]])
    found = rule(main)
    return Value(found.type, found.absence, lineage(*values, *named.values()))


def _plain(kind: Kind, absence: Absence = "null") -> Rule:
    found = Value(DataType(kind), absence)
    return lambda value: found


def _sum(value: Value) -> Value:
    return Value(summed([value.type]))


def _real(value: Value) -> Value:
    return Value(DataType("decimal" if value.kind == "decimal" else "float"), "null")


def _points(value: Value) -> Value:
    return array_of(Value(DataType("float")), "null")


_RULES: dict[str, Rule] = by_operator(
    ("sum", _sum),
    ("count rank denseRank documentNumber", _plain("int", "never")),
    ("avg expMovingAvg", _real),
    ("stdDevPop stdDevSamp covariancePop covarianceSamp derivative integral minMaxScaler", _plain("float")),
    ("median", _plain("float")),
    ("percentile", _points),
    ("min max first last top bottom", Value.nullable),
    ("linearFill locf shift", lambda value: value.absent("null")),
    ("push addToSet topN bottomN firstN lastN minN maxN", array_of),
    ("concatArrays setUnion mergeObjects", lambda value: value.absent("never")),
)
