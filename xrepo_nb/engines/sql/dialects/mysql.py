"""MySQL: text compared as bytes, so that no collation and no implicit number steps in."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from xrepo_nb.engines.sql.dialects.base import SCALARS, Dialect
from xrepo_nb.engines.sql.syntax import Sql, call
from xrepo_nb.engines.sql.values import Value


class MySQL(Dialect):
    """Filters, sorts and groups over plain columns; text compares as bytes."""

    name = "mysql"
    has_nan = False
    kinds = SCALARS | {"datetime", "date"}

    def placeholder(self, index: int) -> str:
        return f"%(p{index})s"

    def escape(self, sql: str) -> str:
        return sql.replace("%", "%%")

    def encode(self, value: Any, kind: str) -> Any:
        return int(value) if kind == "bool" else super().encode(value, kind)

    def text(self, sql: Sql) -> Sql:
        return exp.Cast(this=sql, to=exp.DataType.build("BINARY", dialect="mysql"))

    def extreme(self, sql: Sql, value: Value) -> Sql:
        return exp.Cast(this=sql, to=exp.DataType.build("CHAR")) if value.kind == "string" else sql

    def picked(self, value: Value) -> Sql:
        return call("any_value", value.sql) if value.kind == "string" else value.sql

    def contains(self, value: Value, part: Sql) -> Sql:
        return exp.GT(this=call("instr", self.text(value.sql), part), expression=exp.Literal.number(0))

    def starts(self, value: Value, part: Sql, length: Sql) -> Sql:
        head = call("left", value.sql, length)
        return exp.EQ(this=self.text(head), expression=self.text(part))
