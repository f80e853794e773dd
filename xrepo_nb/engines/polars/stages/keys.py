"""Keys of groups: text that is kept as categories, and several keys packed into one whole number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import add

import polars as pl

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.facts import Bounds
from xrepo_nb.engines.polars.frame import Frame, column
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Expr, FieldRef
from xrepo_nb.schema.types import DataType

CATEGORIES = DataType("string")
"""Text, of a key that is a column of categories: told apart by identity."""

WIDEST = 2**62
"""How many values a packed key may have."""


def key_of(frame: Frame, key: Expr, scope: Scope) -> Value:
    """The value of a key; text that is kept as categories is grouped as such."""
    value = scope.typed(key)
    if _has_hollow(value.type):
        decline("a key of documents without fields")  # of no rows of them Polars makes a group
    if value.kind == "string" and isinstance(key, FieldRef) and len(key.path) == 1:
        (name,) = key.path
        if frame.columns[name].dtype is not None:
            return replace(value, expr=column(name), type=CATEGORIES)
    return value


def _has_hollow(type_: DataType) -> bool:
    """Whether there are documents without fields in it."""
    if type_.kind == "object":
        return not type_.fields or any(_has_hollow(field.type) for field in type_.fields)
    return type_.item is not None and _has_hollow(type_.item)


@frozen
class Packing:
    """Keys as one whole number from 0 on, below `size`, which is hashed in half the time of several
    columns; `parts` are the keys again, of a column that holds the number."""

    number: pl.Expr
    size: int
    parts: Mapping[str, pl.Expr]


PACKED = "\0packed"
"""That column."""


def packed(keys: Mapping[str, Value]) -> Packing | None:
    """As many of the keys as fit, of those that are ints, bools or categories; None where there is none.
    Reads the bounds of their columns, once."""
    numbers: list[pl.Expr] = []
    parts: dict[str, pl.Expr] = {}
    size = 1
    for name, value in keys.items():
        digit = _digit(value)
        if digit is not None and size * digit.size <= WIDEST:
            numbers.append(digit.number(value) * size if size > 1 else digit.number(value))
            parts[name] = digit.part(column(PACKED) // size, value)
            size *= digit.size
    return Packing(reduce(add, numbers), size, parts) if parts else None


@frozen
class _Digit:
    """A key as whole numbers from 0 on, below `size`; 0 stands for a null where there are any."""

    least: int
    size: int
    nulls: bool

    def number(self, value: Value) -> pl.Expr:
        number = value.expr.to_physical() if value.type is CATEGORIES else value.expr
        number = number.cast(pl.Int64) if value.kind != "int" else number
        number = number - self.least if self.least else number
        return number.fill_null(0) if self.nulls else number

    def part(self, numbers: pl.Expr, value: Value) -> pl.Expr:
        digit = numbers % self.size
        present = pl.when(digit > 0).then(digit) if self.nulls else digit
        number = present + self.least if self.least else present
        if value.type is CATEGORIES:
            return number.cat.to(value.facts.categories)
        return number.cast(pl.Boolean) if value.kind == "bool" else number


def _digit(value: Value) -> _Digit | None:
    bounds = _bounds(value)
    if bounds is None:
        return None
    low, high = bounds
    nulls = value.may_be_absent
    least = low - 1 if nulls else low
    if 0 < least <= high - least:
        least = 0  # a few numbers more, and none to subtract
    return _Digit(least, high - least + 1, nulls)


def _bounds(value: Value) -> Bounds | None:
    if value.kind == "bool":
        return 0, 1
    if value.kind == "int" or (value.type is CATEGORIES and value.facts.categories is not None):
        return value.facts.bounds
    return None
