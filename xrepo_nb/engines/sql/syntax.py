"""SQL as sqlglot nodes: conditions that fold their constants, and short forms of what occurs often.

Nodes are shared between trees and never changed once made: generating text only reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from xrepo_nb.engines.typed.reasons import decline

Sql = exp.Expression
Maker = Callable[..., Sql]
"""A class of nodes with `this` and `expression`: an operator of two operands."""

Condition = exp.Expression | bool
"""A test that may be SQL's NULL where it does not hold, or its answer where that is known."""

NULL = exp.Null()
TRUE = exp.Boolean(this=True)
FALSE = exp.Boolean(this=False)


def conjunction(*conditions: Condition) -> Condition:
    """All hold; constants fold away."""
    kept = [c for c in conditions if c is not True]
    if any(c is False for c in kept):
        return False
    return _joined(exp.And, kept) if kept else True


def disjunction(*conditions: Condition) -> Condition:
    """Any holds; constants fold away."""
    kept = [c for c in conditions if c is not False]
    if any(c is True for c in kept):
        return True
    return _joined(exp.Or, kept) if kept else False


def _joined(connector: Maker, items: Sequence[Condition]) -> Sql:
    """A balanced tree, so that long lists stay shallow."""
    if len(items) == 1:
        return as_sql(items[0])
    half = len(items) // 2
    parts = (_joined(connector, items[:half]), _joined(connector, items[half:]))
    return paren(connector(this=_wrapped(parts[0], connector), expression=_wrapped(parts[1], connector)))


def _wrapped(node: Sql, connector: Maker) -> Sql:
    inner: Sql = node.this
    return inner if isinstance(node, exp.Paren) and type(inner) is connector else node


def negation(condition: Condition) -> Condition:
    """It does not hold, where NULL counts as not holding."""
    if isinstance(condition, bool):
        return not condition
    if isinstance(condition, exp.Paren) and isinstance(condition.this, exp.Is):
        condition = condition.this
    if isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null):
        return not_null(condition.this)
    return exp.Not(this=paren(certain(condition)))


def certain(condition: Condition) -> Sql:
    """The condition with FALSE for NULL."""
    if isinstance(condition, bool) or _never_null(condition):
        return as_sql(condition)
    return exp.Coalesce(this=condition, expressions=[FALSE])


def _never_null(node: Sql) -> bool:
    if isinstance(node, exp.Is | exp.NullSafeEQ | exp.NullSafeNEQ | exp.Boolean):
        return True
    if isinstance(node, exp.Paren | exp.Not):
        return _never_null(node.this)
    if isinstance(node, exp.And | exp.Or):
        return _never_null(node.this) and _never_null(node.expression)
    return isinstance(node, exp.Coalesce) and isinstance(node.expressions[-1], exp.Boolean)


def as_sql(condition: Condition) -> Sql:
    """The condition as a node."""
    return (TRUE if condition else FALSE) if isinstance(condition, bool) else condition


def choose(condition: Condition, then: Sql, otherwise: Sql) -> Sql:
    """`then` where the condition holds, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    return case([(condition, then)], otherwise)


def case(branches: Sequence[tuple[Condition, Sql]], default: Sql) -> Sql:
    """CASE WHEN ... THEN ... ELSE ... END."""
    ifs = [exp.If(this=as_sql(when), true=then) for when, then in branches]
    return exp.Case(ifs=ifs, default=default)


def is_null(node: Sql) -> Sql:
    """`node IS NULL`."""
    return exp.Is(this=node, expression=NULL)


def not_null(node: Sql) -> Sql:
    """`node IS NOT NULL`."""
    return exp.Not(this=exp.Is(this=node, expression=NULL))


def number(value: int | float) -> Sql:
    """A constant that we write ourselves; users' values are bound."""
    return exp.Neg(this=exp.Literal.number(-value)) if value < 0 else exp.Literal.number(value)


def text(value: str) -> Sql:
    """A constant text that we write ourselves."""
    return exp.Literal.string(value)


def call(name: str, *args: Sql) -> Sql:
    """A function by its own name, whatever the dialect."""
    return exp.Anonymous(this=name, expressions=list(args))


def binary(kind: Maker, left: Sql, right: Sql) -> Sql:
    """An operator of two operands, in parentheses."""
    return exp.Paren(this=kind(this=left, expression=right))


def cast(node: Sql, to: str) -> Sql:
    """The node as another type, named as SQL does."""
    return exp.Cast(this=node, to=exp.DataType.build(to))


def paren(node: Sql) -> Sql:
    """The node in parentheses, unless it needs none."""
    return node if isinstance(node, exp.Paren | exp.Column | exp.Anonymous) else exp.Paren(this=node)


def bare(node: Sql) -> Sql:
    """The node without parentheses around it."""
    inner: Sql = node.this
    return bare(inner) if isinstance(node, exp.Paren) else node


def name(identifier: str) -> exp.Identifier:
    """A quoted identifier."""
    return exp.Identifier(this=identifier, quoted=True)


def column(identifier: str, table: str | None = None) -> exp.Column:
    """A column, of a table if given."""
    made: dict[str, Any] = {"this": name(identifier)}
    if table is not None:
        made["table"] = name(table)
    return exp.Column(**made)


MOST_LAMBDAS = 8
"""Lambdas within each other: databases take twice the time for each further one."""


def lambda_of(parameter: str, body: Sql) -> Sql:
    """A function of one element; declines to nest too many."""
    if _lambdas(body) >= MOST_LAMBDAS:
        decline(f"more than {MOST_LAMBDAS} loops over arrays within each other")
    return exp.Lambda(this=body, expressions=[exp.Identifier(this=parameter)])


def _lambdas(sql: Sql) -> int:
    """How many lambdas stand within each other."""
    within = max(map(_lambdas, sql.iter_expressions()), default=0)
    return within + isinstance(sql, exp.Lambda)
