"""The variables of a whole query: the time, and the `let` of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.expressions.compile import now
from xrepo_nb.query.expressions import ROOTS, Expr, FieldRef, Variable


def constants(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is the same for all rows of one run: `NOW`, and the caller's variables."""
    return {"NOW": now(), **(given or {})}


def evaluate_let(bindings: Mapping[str, Expr]) -> dict[str, Any]:
    """The values of `let` expressions, each of which may use those before it, but no field.

    Raises `XRepoQueryError` when one names a field or the document, or fails.

    >>> from xrepo_nb.query.parsing import parse_expression
    >>> evaluate_let({"a": parse_expression({"$add": [1, 2]}), "b": parse_expression("$$a", variables=["a"])})
    {'a': 3, 'b': 3}
    """
    found: dict[str, Any] = {}
    clock = now()
    for name, expression in bindings.items():
        for node in expression.walk():
            if isinstance(node, FieldRef) or (isinstance(node, Variable) and node.name in ROOTS):
                raise XRepoQueryError(
                    f"the variable {name!r} reads a field of no document",
                    at=f"let.{name}",
                    asked=name,
                    hint="give it a constant",
                )
        found[name] = compile_expression(expression)({}, {"NOW": clock, **found})
    return found
