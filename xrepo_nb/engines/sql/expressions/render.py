"""Value expressions: the way down an expression, and the table of operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlglot import exp

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions import arithmetic, arrays, conversion, dates, logic, strings
from xrepo_nb.engines.sql.expressions.objects import struct
from xrepo_nb.engines.sql.paths import column_of, follow
from xrepo_nb.engines.sql.values import MISSING_VALUE, Value, unified
from xrepo_nb.engines.typed.reasons import Unsupported, bounded, decline
from xrepo_nb.query import expressions as e
from xrepo_nb.query.evaluation import is_constant
from xrepo_nb.query.rules.predicates import is_total
from xrepo_nb.query.walk import MAX_WRITTEN, written_out
from xrepo_nb.schema.types import DataType

Operator = Callable[[Context, e.Call], Value]

OPERATORS: dict[str, Operator] = {
    **logic.OPERATORS,
    **arithmetic.OPERATORS,
    **strings.OPERATORS,
    **dates.OPERATORS,
    **conversion.OPERATORS,
    **arrays.OPERATORS,
}


def expression(ctx: Context, node: e.Expr) -> Value:
    """What an expression renders to; declines an operator without exact SQL form."""
    if isinstance(node, e.Literal):
        if isinstance(node.value, list):
            bounded(node.value, "elements of a constant array")
        return ctx.literal(node.value)
    if isinstance(node, e.FieldRef):
        return follow(ctx, column_of(ctx, node.path[0]), node.path[1:])
    if isinstance(node, e.Variable):
        return _variable(ctx, node)
    if isinstance(node, e.Call):
        return _call(ctx, node)
    if isinstance(node, e.Let):
        if written_out(node) > MAX_WRITTEN:
            decline("variables that stand for too much")
        bound = {name: ctx.value(value) for name, value in node.variables}
        return _kept(node, ctx.with_variables(bound).value(node.body))
    if not ctx.dialect.nested:
        decline(f"documents and arrays in {ctx.dialect.name}")
    if isinstance(node, e.DocumentExpr):
        return struct([(name, ctx.value(value)) for name, value in node.items])
    if isinstance(node, e.ArrayExpr):
        bounded(node.items, "expressions in an array")
        return array([ctx.value(item) for item in node.items])
    return decline(f"the projection {type(node).__name__}")


def array(items: list[Value]) -> Value:
    """An array of the items, missing ones as null."""
    item = unified([v.type for v in items])
    return Value(exp.Array(expressions=[v.sql for v in items]), DataType("array", item=item), "never")


def _variable(ctx: Context, node: e.Variable) -> Value:
    if node.name in ctx.variables:
        return follow(ctx, ctx.variables[node.name], node.path)
    if node.name in ("ROOT", "CURRENT"):
        if node.path:
            return follow(ctx, column_of(ctx, node.path[0]), node.path[1:])
        return struct([(name, column_of(ctx, name)) for name in ctx.columns])
    if node.name == "REMOVE":
        return MISSING_VALUE
    return decline(f"the variable $${node.name}")


def _call(ctx: Context, node: e.Call) -> Value:
    bounded(node.args, "arguments")
    if is_constant(node, now=False):
        return _folded(ctx, node)
    render = OPERATORS.get(node.op)
    if render is None or node.op not in ctx.dialect.expressions:
        decline(f"the operator {node.op} in {ctx.dialect.name}")
    return _kept(node, render(ctx, node))


def _kept(node: e.Expr, value: Value) -> Value:
    """The value, unless the types alone told it, of parts that may fail: they must be computed."""
    if value.sql.find(exp.Column) is None and not all(map(is_total, node.children())):
        decline("a value that is known beforehand, of parts that may fail")
    return replace(value, stored=False) if value.stored else value


def output(ctx: Context, node: e.Expr) -> Value:
    """Like `expression`, for a field that is given out: a constant without SQL form is kept apart."""
    if not ctx.dialect.nested or not is_constant(node, now=False):
        return ctx.value(node)
    value = _computed(node)
    if value is MISSING:
        return MISSING_VALUE
    try:
        return ctx.literal(value)
    except Unsupported:
        return Value(exp.Null(), DataType("mixed"), "never", literal=value)


def _folded(ctx: Context, node: e.Call) -> Value:
    value = _computed(node)
    return MISSING_VALUE if value is MISSING else ctx.literal(value)


def _computed(node: e.Expr) -> Any:
    """The value of a constant expression, computed here; one that fails is left to fail on its rows."""
    from xrepo_nb.engines.document.expressions import compile_expression

    try:
        return compile_expression(node)({}, {})
    except (XRepoError, MemoryError, RecursionError):
        return decline("an expression of constants on which it fails")
