"""Single operators without a lowering: the document interpreter, run inside the frame.

The columns that the operator reads become documents, batch by batch; its result becomes a column
of the type that the operator always gives, or a `mixed` one, which later stages may only pass on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.meter import deadline, metered
from xrepo_nb.engines.polars.frame import column
from xrepo_nb.engines.polars.logic import Condition
from xrepo_nb.engines.polars.reasons import Inexact
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import BOOL, MISSING_VALUE, Value, literal
from xrepo_nb.engines.typed.reasons import Unsupported, decline
from xrepo_nb.query.expressions import Call, Expr, FieldRef, Let, Variable
from xrepo_nb.query.plan import FirstMatch, SliceOf
from xrepo_nb.query.predicates import HasType, JsonSchema, Predicate, Truth
from xrepo_nb.query.typing import values as typing
from xrepo_nb.query.typing.expressions import Scope as TypeScope
from xrepo_nb.query.typing.expressions import type_of
from xrepo_nb.query.walk import is_random
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field

Evaluate = Callable[[Mapping[str, Any]], Any]


def interpreted(expr: Expr, scope: Scope, reason: str) -> Value:
    """The value of an expression, computed by the interpreter; `explain` tells the reason."""
    from xrepo_nb.engines.document.expressions import compile_expression

    if scope.variables:
        decline(reason)
    constants = dict(scope.constants)
    try:
        evaluate = compile_expression(expr)
    except XRepoError as error:
        # Not what the interpreter knows by itself either: a find projection's own operators.
        decline(f"{reason}; {error.message}")
    fixed = _folded(expr, evaluate, constants)
    if fixed is not None:
        return fixed
    _with_their_widths(_tells_types(expr), _fields_of(expr, scope), scope)
    name = expr.op if isinstance(expr, Call) else type(expr).__name__
    _note(f"{name} runs in the interpreter: {reason}", scope)
    result = _result(expr, scope)
    over = _over_documents(scope, _fields_of(expr, scope), result, lambda row: evaluate(row, constants))
    return Value(over, result.type, result.absence)


def _folded(expr: Expr, evaluate: Callable[..., Any], constants: Mapping[str, Any]) -> Value | None:
    """The constant that an expression of constants is; None for other ones, or where it fails."""
    if is_random(expr) or any(isinstance(node, _READING) for node in expr.walk()):
        return None
    try:
        value = evaluate({}, constants)
        if isinstance(value, list) and len(value) > _LONG:
            return None
        return MISSING_VALUE if value is MISSING else literal(value)
    except (XRepoError, Unsupported, RecursionError, MemoryError):
        return None


_READING = (FieldRef, Variable, SliceOf, FirstMatch, Let)
"""What reads documents or variables."""
_LONG = 100_000
"""Constant arrays that are longer are not made into a column's value, but made anew where they are used."""


def _result(expr: Expr, scope: Scope) -> typing.Value:
    """The type that the result has for sure, else `mixed`."""
    assert scope.columns is not None
    root = typing.object_of(Field(name, col.type, col.absence) for name, col in scope.columns.items())
    found = type_of(expr, TypeScope(root))
    if found.kind not in _SCALARS or found.absence == "both":
        return typing.UNKNOWN
    return found


_SCALARS = frozenset({"string", "int", "float", "bool", "datetime"})


def interpreted_predicate(predicate: Predicate, scope: Scope, reason: str) -> Condition:
    """The rows for which a predicate holds, tested by the interpreter."""
    from xrepo_nb.engines.document.predicates import compile_predicate

    if scope.variables:
        decline(reason)
    try:
        test = compile_predicate(predicate, dict(scope.constants))
    except XRepoError as error:
        decline(error.message)
    _with_their_widths(any(map(_asks_types, predicate.walk())), _fields_under(predicate, scope), scope)
    _note(f"{type(predicate).__name__} runs in the interpreter: {reason}", scope)
    return _over_documents(scope, _fields_under(predicate, scope), _HOLDS, test)


