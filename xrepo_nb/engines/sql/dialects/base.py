"""What differs between SQL dialects: the one place that knows, with the common answer as default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from xrepo_nb.engines.sql.context import MARK, utc
from xrepo_nb.engines.sql.syntax import Condition, Maker, Sql, binary, cast
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.context import Context


class _Everything(frozenset[str]):
    """A set that holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


EVERYTHING = _Everything()

SCALARS = frozenset({"int", "float", "string", "bool", "null"})

COMPARISONS: dict[str, Maker] = {
    "$eq": exp.EQ, "$ne": exp.NEQ, "$gt": exp.GT, "$gte": exp.GTE, "$lt": exp.LT, "$lte": exp.LTE,
}  # fmt: skip


class Dialect:
    """A dialect of SQL: what it can say exactly, and how.

    The sets name plan stages, predicates, expression operators, accumulators and kinds of
    columns. What is not in them is declined, so that it stays with a local engine.
    """

    name: ClassVar[str]
    stages: ClassVar[frozenset[str]] = frozenset(
        {"Scan", "Match", "Project", "AddFields", "Unset", "Sort", "Limit", "Skip", "Group"}
    )
    predicates: ClassVar[frozenset[str]] = frozenset(
        {"Constant", "And", "Or", "Not", "Compare", "In", "Exists", "Regex", "Truth", "Mod"}
    )
    expressions: ClassVar[frozenset[str]] = frozenset(
        {"$and", "$or", "$not", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cond", "$ifNull"}
    )
    accumulators: ClassVar[frozenset[str]] = frozenset({"$sum", "$avg", "$min", "$max", "$count"})
    kinds: ClassVar[frozenset[str]] = SCALARS
    """Kinds of columns that it compares, groups and sorts exactly."""
    nested: ClassVar[bool] = False
    """Whether it has structs, lists and lambdas."""
    has_nan: ClassVar[bool] = True
    """Whether a float may be NaN, then equal to itself and greater than all other numbers."""
    merges: ClassVar[bool] = False
    """Whether a condition on a derived table of one row goes into that, where counting all rows is slower."""

    types: ClassVar[Mapping[str, str]] = {}
    """By kind, the types that bound values are told to be of."""

    def placeholder(self, index: int) -> str:
        """How the driver writes the bound value of that number, from 1."""
        return f":p{index}"

    def params(self, values: Sequence[Any]) -> Any:
        """The bound values as the driver takes them."""
        return {f"p{i}": value for i, value in enumerate(values, 1)}

    def escape(self, sql: str) -> str:
        """Text between placeholders as the driver takes it."""
        return sql

    def generate(self, tree: Sql, values: Sequence[Any]) -> tuple[str, Any]:
        """The text of a statement, with the values that it binds, numbered as they occur.

        Takes the tree as its own: making text of it may change it."""
        parts = tree.sql(dialect=self.name, comments=False, copy=False).split(MARK)
        numbers: dict[int, int] = {}
        text = [
            self.placeholder(numbers.setdefault(int(part), len(numbers) + 1)) if i % 2 else self.escape(part)
            for i, part in enumerate(parts)
        ]
        return "".join(text), self.params([values[index] for index in numbers])

    def encode(self, value: Any, kind: str) -> Any:
        """A constant as the driver binds it."""
        if isinstance(value, datetime):
            return utc(value)
        if kind == "uuid":
            return value.bytes
        if kind == "objectid":
            return value.binary
        return int(value) if kind == "int" else value

    def typed(self, placeholder: Sql, kind: str) -> Sql:
        """The placeholder with its type told, where the driver's guess could differ."""
        return cast(placeholder, self.types[kind]) if kind in self.types else placeholder

    def check(self, value: Value, what: str) -> None:
        """Declines a value of a kind that this dialect does not compare exactly."""
        if value.kind not in self.kinds:
            decline(f"{what} on {value.kind} in {self.name}")

    def text(self, sql: Sql) -> Sql:
        """A text operand that compares by code points, whatever the column's collation."""
        return sql

    def operand(self, value: Value) -> Sql:
        """A value as an operand of a comparison."""
        return self.text(value.sql) if value.kind == "string" else value.sql

    def holds(self, value: Value) -> Condition:
        """Whether the stored value is of the column's kind; only dynamically typed sources ask."""
        return True

    def within(self, op: str, value: Value, found: Condition) -> Condition:
        """A comparison of a column with a constant of its own kind, where the stored value is of that too."""
        return found

    def compare(self, op: str, left: Value, right: Value) -> Sql:
        """The comparison of two present values of one class, in the database's own terms."""
        return COMPARISONS[op](this=self.operand(left), expression=self.operand(right))

    def among(self, ctx: Context, value: Value, values: Sequence[Any]) -> Sql:
        """Whether a text or an int is one of many, bound as one list where the dialect has such."""
        if len(values) > 1000:
            decline(f"so many values in {self.name}")
        operands = [self.operand(ctx.literal(v)) for v in values]
        return exp.In(this=self.operand(value), expressions=operands)

    def across(self, op: str, whole: Value, real: Value) -> Sql:
        """The exact comparison of a column of ints with one of floats."""
        decline(f"comparing ints with floats in {self.name}")

    def decimals(self, ctx: Context, op: str, value: Value, constant: Decimal) -> Condition:
        """The exact comparison of a column of decimals with a constant of any number of digits."""
        decline(f"comparing decimals with floats in {self.name}")

    def is_nan(self, sql: Sql) -> Sql:
        """Whether a float is NaN."""
        return exp.EQ(this=sql, expression=cast(exp.Literal.string("NaN"), "DOUBLE"))

    def between(self, value: Value, low: Sql, high: Sql) -> Sql:
        """Whether a number lies within the bounds, both included."""
        above, below = exp.GTE(this=value.sql, expression=low), exp.LTE(this=value.sql, expression=high)
        return binary(exp.And, above, below)

    def contains(self, value: Value, part: Sql) -> Sql:
        """Whether a text contains another, case-sensitive."""
        decline(f"a pattern in {self.name}")

    def starts(self, value: Value, part: Sql, length: Sql) -> Sql:
        """Whether a text begins with another of that length in code points."""
        decline(f"a pattern in {self.name}")

    def matches(self, value: Value, pattern: Sql, options: str) -> Sql:
        """Whether a text matches a simple regular expression."""
        decline(f"a regular expression in {self.name}")

    def as_kind(self, sql: Sql, kind: str) -> Sql:
        """An aggregate whose type may be wider, as an int or a float."""
        return cast(sql, "BIGINT" if kind == "int" else "DOUBLE")

    def extreme(self, sql: Sql, value: Value) -> Sql:
        """The least or greatest of a group, as the value's own type."""
        return sql

    def picked(self, value: Value) -> Sql:
        """A column that rows are grouped by, as it is selected."""
        return value.sql

    def ordered(self, sql: Sql, descending: bool) -> Sql:
        """A key of ORDER BY, nulls least."""
        return exp.Ordered(this=sql, desc=descending or None, nulls_first=not descending)

    def reduced(self, found: Sql, present: Sql) -> Sql:
        """The sum or mean of floats, of which so many are present: not null where the interpreter has NaN."""
        return found

    def fails(self, message: str) -> Sql:
        """An expression that raises when evaluated; the message is ours, never data."""
        decline(f"a check of values in {self.name}")
