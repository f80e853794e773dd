"""PostgreSQL: text compared in the C collation, numbered placeholders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from xrepo_nb.engines.sql.dialects.base import SCALARS, Dialect
from xrepo_nb.engines.sql.syntax import Sql, call, cast
from xrepo_nb.engines.sql.values import Value

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.context import Context


class Postgres(Dialect):
    """Filters, sorts and groups over plain columns; text compares by the C collation."""

    name = "postgres"
    kinds = SCALARS | {"datetime", "date", "uuid"}
    types = {
        "int": "BIGINT", "float": "DOUBLE", "string": "TEXT", "bool": "BOOLEAN", "datetime": "TIMESTAMPTZ",
        "date": "DATE", "uuid": "UUID",
    }  # fmt: skip

    def placeholder(self, index: int) -> str:
        return f"${index}"

    def params(self, values: Sequence[Any]) -> Any:
        return list(values)

    def encode(self, value: Any, kind: str) -> Any:
        return value if kind in ("uuid", "datetime") else super().encode(value, kind)

    def text(self, sql: Sql) -> Sql:
        return exp.Collate(this=sql, expression=exp.Identifier(this="C", quoted=True))

    def among(self, ctx: Context, value: Value, values: Sequence[Any]) -> Sql:
        listed = cast(ctx.bind(list(values)), "BIGINT[]" if value.kind == "int" else "TEXT[]")
        return exp.EQ(this=self.operand(value), expression=exp.Any(this=exp.Paren(this=listed)))

    def contains(self, value: Value, part: Sql) -> Sql:
        return exp.GT(this=call("strpos", value.sql, part), expression=exp.Literal.number(0))

    def starts(self, value: Value, part: Sql, length: Sql) -> Sql:
        return call("starts_with", value.sql, part)
