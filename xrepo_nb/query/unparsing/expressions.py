"""Expressions back into MongoDB's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.query.expressions import (
    ArrayExpr,
    Call,
    DocumentExpr,
    Expr,
    FieldRef,
    Let,
    Literal,
    Path,
    Variable,
)
from xrepo_nb.query.operators import ACCUMULATORS, EXPRESSIONS, WINDOW_OPERATORS, Signature


def unparse_expression(expr: Expr) -> Any:
    """The value that parses to the expression.

    >>> from xrepo_nb.query.parsing import parse_expression
    >>> unparse_expression(parse_expression({"$add": ["$a.b", 1]}))
    {'$add': ['$a.b', 1]}
    """
    return _NODES[type(expr)](expr)


def _literal(expr: Literal) -> Any:
    value = expr.value
    if isinstance(value, (dict, list)) or (isinstance(value, str) and value.startswith("$")):
        return {"$literal": value}
    return value


def _variable(expr: Variable) -> str:
    return "$$" + ".".join((expr.name, *expr.path))


def dotted(path: Path) -> str:
    """A path as it is written."""
    return ".".join(path)


def unparse_let(variables: tuple[tuple[str, Expr], ...]) -> dict[str, Any]:
    """Bound variables as a document."""
    return {name: unparse_expression(value) for name, value in variables}


def _call(expr: Call) -> dict[str, Any]:
    special = _SPECIAL.get(expr.op)
    if special is not None:
        return {expr.op: special(expr)}
    return {expr.op: unparse_arguments(EXPRESSIONS[expr.op], expr.args, expr.options)}


def unparse_arguments(
    signature: Signature, args: tuple[Expr, ...], options: tuple[tuple[str, Expr], ...]
) -> Any:
    """The arguments of an operator: a list, or a document of options."""
    if signature.options or signature.most == 0:
        return {
            name: value.value
            if name in signature.constants and isinstance(value, Literal)
            else unparse_expression(value)
            for name, value in options
        }
    return [unparse_expression(item) for item in args]


def _switch(expr: Call) -> dict[str, Any]:
    pairs = zip(expr.args[::2], expr.args[1::2], strict=True)
    given: dict[str, Any] = {
        "branches": [
            {"case": unparse_expression(case), "then": unparse_expression(then)} for case, then in pairs
        ]
    }
    default = expr.option("default")
    return given if default is None else {**given, "default": unparse_expression(default)}


_SPECIAL: dict[str, Callable[[Call], Any]] = {"$switch": _switch}

_NODES: dict[type, Callable[[Any], Any]] = {
    Literal: _literal,
    FieldRef: lambda expr: "$" + dotted(expr.path),
    Variable: _variable,
    DocumentExpr: lambda expr: unparse_let(expr.items),
    ArrayExpr: lambda expr: [unparse_expression(item) for item in expr.items],
    Let: lambda expr: {"$let": {"vars": unparse_let(expr.variables), "in": unparse_expression(expr.body)}},
    Call: _call,
}


def unparse_accumulator(
    op: str, args: tuple[Expr, ...], options: tuple[tuple[str, Expr], ...]
) -> dict[str, Any]:
    """One accumulator or window operator with its argument."""
    signature = ACCUMULATORS.get(op) or WINDOW_OPERATORS[op]
    given = unparse_arguments(signature, args, options)
    return {op: given[0] if signature.least == signature.most == 1 else given}
