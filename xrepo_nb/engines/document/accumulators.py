"""Accumulators: one value from the rows of a group or a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers, statistics
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.expressions.arrays import count_of, element_order, need_array
from xrepo_nb.engines.document.expressions.objects import merge_objects
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.sorting import best, row_keys
from xrepo_nb.query.expressions import Expr, FieldRef, Literal
from xrepo_nb.query.plan import Outcome, SortKey

Rows = Sequence[Any]
Variables = Mapping[str, Any]
Aggregate = Callable[[Rows, Variables, Any], Any]
"""The value over the rows; the last argument is the group's key, which an `n` may use."""


def compile_accumulator(node: Outcome) -> Aggregate:
    """The accumulator as a function of rows; raises `XRepoQueryError` for an unknown one."""
    made = _ACCUMULATORS.get(node.op)
    if made is None:
        raise XRepoQueryError(
            f"unknown accumulator {node.op!r}", at=node.at, asked=node.op, exists=_ACCUMULATORS
        )
    return placed(made(node), node.at)


def column(expression: Expr) -> Callable[[Rows, Variables], list[Any]]:
    """The expression's values over rows."""
    if isinstance(expression, Literal) and not isinstance(expression.value, (dict, list)):
        value = expression.value
        return lambda rows, variables: [value] * len(rows)
    if isinstance(expression, FieldRef) and len(expression.path) == 1:
        name = expression.path[0]
        return lambda rows, variables: [row.get(name, MISSING) for row in rows]
    evaluate = compile_expression(expression)
    return lambda rows, variables: [evaluate(row, variables) for row in rows]


def _over(aggregate: Callable[[Sequence[Any]], Any]) -> Callable[[Outcome], Aggregate]:
    """An accumulator of all the argument's values."""

    def make(node: Outcome) -> Aggregate:
        values = column(node.args[0])
        return lambda rows, variables, key: aggregate(values(rows, variables))

    return make


def _present(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not MISSING]


def _merged(values: Sequence[Any]) -> Any:
    return merge_objects(*values) if len(values) != 1 else merge_objects(values[0], None)


def _concatenated(values: Sequence[Any]) -> list[Any]:
    found = _present(values)
    for value in found:
        need_array("$concatArrays", value)
    return [item for value in found for item in value]


def _at_end(position: int) -> Callable[[Outcome], Aggregate]:
    def make(node: Outcome) -> Aggregate:
        evaluate = compile_expression(node.args[0])

        def aggregate(rows: Rows, variables: Variables, key: Any) -> Any:
            return v.or_null(evaluate(rows[position], variables)) if rows else None

        return aggregate

    return make


def _counted(choose: Callable[[list[Any], int], list[Any]]) -> Callable[[Outcome], Aggregate]:
    """`$firstN` and its kin: `choose` picks `n` of the input's values."""

    def make(node: Outcome) -> Aggregate:
        count, values = _count(node), column(node.needed("input"))
        return lambda rows, variables, key: choose(values(rows, variables), count(variables, key))

    return make


def _count(node: Outcome) -> Callable[[Variables, Any], int]:
    evaluate, op = compile_expression(node.needed("n")), node.op
    return lambda variables, key: count_of(op, evaluate(key if isinstance(key, dict) else {}, variables))


def _nulls(values: list[Any]) -> list[Any]:
    return [v.or_null(value) for value in values]


def _top(*, bottom: bool, one: bool) -> Callable[[Outcome], Aggregate]:
    def make(node: Outcome) -> Aggregate:
        keys = element_order(node.constant("sortBy"))
        assert isinstance(keys, tuple)
        evaluate = compile_expression(node.needed("output"))
        count = _single if one else _count(node)

        def aggregate(rows: Rows, variables: Variables, key: Any) -> Any:
            found = _ordered(rows, keys, count(variables, key), bottom)
            out = [v.or_null(evaluate(row, variables)) for row in found]
            return (out[0] if out else None) if one else out

        return aggregate

    return make


def _single(variables: Variables, key: Any) -> int:
    return 1


def _ordered(rows: Rows, keys: tuple[SortKey, ...], count: int, bottom: bool) -> list[Any]:
    if not bottom:
        return best(rows, keys, count)
    return sorted(rows, key=row_keys(keys))[-count:]


def _percentile(node: Outcome) -> Aggregate:
    values, points = column(node.needed("input")), compile_expression(node.needed("p"))

    def aggregate(rows: Rows, variables: Variables, key: Any) -> Any:
        wanted = statistics.checked_points(points({}, variables))
        return statistics.percentiles(values(rows, variables), wanted)

    return aggregate


def _median(node: Outcome) -> Aggregate:
    values = column(node.needed("input"))
    return lambda rows, variables, key: statistics.percentiles(values(rows, variables), [0.5])[0]


def _covariance(sample: bool) -> Callable[[Outcome], Aggregate]:
    def make(node: Outcome) -> Aggregate:
        left, right = (column(arg) for arg in node.args)

        def aggregate(rows: Rows, variables: Variables, key: Any) -> Any:
            pairs = list(zip(left(rows, variables), right(rows, variables), strict=True))
            return statistics.covariance(pairs, sample=sample)

        return aggregate

    return make


def _how_many(node: Outcome) -> Aggregate:
    return lambda rows, variables, key: len(rows)


VALUES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "$sum": statistics.total,
    "$avg": statistics.mean,
    "$min": statistics.least,
    "$max": statistics.greatest,
    "$push": _present,
    "$addToSet": statistics.distinct,
    "$setUnion": lambda values: statistics.distinct(_concatenated(values)),
    "$concatArrays": _concatenated,
    "$mergeObjects": _merged,
    "$stdDevPop": lambda values: statistics.deviation(values, sample=False),
    "$stdDevSamp": lambda values: statistics.deviation(values, sample=True),
}
"""The accumulators of one argument that need nothing but its values."""

PLAIN: dict[tuple[str, type], Callable[[Sequence[Any]], Any]] = {
    ("$sum", float): numbers.float_sum,
    ("$avg", float): lambda values: numbers.float_sum(values) / len(values),
    ("$sum", int): numbers.int_sum,
    ("$avg", int): lambda values: sum(values) / len(values),
    ("$min", int): min,
    ("$max", int): max,
    ("$min", str): min,
    ("$max", str): max,
}
"""The same over at least one value, all of one plain type."""

_ACCUMULATORS: dict[str, Callable[[Outcome], Aggregate]] = {
    **{op: _over(aggregate) for op, aggregate in VALUES.items()},
    "$first": _at_end(0),
    "$last": _at_end(-1),
    "$firstN": _counted(lambda values, count: _nulls(values[:count])),
    "$lastN": _counted(lambda values, count: _nulls(values[-count:])),
    "$minN": _counted(statistics.least_of),
    "$maxN": _counted(statistics.greatest_of),
    "$top": _top(bottom=False, one=True),
    "$topN": _top(bottom=False, one=False),
    "$bottom": _top(bottom=True, one=True),
    "$bottomN": _top(bottom=True, one=False),
    "$percentile": _percentile,
    "$median": _median,
    "$count": _how_many,
    "$covariancePop": _covariance(False),
    "$covarianceSamp": _covariance(True),
}
