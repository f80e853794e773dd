"""DuckDB: nested types, lambdas, errors on demand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from xrepo_nb.engines.sql.dialects.base import COMPARISONS, EVERYTHING, SCALARS, Dialect
from xrepo_nb.engines.sql.syntax import Condition, Sql, binary, call, cast
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed import constants
from xrepo_nb.engines.typed.reasons import decline

FAILED = "xrepo: "
"""What begins the messages of errors that our own SQL raises."""


if TYPE_CHECKING:
    from xrepo_nb.engines.sql.context import Context


class DuckDB(Dialect):
    """Nested types, lambdas and errors on demand: it says every stage that has SQL at all."""

    name = "duckdb"
    nested = True
    stages = EVERYTHING
    predicates = EVERYTHING
    expressions = EVERYTHING
    accumulators = EVERYTHING
    kinds = SCALARS | {
        "decimal", "datetime", "date", "time", "duration", "binary", "uuid", "objectid", "object", "array",
    }  # fmt: skip
    types = {"int": "BIGINT", "float": "DOUBLE"}

    def placeholder(self, index: int) -> str:
        return f"$p{index}"

    def encode(self, value: Any, kind: str) -> Any:
        if kind == "duration":
            return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
        return super().encode(value, kind)

    def among(self, ctx: Context, value: Value, values: Sequence[Any]) -> Sql:
        kind = "BIGINT" if value.kind == "int" else "TEXT"
        text, separator = _joined(values)
        listed = call("string_split", ctx.bind(text), ctx.bind(separator))
        if any(not column.table for column in value.sql.find_all(exp.Column)):
            return call("list_contains", cast(listed, f"{kind}[]"), value.sql)  # lambdas hold no subquery
        inner = exp.select(cast(call("unnest", listed), kind), copy=False)
        return exp.In(this=value.sql, query=exp.Subquery(this=inner))

    def across(self, op: str, whole: Value, real: Value) -> Sql:
        """As doubles, where rounding the int decides nothing; where it may, as integers."""
        rounded = cast(whole.sql, "DOUBLE")
        exact = exp.TryCast(this=real.sql, to=exp.DataType.build("HUGEINT", dialect="duckdb"))
        tie = exp.EQ(this=rounded, expression=real.sql)
        decided = binary(exp.And, tie, COMPARISONS[op](this=whole.sql, expression=exact))
        if op == "$eq":
            return decided
        strictly = COMPARISONS[op.removesuffix("e")](this=rounded, expression=real.sql)
        return binary(exp.Or, strictly, decided)

    def decimals(self, ctx: Context, op: str, value: Value, constant: Decimal) -> Condition:
        """As decimals of the constant's magnitude; what does not fit them is larger, or less by its sign."""
        places = _DIGITS - 1 - max(constant.adjusted() + 1, 1)
        if places < 0:
            decline("comparing decimals with a float of so many digits")
        with localcontext(prec=2 * _DIGITS, rounding=ROUND_FLOOR):
            floor = constant.quantize(Decimal(1).scaleb(-places))
        is_exact = floor == constant
        if op == "$eq" and not is_exact:
            return False
        if not is_exact:
            op = "$gt" if op in ("$gt", "$gte") else "$lte"
        kind = f"DECIMAL({_DIGITS}, {places})"
        fitting = exp.TryCast(this=value.sql, to=exp.DataType.build(kind, dialect="duckdb"))
        near = COMPARISONS[op](this=fitting, expression=cast(ctx.bind(f"{floor:f}"), kind))
        if op == "$eq":
            return near
        far = COMPARISONS[op](this=value.sql, expression=exp.Literal.number(0))
        return exp.Coalesce(this=near, expressions=[far])

    def is_nan(self, sql: Sql) -> Sql:
        return call("isnan", sql)

    def contains(self, value: Value, part: Sql) -> Sql:
        return call("contains", value.sql, part)

    def starts(self, value: Value, part: Sql, length: Sql) -> Sql:
        return call("starts_with", value.sql, part)

    def matches(self, value: Value, pattern: Sql, options: str) -> Sql:
        return call("regexp_matches", value.sql, pattern, exp.Literal.string(options))

    def fails(self, message: str) -> Sql:
        return call("error", exp.Literal.string(FAILED + message))


def _joined(values: Sequence[Any]) -> tuple[str, str]:
    """Many values as one text, and what stands between them: bound one by one, a million take seconds."""
    if not isinstance(values[0], str):
        return ",".join(map(str, values)), ","
    whole = "".join(values)
    separator = next((found for found in map(chr, range(1, _SEPARATORS)) if found not in whole), None)
    if separator is None:
        decline("a long list of texts of all characters")
    return constants.text(separator.join(values)), separator


_SEPARATORS = 1_000
_DIGITS = 38
"""What a decimal holds at most."""
