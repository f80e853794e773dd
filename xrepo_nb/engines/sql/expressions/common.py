"""What operators of all families share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import Condition, Sql, call, choose, negation, number
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call
from xrepo_nb.schema.types import EXACT


def operands(ctx: Context, node: Call) -> list[Value]:
    """The positional arguments."""
    return [ctx.value(arg) for arg in node.args]


def numbers(op: str, values: Sequence[Value]) -> Sequence[Value]:
    """The values, which must be ints, floats or always absent."""
    return of_kinds(op, values, "int", "float")


def of_kinds(op: str, values: Sequence[Value], *kinds: str) -> Sequence[Value]:
    """The values, which must be of these kinds or always absent."""
    for value in values:
        if value.kind not in kinds and value.kind != "null":
            decline(f"{op} of {an(value.kind)}")
    return values


def guarded(ctx: Context, bad: Condition, result: Sql, message: str) -> Sql:
    """The result, but an error where the condition holds; the message tells no data."""
    return result if bad is False else choose(bad, ctx.dialect.fails(message), result)


def milliseconds_of(ctx: Context, value: Value) -> Sql:
    """An interval of so many milliseconds, which DuckDB takes as a double: an error where none holds it."""
    made = call("to_milliseconds", value.sql)
    if value.is_constant and abs(value.literal) <= EXACT:
        return made
    within = ctx.dialect.between(value, number(-EXACT), number(EXACT))
    return guarded(ctx, negation(within), made, "a date moved beyond all years")


def constant(ctx: Context, node: Call, name: str, default: Any = None) -> Any:
    """An option that must be a constant."""
    given = node.option(name)
    if given is None:
        return default
    value = ctx.value(given)
    if not value.is_constant:
        decline(f"{node.op} with a computed {name}")
    return value.literal
