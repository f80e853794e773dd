"""Expressions with constant parts worked out, where no engine is needed to know the answer."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from xrepo_nb.query.expressions import ArrayExpr, Call, DocumentExpr, Expr, Let, Literal
from xrepo_nb.query.parsing.expressions import array_of, document_of
from xrepo_nb.query.parsing.values import is_true

_EXACT = 2**31
"""Whole numbers below this size add and multiply alike everywhere."""


def folded(expr: Expr) -> Expr:
    """The same expression with constant calls replaced by their values."""
    fold = _NODES.get(type(expr))
    return expr if fold is None else fold(expr)


def _call(expr: Call) -> Expr:
    args = tuple([folded(item) for item in expr.args])
    options = tuple([(name, folded(item)) for name, item in expr.options])
    if any(a is not b for a, b in zip(args, expr.args, strict=True)) or any(
        a is not b for (_, a), (_, b) in zip(options, expr.options, strict=True)
    ):
        expr = replace(expr, args=args, options=options)
    choose = _CHOICES.get(expr.op)
    if choose is not None:
        return choose(expr)
    work = _PLAIN.get(expr.op)
    if work is None or not args or not all(isinstance(item, Literal) for item in args):
        return expr
    values = [item.value for item in args if isinstance(item, Literal)]
    return Literal(work(values)) if _is_plain(values) else expr


def _is_plain(values: list[Any]) -> bool:
    """One or two small whole numbers: what all engines compute alike."""
    return len(values) <= 2 and all(type(value) is int and abs(value) < _EXACT for value in values)


def _cond(expr: Call) -> Expr:
    condition = expr.args[0]
    if not isinstance(condition, Literal):
        return expr
    return expr.args[1] if is_true(condition.value) else expr.args[2]


def _logical(expr: Call, stop: bool) -> Expr:
    """Leading constants decide, or fall away; later ones may stand behind what fails."""
    args = list(expr.args)
    while args and isinstance(args[0], Literal):
        if is_true(args[0].value) is stop:
            return Literal(stop)
        args.pop(0)
    if not args:
        return Literal(not stop)
    return expr if len(args) == len(expr.args) else replace(expr, args=tuple(args))


def _not(expr: Call) -> Expr:
    item = expr.args[0]
    return Literal(not is_true(item.value)) if isinstance(item, Literal) else expr


def _if_null(expr: Call) -> Expr:
    first = expr.args[0]
    return first if isinstance(first, Literal) and first.value is not None else expr


_CHOICES: dict[str, Callable[[Call], Expr]] = {
    "$cond": _cond,
    "$and": partial(_logical, stop=False),
    "$or": partial(_logical, stop=True),
    "$not": _not,
    "$ifNull": _if_null,
}

_PLAIN: dict[str, Callable[[list[Any]], Any]] = {
    "$add": sum,
    "$multiply": lambda values: values[0] * (values[1] if len(values) > 1 else 1),
    "$subtract": lambda values: values[0] - values[1],
    "$eq": lambda values: operator.eq(*values),
    "$ne": lambda values: operator.ne(*values),
    "$gt": lambda values: operator.gt(*values),
    "$gte": lambda values: operator.ge(*values),
    "$lt": lambda values: operator.lt(*values),
    "$lte": lambda values: operator.le(*values),
}


def _array(expr: ArrayExpr) -> Expr:
    items = [folded(item) for item in expr.items]
    return expr if all(a is b for a, b in zip(items, expr.items, strict=True)) else array_of(items)


def _document(expr: DocumentExpr) -> Expr:
    items = [(name, folded(item)) for name, item in expr.items]
    same = all(a is b for (_, a), (_, b) in zip(items, expr.items, strict=True))
    return expr if same else document_of(items)


def _let(expr: Let) -> Expr:
    variables = tuple([(name, folded(item)) for name, item in expr.variables])
    body = folded(expr.body)
    same = body is expr.body and all(a is b for (_, a), (_, b) in zip(variables, expr.variables, strict=True))
    return expr if same else Let(variables, body)


_NODES: dict[type, Callable[[Any], Expr]] = {
    Call: _call,
    ArrayExpr: _array,
    DocumentExpr: _document,
    Let: _let,
}
