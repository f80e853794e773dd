"""Values: a Polars expression with its logical type and what its nulls stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import lru_cache
from typing import Any
from uuid import UUID

import polars as pl

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.facts import UNKNOWN, Facts
from xrepo_nb.engines.polars.logic import Condition, as_expr, conjunction, negation
from xrepo_nb.engines.typed import constants
from xrepo_nb.engines.typed.absence import NO_LITERAL, Absent
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.types import MOMENT, Absence, DataType, Field

STRING, INT, FLOAT, BOOL = DataType("string"), DataType("int"), DataType("float"), DataType("bool")
DATETIME, OBJECT, MIXED, NULL = DataType("datetime"), DataType("object"), DataType("mixed"), DataType("null")

NUMBERS = frozenset({"int", "float"})


@frozen
class Value(Absent[pl.Expr]):
    """What an expression lowers to: a Polars expression, whose nulls stand for what `absence` says."""

    expr: pl.Expr
    type: DataType
    absence: Absence = "null"
    missing: pl.Expr | None = None
    facts: Facts = UNKNOWN
    literal: Any = NO_LITERAL

    @property
    def is_number(self) -> bool:
        """Whether it is an int or a float."""
        return self.type.kind in NUMBERS

    @property
    def may_be_absent(self) -> bool:
        """Whether a null or missing value may occur."""
        return self.absence != "never" and self.facts.may_be_null

    def is_absent(self) -> Condition:
        if self.type.kind == "null":
            return True
        return self.expr.is_null() if self.may_be_absent else False

    def is_present(self) -> Condition:
        if self.type.kind == "null":
            return False
        return self.expr.is_not_null() if self.may_be_absent else True

    def nullable(self) -> Value:
        if self.type.kind == "null":
            return replace(NULL_VALUE, expr=self.expr)
        return Absent.nullable(self)

    def _absent_but(self, missing: pl.Expr) -> Condition:
        return conjunction(self.is_absent(), negation(missing))

    def _where(self, absence: Absence, missing: Condition | None) -> Value:
        return replace(self, absence=absence, missing=None if missing is None else as_expr(missing))


MISSING_VALUE = Value(pl.lit(None), NULL, "missing")
NULL_VALUE = Value(pl.lit(None), NULL, "null", literal=None)
EMPTY_DOCUMENT = Value(pl.lit({}, dtype=pl.Struct([])), OBJECT, "never", literal={})


def absent_like(values: list[Value]) -> Absence:
    """The absence of a result that is null when any operand is null or missing."""
    return "null" if any(v.absence != "never" for v in values) else "never"


def literal(value: Any) -> Value:
    """A constant."""
    if value is None:
        return NULL_VALUE
    made: Value = _LITERALS.get(type(value), _special)(value)
    return made


def _int(value: int) -> Value:
    return Value(constant(constants.whole(value)), INT, "never", facts=Facts((value, value)), literal=value)


def _float(value: float) -> Value:
    # The zeros are equal, so that a cache does not tell them apart.
    made = constant(value) if value else pl.lit(value, dtype=pl.Float64)
    return Value(made, FLOAT, "never", literal=value)


@lru_cache(maxsize=1024, typed=True)
def constant(value: Any) -> pl.Expr:
    """A number, text or bool as a Polars literal of its canonical dtype."""
    return pl.lit(value, dtype=_DTYPES[type(value)])


_DTYPES: dict[type, Any] = {int: pl.Int64, float: pl.Float64, str: pl.String, bool: pl.Boolean}


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC, which a naive one is taken to be in; declines one beyond the years of dates."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return decline("a date beyond the years 1 to 9999 in UTC")


def _datetime(value: datetime) -> Value:
    aware = in_utc(value)
    return Value(pl.lit(aware, dtype=MOMENT), DATETIME, "never", literal=aware)


def _plain(kind: str, check: Callable[[Any], Any] = lambda value: value) -> Any:
    type_ = DataType(kind)  # type: ignore[arg-type]
    return lambda value: Value(pl.lit(check(value)), type_, "never", literal=value)


def _list(value: list[Any]) -> Value:
    items = [literal(item) for item in value]
    item_type = unified([item.type for item in items])
    type_ = DataType("array", item=item_type)
    made = pl.lit([physical(item) for item in value], dtype=type_.to_polars())
    return Value(made, type_, "never", literal=value)


def _document(value: dict[str, Any]) -> Value:
    if not value:
        return EMPTY_DOCUMENT
    parts = {constants.text(name): literal(item) for name, item in value.items()}
    struct = pl.struct(*(part.expr.alias(name) for name, part in parts.items()))
    fields = tuple(Field(name, part.type, part.absence) for name, part in parts.items())
    return Value(struct, DataType("object", fields), "never", literal=value)


_LITERALS: dict[type, Any] = {
    bool: lambda v: Value(constant(v), BOOL, "never", literal=v),
    int: _int,
    float: _float,
    str: lambda v: Value(constant(constants.text(v)), STRING, "never", literal=v),
    bytes: _plain("binary"),
    datetime: _datetime,
    date: _plain("date"),
    clock: _plain("time", constants.clock),
    timedelta: _plain("duration", constants.duration),
    UUID: lambda v: Value(pl.lit(v.bytes), DataType("uuid"), "never", literal=v),
    list: _list,
    dict: _document,
}


def _special(value: Any) -> Value:
    name = type(value).__name__
    if name == "ObjectId":
        return Value(pl.lit(value.binary), DataType("objectid"), "never", literal=value)
    if name == "Int64":
        return _int(int(value))
    return decline(f"a literal of type {name}")


def physical(value: Any) -> Any:
    """A constant as Polars stores it."""
    if isinstance(value, UUID):
        return value.bytes
    if type(value).__name__ == "ObjectId":
        return value.binary
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, dict):
        return {name: physical(item) for name, item in value.items()}
    return [physical(item) for item in value] if isinstance(value, list) else value


def unified(types: list[DataType]) -> DataType:
    """The one type of several values: a null fits any type, ints widen to floats, objects to one
    with the fields of all. Declines when there is none."""
    found = NULL
    for type_ in types:
        found = _joined(found, type_)
    return found


def _joined(a: DataType, b: DataType) -> DataType:
    if b.kind == "null" or a == b:
        return a
    if a.kind == "null":
        return b
    if {a.kind, b.kind} == NUMBERS:
        return FLOAT
    if a.kind == b.kind == "array":
        return DataType("array", item=_joined(a.item or NULL, b.item or NULL))
    if a.kind == b.kind == "object" and [f.name for f in a.fields] == [f.name for f in b.fields]:
        pairs = zip(a.fields, b.fields, strict=True)
        return DataType("object", tuple(_joined_field(x, y) for x, y in pairs))
    return decline(f"values of several types ({a}, {b})")


def _joined_field(a: Field, b: Field) -> Field:
    if a.absence != b.absence and "never" not in (a.absence, b.absence):
        decline(f"a field {a.name!r} that is null in some objects and missing in others")
    return Field(a.name, _joined(a.type, b.type), b.absence if a.absence == "never" else a.absence)
