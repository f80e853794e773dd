"""What rendering carries along: the dialect, the bound values, the columns and variables in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlglot import exp

from xrepo_nb.engines.sql.syntax import Sql
from xrepo_nb.engines.sql.values import NULL_VALUE, Value, unified
from xrepo_nb.engines.typed import constants
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Expr
from xrepo_nb.schema.types import DataType, Kind

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.dialects.base import Dialect

MARK = "\0"
"""Encloses the number of a bound value in generated text; no identifier may hold it."""


@dataclass(slots=True)
class Names:
    """The counters of one rendering: bound values, tables, lambda parameters."""

    values: list[Any] = field(default_factory=list)
    tables: int = 0
    lambdas: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """The place where an expression is rendered. `shifted`: deviations are of numbers less the least of
    their group, which tells apart what lies close together."""

    dialect: Dialect
    names: Names
    columns: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)
    shifted: bool = False

    def over(self, columns: Mapping[str, Value]) -> Context:
        """The same over the columns of another relation."""
        return replace(self, columns=columns)

    def with_variables(self, variables: Mapping[str, Value]) -> Context:
        """The same with more variables bound."""
        return replace(self, variables={**self.variables, **variables})

    def table_name(self) -> str:
        """A fresh name for a derived table."""
        self.names.tables += 1
        return f"t{self.names.tables}"

    def lambda_name(self) -> str:
        """A fresh name for the parameter of a lambda."""
        self.names.lambdas += 1
        return f"x{self.names.lambdas}"

    def bind(self, value: Any) -> Sql:
        """A placeholder for a value as the driver takes it."""
        self.names.values.append(value)
        return exp.Var(this=f"{MARK}{len(self.names.values) - 1}{MARK}")

    def value(self, expr: Expr) -> Value:
        """What an expression renders to."""
        from xrepo_nb.engines.sql.expressions.render import expression

        return expression(self, expr)

    def literal(self, value: Any) -> Value:
        """A constant, bound."""
        if value is None:
            return NULL_VALUE
        if isinstance(value, list | tuple):
            return self._list(list(value))
        if isinstance(value, dict):
            from xrepo_nb.engines.sql.expressions.objects import struct

            return replace(
                struct([(constants.text(k), self.literal(v)) for k, v in value.items()]), literal=value
            )
        kind = kind_of(value)
        sql = self.bind(self.dialect.encode(value, kind))
        return Value(self.dialect.typed(sql, kind), DataType(kind), "never", literal=value)

    def _list(self, value: list[Any]) -> Value:
        if len(value) > _LONG:
            decline(f"a constant array of more than {_LONG:,} elements")
        items = [self.literal(item) for item in value]
        item = unified([v.type for v in items])
        sql = exp.Array(expressions=[v.sql for v in items])
        return Value(sql, DataType("array", item=item), "never", literal=value)


_LONG = 10_000
"""Beyond so many elements binding them one by one takes longer than interpreting the plan."""


def kind_of(value: Any) -> Kind:
    """The kind of a scalar constant; declines one that no typed column holds."""
    found = _KINDS.get(type(value))
    if found is not None:
        check = _CHECKS.get(found)
        if check is not None:
            check(value)
        return found
    name = type(value).__name__
    if name in ("ObjectId", "Int64"):
        return "objectid" if name == "ObjectId" else "int"
    return decline(f"a literal of type {name}")


_KINDS: dict[type, Kind] = {
    bool: "bool", int: "int", float: "float", str: "string", bytes: "binary", datetime: "datetime",
    date: "date", time: "time", timedelta: "duration", UUID: "uuid",
}  # fmt: skip
_CHECKS: dict[Kind, Callable[[Any], Any]] = {
    "string": constants.text, "int": constants.whole, "duration": constants.duration, "time": constants.clock,
}  # fmt: skip


def utc(value: datetime) -> datetime:
    """The moment as naive UTC, which is how SQL timestamps are kept here."""
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        return decline("a date beyond the years 1 to 9999 in UTC")
