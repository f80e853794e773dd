"""Scope: what the names in an expression stand for, and how the expression is lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from xrepo_nb.core.entering import entering
from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.frame import Column
from xrepo_nb.engines.polars.paths import reach
from xrepo_nb.engines.polars.values import EMPTY_DOCUMENT, MISSING_VALUE, Value, literal
from xrepo_nb.engines.typed.reasons import Unsupported, bounded, decline
from xrepo_nb.query.expressions import ArrayExpr, Call, DocumentExpr, Expr, FieldRef, Let, Literal, Variable
from xrepo_nb.query.rules.predicates import is_total
from xrepo_nb.query.walk import MAX_WRITTEN, written_out
from xrepo_nb.schema.types import DataType, Field

Operator = Callable[[Call, "Scope"], Value]
OPERATORS: dict[str, Operator] = {}


lowers = entering(OPERATORS)
"""Registers the lowering of expression operators; it may decline."""


@frozen
class Scope:
    """The current document (columns of a frame, or one value), the bound variables and notes for `explain`.

    Within the elements of an array no column can be reached: `columns` is None then.
    """

    columns: Mapping[str, Column] | None
    current: Value | None
    variables: Mapping[str, Value]
    constants: Mapping[str, Any]
    notes: list[str]

    def bind(self, bindings: Mapping[str, Value]) -> Scope:
        """The same with variables bound."""
        return Scope(self.columns, self.current, {**self.variables, **bindings}, self.constants, self.notes)

    def inside(self, bindings: Mapping[str, Value]) -> Scope:
        """The scope of an expression over the elements of an array: only these variables and literals."""
        fixed = {n: v for n, v in self.variables.items() if v.is_constant}
        return Scope(None, None, {**fixed, **bindings}, self.constants, self.notes)

    def lower(self, expr: Expr) -> Value:
        """The value of an expression; of a single operator without lowering, by the interpreter."""
        if isinstance(expr, Call):
            bounded(expr.args, "arguments")
        try:
            lowering = _LOWERINGS.get(type(expr))
            return lowering(self, expr) if lowering else decline(f"{type(expr).__name__} has no lowering")
        except Unsupported as declined:
            if self.columns is None or isinstance(expr, FieldRef | Literal | Variable):
                raise
            from xrepo_nb.engines.polars.interpreted import interpreted

            return interpreted(expr, self, declined.reason)

    def typed(self, expr: Expr) -> Value:
        """The value of an expression, which must not be of mixed type."""
        value = self.lower(expr)
        if value.type.kind == "mixed":
            decline("a value of mixed type")
        return value

    def path(self, path: tuple[str, ...]) -> Value:
        """The value at a path of the current document."""
        if self.columns is None:
            if self.current is None:
                decline("a field of the document read inside an array's elements")
            return reach(self.current, path)
        found = self.columns.get(path[0])
        if found is None:
            return MISSING_VALUE
        value = found.value(path[0])
        return reach(value, path[1:]) if len(path) > 1 else value

    def keeps_widths(self, path: tuple[str, ...]) -> bool:
        """Whether the numbers at a path are as they came: of computed ones no column tells whether
        they are int, long or double."""
        column = None if self.columns is None else self.columns.get(path[0])
        if column is None:
            return self.columns is not None
        return column.field is not None or not (column.type.holds("int") or column.type.holds("float"))

    def root(self) -> Value:
        """The whole document, as an object."""
        if self.columns is None:
            return self.current if self.current is not None else decline("$$ROOT inside an array's elements")
        values = {name: col.value(name) for name, col in self.columns.items()}
        return document(values)


def document(values: Mapping[str, Value]) -> Value:
    """The object with those fields."""
    if not values:
        return EMPTY_DOCUMENT
    for name, value in values.items():
        if value.kind == "mixed" or value.absence == "both":
            decline(f"field {name!r} of an object, which may be of several types or both null and missing")
    fields = tuple(Field(name, value.type, value.absence) for name, value in values.items())
    struct = pl.struct(*(value.expr.alias(name) for name, value in values.items()))
    return Value(struct, DataType("object", fields), "never")


def _variable(scope: Scope, expr: Any) -> Value:
    found = scope.variables.get(expr.name)
    if found is None:
        if expr.name in ("ROOT", "CURRENT"):
            return scope.path(expr.path) if expr.path else scope.root()
        if expr.name == "REMOVE":
            return MISSING_VALUE
        if expr.name not in scope.constants:
            decline(f"the variable $${expr.name}")
        found = literal(scope.constants[expr.name])
    return reach(found, expr.path)


def _document(scope: Scope, expr: Any) -> Value:
    return document({name: scope.lower(item) for name, item in expr.items})


def _array(scope: Scope, expr: Any) -> Value:
    from xrepo_nb.engines.polars.expressions.arrays import array_of

    bounded(expr.items, "expressions in an array")
    return array_of([scope.typed(item) for item in expr.items])


def _call(scope: Scope, expr: Any) -> Value:
    operator = OPERATORS.get(expr.op)
    return _kept(expr, operator(expr, scope)) if operator else decline(f"{expr.op} has no lowering")


def _let(scope: Scope, expr: Any) -> Value:
    if written_out(expr) > MAX_WRITTEN:
        decline("variables that stand for too much")
    bindings = {name: scope.typed(item) for name, item in expr.variables}
    return _kept(expr, scope.bind(bindings).lower(expr.body))


def _kept(expr: Expr, value: Value) -> Value:
    """The value, unless the types alone told it, of parts that may fail: they must be computed."""
    if (value.is_constant or value.kind == "null") and not all(map(is_total, expr.children())):
        decline("a value that is known beforehand, of parts that may fail")
    return value


_LOWERINGS: dict[type, Callable[[Scope, Any], Value]] = {
    Literal: lambda scope, expr: literal(expr.value),
    FieldRef: lambda scope, expr: scope.path(expr.path),
    Variable: _variable,
    DocumentExpr: _document,
    ArrayExpr: _array,
    Call: _call,
    Let: _let,
}
