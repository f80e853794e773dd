"""Single operators without a lowering: the document interpreter, run inside the frame.

The columns that the operator reads become documents, batch by batch; its result becomes a column
of the type that the operator always gives, or a `mixed` one, which later stages may only pass on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.polars.frame import column
from xrepo_nb.engines.polars.logic import Condition
from xrepo_nb.engines.polars.reasons import Inexact, decline
from xrepo_nb.engines.polars.results import result_type
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import MIXED, Value
from xrepo_nb.query.expressions import Call, Expr, FieldRef, Variable
from xrepo_nb.query.plan import FirstMatch, SliceOf
from xrepo_nb.query.predicates import JsonSchema, Predicate, Truth
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field

Evaluate = Callable[[Mapping[str, Any]], Any]


def interpreted(expr: Expr, scope: Scope, reason: str) -> Value:
    """The value of an expression, computed by the interpreter; `explain` tells the reason."""
    from xrepo_nb.engines.document.expressions import compile_expression

    constants = dict(scope.constants)
    if scope.variables:
        decline(reason)
    evaluate = compile_expression(expr)
    fixed = result_type(expr)
    name = expr.op if isinstance(expr, Call) else type(expr).__name__
    scope.notes.append(f"{name} runs in the interpreter: {reason}")
    dtype = MIXED.to_polars() if fixed is None else fixed.to_polars()
    over = _over_documents(scope, _fields_of(expr, scope), dtype, lambda row: evaluate(row, constants))
    return Value(over, MIXED, "both") if fixed is None else Value(over, fixed, "null")


def interpreted_predicate(predicate: Predicate, scope: Scope, reason: str) -> Condition:
    """The rows for which a predicate holds, tested by the interpreter."""
    from xrepo_nb.engines.document.predicates import compile_predicate

    if scope.variables:
        decline(reason)
    test = compile_predicate(predicate, dict(scope.constants))
    scope.notes.append(f"{type(predicate).__name__} runs in the interpreter: {reason}")
    return _over_documents(scope, _fields_under(predicate, scope), pl.Boolean, test)


def _fields_of(expr: Expr, scope: Scope) -> list[str]:
    """The columns that an expression reads."""
    names: dict[str, None] = {}
    for node in expr.walk():
        if isinstance(node, FieldRef) or isinstance(node, SliceOf | FirstMatch):
            names[node.path[0]] = None
        elif isinstance(node, Variable) and node.name in ("ROOT", "CURRENT"):
            names |= dict.fromkeys(scope.columns or ())
    return list(names)


def _fields_under(predicate: Predicate, scope: Scope) -> list[str]:
    names: dict[str, None] = {}
    for node in predicate.walk():
        if isinstance(node, Truth):
            names |= dict.fromkeys(_fields_of(node.expr, scope))
        elif isinstance(node, JsonSchema) and not node.path:
            names |= dict.fromkeys(scope.columns or ())
        elif path := getattr(node, "path", ()):
            names[path[0]] = None
    return list(names)


def _over_documents(scope: Scope, names: Iterable[str], dtype: Any, evaluate: Evaluate) -> pl.Expr:
    """A column of `evaluate`'s results over the documents made of those columns."""
    assert scope.columns is not None
    read = {name: scope.columns[name] for name in names if name in scope.columns}
    if any(col.masked for col in read.values()):
        decline("a field that is both null and missing")
    if any(col.type.kind == "mixed" for col in read.values()):
        decline("a field of mixed type")
    if not read:
        return _constant(evaluate, dtype)
    schema = Schema(tuple(Field(name, col.type, col.absence) for name, col in read.items()))

    def run(parts: Sequence[pl.Series]) -> pl.Series:
        from xrepo_nb.schema.documents import to_documents

        frame = pl.DataFrame([part.rename(name) for name, part in zip(read, parts, strict=True)])
        return _series([_one(evaluate, row) for row in to_documents(frame, schema)], dtype)

    return pl.map_batches([column(n) for n in read], run, return_dtype=dtype, is_elementwise=True)


def _constant(evaluate: Evaluate, dtype: Any) -> pl.Expr:
    """An expression that reads no column, evaluated once a row all the same (`$rand`)."""

    def run(parts: Sequence[pl.Series]) -> pl.Series:
        return _series([_one(evaluate, {}) for _ in range(len(parts[0]))], dtype)

    return pl.map_batches([pl.int_range(pl.len())], run, return_dtype=dtype)


def _one(evaluate: Evaluate, row: Mapping[str, Any]) -> Any:
    try:
        return evaluate(row)
    except XRepoError as error:
        # A row that a later filter drops may fail here: the interpreter decides on the whole plan.
        raise Inexact(str(error)) from error


def _series(values: list[Any], dtype: Any) -> pl.Series:
    if dtype == pl.Object:
        return pl.Series(values, dtype=pl.Object)
    from xrepo_nb.core.missing import MISSING

    return pl.Series([None if value is MISSING else value for value in values], dtype=dtype, strict=True)
