"""Paths renamed: predicates and expressions on documents whose fields lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Expr, FieldRef, Path, Variable


def mapped(predicate: p.Predicate, change: Callable[[Path], Path]) -> p.Predicate:
    """The predicate with every path of the document changed; those within arrays stay.

    Raises `LookupError` for a `$jsonSchema` or `$$ROOT`, which look at the whole document.
    """
    if isinstance(predicate, (p.And, p.Or)):
        return replace(predicate, items=tuple(mapped(item, change) for item in predicate.items))
    if isinstance(predicate, p.Not):
        return p.Not(mapped(predicate.item, change))
    if isinstance(predicate, p.All):
        items = tuple(mapped(item, change) for item in predicate.items)
        return p.All(change(predicate.path), items)
    if isinstance(predicate, p.Truth):
        return p.Truth(mapped_expression(predicate.expr, change))
    if isinstance(predicate, p.JsonSchema):
        raise LookupError("$jsonSchema looks at the whole document")
    path = getattr(predicate, "path", None)
    return predicate if path is None else replace(predicate, path=change(path))  # type: ignore[call-arg]


def mapped_expression(expr: Expr, change: Callable[[Path], Path]) -> Expr:
    """The expression with every path of the document changed; variables stay."""
    if isinstance(expr, FieldRef):
        return FieldRef(change(expr.path))
    if isinstance(expr, Variable):
        if expr.name != "ROOT":
            return expr
        if not expr.path:
            raise LookupError("$$ROOT is the whole document")
        return replace(expr, path=change(expr.path))
    new = {item.name: _mapped_within(getattr(expr, item.name), change) for item in fields(expr)}
    return replace(expr, **new)


def _mapped_within(value: Any, change: Callable[[Path], Path]) -> Any:
    if isinstance(value, Expr):
        return mapped_expression(value, change)
    if isinstance(value, tuple):
        return tuple(_mapped_within(item, change) for item in value)
    return value
