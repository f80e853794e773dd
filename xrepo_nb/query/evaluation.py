"""Expressions that are the same for all documents, and their values.

Some options take any expression that depends on nothing: a boundary may be a sum or a date read from
text. The language lies below the engines, so the one that works such values out is installed from above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.query.expressions import Expr, FieldRef, Literal, Variable

Evaluate = Callable[[Expr], Any]
_installed: list[Evaluate] = []


def install(evaluate: Evaluate) -> None:
    """Lets `evaluate` give the values of constant expressions from now on."""
    _installed[:] = [evaluate]


def is_constant(expr: Expr, *, now: bool = True) -> bool:
    """Whether the value depends on no document, variable or chance; `$$NOW`, which is one for a query,
    counts as constant unless `now` is False."""
    return not any(_varies(part, now) for part in expr.walk())


def _varies(expr: Expr, now: bool) -> bool:
    if isinstance(expr, Variable):
        return not (now and expr.name == "NOW")
    return isinstance(expr, FieldRef) or getattr(expr, "op", "") == "$rand"


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
