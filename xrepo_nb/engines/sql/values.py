"""Values: a SQL expression with its logical type and what its NULLs stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xrepo_nb.engines.sql.reasons import decline
from xrepo_nb.engines.sql.syntax import NULL as SQL_NULL
from xrepo_nb.engines.sql.syntax import (
    Condition,
    Sql,
    as_sql,
    conjunction,
    disjunction,
    is_null,
    negation,
    not_null,
)
from xrepo_nb.schema.types import Absence, DataType

STRING, INT, FLOAT, BOOL = (DataType(k) for k in ("string", "int", "float", "bool"))
DATETIME, NULL = DataType("datetime"), DataType("null")

NO_LITERAL: Any = object()

CLASSES = {
    "int": "number", "float": "number", "decimal": "number", "datetime": "date", "date": "date",
    "binary": "binary", "uuid": "binary",
}  # fmt: skip
"""The kinds that compare with each other; all others only with themselves."""

RANKS = {
    "null": 5, "number": 10, "string": 15, "object": 20, "array": 25, "binary": 30, "objectid": 35,
    "bool": 40, "date": 45, "time": 48, "duration": 49,
}  # fmt: skip
"""MongoDB's order over the classes of values."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression renders to.

    A NULL of `sql` stands for what `absence` says; where that is "both", `missing` is a
    condition that holds for the missing ones. `literal` is the constant, if it is one.
    """

    sql: Sql
    type: DataType
    absence: Absence = "null"
    missing: Sql | None = None
    literal: Any = NO_LITERAL
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        return self.type.kind

    @property
    def group(self) -> str:
        """The class within which it compares."""
        return CLASSES.get(self.type.kind, self.type.kind)

    @property
    def is_constant(self) -> bool:
        return self.literal is not NO_LITERAL

    def is_absent(self) -> Condition:
        """Null or missing."""
        if self.type.kind == "null":
            return True
        return False if self.absence == "never" else is_null(self.sql)

    def is_present(self) -> Condition:
        """Neither null nor missing."""
        if self.type.kind == "null":
            return False
        return True if self.absence == "never" else not_null(self.sql)

    def is_missing(self) -> Condition:
        """Missing, not null."""
        if self.absence == "both":
            assert self.missing is not None
            return self.missing
        return self.is_absent() if self.absence == "missing" else False

    def is_none(self) -> Condition:
        """Null, not missing."""
        if self.absence == "both":
            assert self.missing is not None
            return conjunction(self.is_absent(), negation(self.missing))
        return self.is_absent() if self.absence == "null" else False

    def with_absence(self, null: Condition, missing: Condition) -> Value:
        """The same with what its NULLs stand for given anew: a condition for each kind."""
        absence, mask = absence_of(null, missing)
        return replace(self, absence=absence, missing=mask)

    def nullable(self) -> Value:
        """The same, where missing counts as null: what an array's element or a key makes of it."""
        return self if self.absence in ("never", "null") else replace(self, absence="null", missing=None)

    def settled(self, what: str) -> Value:
        """The same; declines where both null and missing may occur, which no typed column holds."""
        if self.absence == "both":
            decline(f"{what} may be null or missing, row by row")
        return self


def absence_of(null: Condition, missing: Condition) -> tuple[Absence, Sql | None]:
    """The absence and mask of a value that is null, and missing, under these conditions."""
    if missing is False:
        return ("never" if null is False else "null"), None
    if null is False:
        return "missing", None
    return "both", as_sql(missing)


MISSING_VALUE = Value(SQL_NULL, NULL, "missing")
NULL_VALUE = Value(SQL_NULL, NULL, "null", literal=None)


def strict(sql: Sql, type_: DataType, *operands: Value) -> Value:
    """A result that is null when any operand is null or missing, as SQL itself makes it."""
    absent = any(v.absence != "never" for v in operands)
    return Value(sql, type_, "null" if absent else "never")


def any_absent(values: Sequence[Value]) -> Condition:
    return disjunction(*(v.is_absent() for v in values))


def unified(types: Sequence[DataType]) -> DataType:
    """The one type of several values; a null fits any type. Declines when they differ."""
    found = NULL
    for type_ in types:
        if type_.kind == "null":
            continue
        if found.kind == "null":
            found = type_
        elif found.holds("decimal"):
            decline("decimals from several places, which may have different scales")
        elif type_ == found:
            continue
        elif found.kind == type_.kind == "array":
            found = DataType("array", item=unified([found.item or NULL, type_.item or NULL]))
        else:
            decline(f"values of several types ({found}, {type_})")
    return found