_HOLDS = typing.Value(BOOL)


def _with_their_widths(asked: bool, names: Iterable[str], scope: Scope) -> None:
    """Declines documents of computed numbers where it matters which of the types of numbers they have."""
    if asked and not all(scope.keeps_widths((name,)) for name in names):
        decline("the type of a computed number")


def _tells_types(expr: Expr) -> bool:
    return any(isinstance(node, Call) and node.op in ("$type", "$bsonSize") for node in expr.walk())


def _asks_types(predicate: Predicate) -> bool:
    if isinstance(predicate, Truth):
        return _tells_types(predicate.expr)
    return isinstance(predicate, HasType | JsonSchema)


def _note(text: str, scope: Scope) -> None:
    """Notes what is interpreted; each is given the time of a query, so that they must be few."""
    if len(scope.notes) >= _MOST:
        decline(f"more than {_MOST} operators for the interpreter")
    scope.notes.append(text)


_MOST = 32
"""Beyond so many, making documents for each takes longer than interpreting the whole plan."""


def _fields_of(expr: Expr, scope: Scope) -> list[str]:
    """The columns that an expression reads."""
    names: dict[str, None] = {}
    for node in expr.walk():
        if isinstance(node, FieldRef | SliceOf | FirstMatch):
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


def _over_documents(scope: Scope, names: Iterable[str], result: typing.Value, evaluate: Evaluate) -> pl.Expr:
    """A column of `evaluate`'s results over the documents made of those columns."""
    assert scope.columns is not None
    read = {name: scope.columns[name] for name in names if name in scope.columns}
    if any(col.masked for col in read.values()):
        decline("a field that is both null and missing")
    if any(col.type.kind == "mixed" for col in read.values()):
        decline("a field of mixed type")
    schema = Schema(tuple(Field(name, col.type, col.absence) for name, col in read.items()))
    until = deadline()  # of the query: it runs in threads of Polars, which know nothing of it

    def run(parts: Sequence[pl.Series]) -> pl.Series:
        with metered(until=until):
            if not read:
                return _series([_one(evaluate, {}) for _ in range(len(parts[0]))], result)
            frame = frame_of(part.rename(name) for name, part in zip(read, parts, strict=True))
            return _series([_one(evaluate, row) for row in to_documents(frame, schema)], result)

    # What reads no column is evaluated once a row all the same (`$rand`), beside a column where there is
    # one: in groups Polars takes the deviation of lists of one null for zero.
    names = list(read) or list(scope.columns)[:1]
    columns = [column(name) for name in names] or [pl.int_range(pl.len())]
    return pl.map_batches(columns, run, return_dtype=result.type.to_polars(), is_elementwise=bool(names))


def _one(evaluate: Evaluate, row: Mapping[str, Any]) -> Any:
    try:
        return evaluate(row)
    except (XRepoError, ArithmeticError, MemoryError, RecursionError) as error:
        # A row that a later filter drops may fail here: the interpreter decides on the whole plan.
        raise Inexact(str(error)) from error


def _series(values: list[Any], result: typing.Value) -> pl.Series:
    """The column of results; a result that is not of the foretold type is for the interpreter."""
    dtype = result.type.to_polars()
    if dtype == pl.Object:
        return pl.Series(values, dtype=pl.Object)
    absent = None if result.absence == "null" else MISSING if result.absence == "missing" else _NEVER
    if any((value is None or value is MISSING) and value is not absent for value in values):
        raise Inexact("a result that is absent in another way than foretold")
    try:
        if dtype == pl.Float64 and not all(map(_is_double, values)):
            raise Inexact("a number that is no double")
        return pl.Series([None if value is MISSING else value for value in values], dtype=dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise Inexact("a result of another type than foretold") from error


def _is_double(value: Any) -> bool:
    """Whether a double is what it is; of an int, whether one holds it."""
    return float(value) == value if isinstance(value, int) else not isinstance(value, Decimal)


_NEVER = object()
