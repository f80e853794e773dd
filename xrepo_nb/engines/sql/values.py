"""Values: a SQL expression with its logical type and what its NULLs stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xrepo_nb.engines.sql.syntax import NULL as SQL_NULL
from xrepo_nb.engines.sql.syntax import (
    Condition,
    Sql,
    as_sql,
    conjunction,
    is_null,
    negation,
    not_null,
)
from xrepo_nb.engines.typed.absence import NO_LITERAL, Absent
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.types import Absence, DataType

STRING, INT, FLOAT, BOOL = (DataType(k) for k in ("string", "int", "float", "bool"))
DATETIME, NULL = DataType("datetime"), DataType("null")


@dataclass(frozen=True, slots=True)
class Value(Absent[Sql]):
    """What an expression renders to: SQL, whose NULLs stand for what `absence` says."""

    sql: Sql
    type: DataType
    absence: Absence = "null"
    missing: Sql | None = None
    literal: Any = NO_LITERAL
    extra: tuple[tuple[str, Any], ...] = ()
    stored: bool = False
    """Whether it is as it came, so that its value tells the type of a number."""

    def is_absent(self) -> Condition:
        if self.type.kind == "null":
            return True
        return False if self.absence == "never" else is_null(self.sql)

    def is_present(self) -> Condition:
        if self.type.kind == "null":
            return False
        return True if self.absence == "never" else not_null(self.sql)

    def settled(self, what: str) -> Value:
        """The same; declines where both null and missing may occur, which no typed column holds."""
        if self.absence == "both":
            decline(f"{what} may be null or missing, row by row")
        return self

    def _absent_but(self, missing: Sql) -> Condition:
        return conjunction(self.is_absent(), negation(missing))

    def _where(self, absence: Absence, missing: Condition | None) -> Value:
        return replace(self, absence=absence, missing=None if missing is None else as_sql(missing))


MISSING_VALUE = Value(SQL_NULL, NULL, "missing")
NULL_VALUE = Value(SQL_NULL, NULL, "null", literal=None)


def strict(sql: Sql, type_: DataType, *operands: Value) -> Value:
    """A result that is null when any operand is null or missing, as SQL itself makes it."""
    absent = any(v.absence != "never" for v in operands)
    return Value(sql, type_, "null" if absent else "never")


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
