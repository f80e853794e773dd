"""Expressions that are the same for all documents, and their values.

Some options take any expression that depends on nothing: a boundary may be a sum or a date read from
text. The language lies below the engines, so the one that works such values out is installed from above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.query.expressions import Call, Expr, FieldRef, Let, Literal, Variable

Evaluate = Callable[[Expr], Any]
_installed: list[Evaluate] = []


def install(evaluate: Evaluate) -> None:
    """Lets `evaluate` give the values of constant expressions from now on."""
    _installed[:] = [evaluate]


def is_constant(expr: Expr, *, now: bool = True) -> bool:
    """Whether the value depends on no document, outer variable or chance; `$$NOW`, which is one for a
    query, counts as constant unless `now` is False."""
    return not _varies(expr, frozenset({"NOW"} if now else ()))


def _varies(expr: Expr, known: frozenset[str]) -> bool:
    if isinstance(expr, Variable):
        return expr.name not in known
    if isinstance(expr, FieldRef) or getattr(expr, "op", "") == "$rand":
        return True
    if isinstance(expr, Let):
        names = frozenset(name for name, _ in expr.variables)
        return any(_varies(item, known) for _, item in expr.variables) or _varies(expr.body, known | names)
    if isinstance(expr, Call) and expr.op in _BINDING:
        return any(
            _varies(item, known | _bound(expr) if name in _WITHIN else known) for name, item in expr.options
        )
    return any(_varies(item, known) for item in expr.children())


_BINDING = frozenset({"$map", "$filter", "$reduce"})
_WITHIN = frozenset({"in", "cond"})
"""The options of theirs that see an element."""


def _bound(call: Call) -> frozenset[str]:
    return frozenset({"this", "value"} if call.op == "$reduce" else {call.constant("as") or "this"})


def constant(expr: Expr, what: str, at: str) -> Literal:
    """The value of an expression that must be constant; one without a value is null.

    Raises `XRepoQueryError` when the expression depends on anything, or has no value.
    """
    if isinstance(expr, Literal):
        return expr
    if not is_constant(expr):
        raise XRepoQueryError(f"{what} must be constant", at=at, hint="compute it before, and give its value")
    value = _installed[0](expr)
    return Literal(None if value is MISSING else value)
