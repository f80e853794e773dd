"""SQLite: columns of any type, so that every comparison asks for the stored class first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from xrepo_nb.engines.sql.dialects.base import Dialect
from xrepo_nb.engines.sql.syntax import Condition, Sql, call, case, cast, conjunction, is_null, text
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.context import Context

_BELOW = ("$lt", "$lte")
_TEXTUAL = ("CHAR", "CLOB", "TEXT", "BLOB")
_CLASSES = {"int": ("integer",), "float": ("real", "integer"), "string": ("text",), "bool": ("integer",)}


class SQLite(Dialect):
    """Filters, sorts and groups over plain columns, whose every value may be of any class."""

    name = "sqlite"
    has_nan = False
    merges = True

    def text(self, sql: Sql) -> Sql:
        return exp.Collate(this=sql, expression=exp.Identifier(this="BINARY"))

    def operand(self, value: Value) -> Sql:
        """As declared text where it is not, else the affinity of the column makes numbers of constants."""
        if value.kind == "string" and isinstance(value.sql, exp.Column) and _is_numeric(value):
            return self.text(cast(value.sql, "TEXT"))
        return super().operand(value)

    def as_kind(self, sql: Sql, kind: str) -> Sql:
        return sql

    def among(self, ctx: Context, value: Value, values: Sequence[Any]) -> Sql:
        if any("\0" in v for v in values if isinstance(v, str)):
            decline("so many values, with a NUL character among them, in sqlite")
        listed = call("json_each", ctx.bind(json.dumps(values)))
        inner = exp.select(exp.column("value"), copy=False).from_(listed, copy=False)
        return exp.In(this=self.operand(value), query=exp.Subquery(this=inner))

    def across(self, op: str, whole: Value, real: Value) -> Sql:
        return self.compare(op, whole, real)

    def holds(self, value: Value) -> Condition:
        if value.is_constant or not isinstance(value.sql, exp.Column):
            return True
        classes = [text(name) for name in _CLASSES[value.kind]]
        return exp.In(this=call("typeof", value.sql), expressions=classes)

    def within(self, op: str, value: Value, found: Condition) -> Condition:
        """By the order of classes (null, numbers, text, blobs), which an index knows, where no more is
        needed; asking for the class of each value takes as long as comparing it."""
        if value.is_constant or not isinstance(value.sql, exp.Column):
            return found
        if value.kind == "string" and _is_numeric(value):
            return conjunction(self.holds(value), found)
        if op == "$eq" or (op in _BELOW and value.kind != "string"):
            return found
        own = self.operand(value)
        if value.kind != "string":
            return conjunction(found, exp.LT(this=own, expression=text("")))
        if op in _BELOW:
            return conjunction(found, exp.GTE(this=own, expression=text("")))
        return conjunction(found, exp.LT(this=own, expression=exp.HexString(this="")))

    def contains(self, value: Value, part: Sql) -> Sql:
        return exp.GT(this=call("instr", value.sql, part), expression=exp.Literal.number(0))

    def starts(self, value: Value, part: Sql, length: Sql) -> Sql:
        head = call("substr", value.sql, exp.Literal.number(1), length)
        return exp.EQ(this=self.text(head), expression=part)

    def reduced(self, found: Sql, present: Sql) -> Sql:
        """Both infinities have a null for their sum: then the query fails as sums past 64 bits do, by the
        absolute value of the least integer."""
        some = exp.GT(this=present, expression=exp.Literal.number(0))
        largest = exp.Literal.number(2**63 - 1)
        least = exp.Sub(this=exp.Neg(this=largest), expression=exp.Paren(this=some))
        lost = exp.And(this=is_null(found), expression=some.copy())
        return case([(lost, call("abs", least))], found.copy())


def _is_numeric(value: Value) -> bool:
    """Whether the declared type makes the column compare as numbers what looks like some."""
    native = str(dict(value.extra).get("native_type", ""))
    return bool(native) and ("INT" in native or not any(part in native for part in _TEXTUAL))
