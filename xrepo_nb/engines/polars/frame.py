"""Frames: a lazy frame under construction, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from xrepo_nb.engines.polars.facts import INT64, UNKNOWN, Facts, SeriesFacts
from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import Absence, DataType, Field

_MASK = "\0missing\0"


def column(name: str) -> pl.Expr:
    """The column of that very name; Polars would read some names as patterns."""
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        import polars.selectors as cs

        return cs.by_name(name).as_expr()
    return pl.col(name)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its meaning, and the dtype it has where that is not the canonical one.

    With absence "both" a companion column says which nulls are missing ones, until the frame
    is finished.
    """

    type: DataType
    absence: Absence = "null"
    dtype: Any = None
    facts: Facts = UNKNOWN
    field: Field | None = None

    @property
    def masked(self) -> bool:
        return self.absence == "both" and self.type.kind != "mixed"

    def value(self, name: str) -> Value:
        """The column as a value, in its canonical dtype."""
        expr = column(name)
        if self.dtype is not None:
            expr = expr.cast(self.type.to_polars())
        mask = column(_MASK + name) if self.masked else None
        return Value(expr, self.type, self.absence, mask, self.facts)

    def described(self, name: str) -> Field:
        """The field of the result's schema."""
        if self.masked:
            return Field(name, DataType("mixed"), "both")
        if self.field is not None:
            return replace(self.field, name=name, type=self.type, absence=self.absence)
        return Field(name, self.type, self.absence)


@dataclass(frozen=True, slots=True)
class Frame:
    """A lazy frame with the meaning of its columns, in the order of the documents' keys.

    `height` is the greatest number of rows it can have, where that is known.
    """

    lazy: pl.LazyFrame
    columns: Mapping[str, Column]
    height: int | None = None

    def select(self, names: Iterable[str]) -> Frame:
        """Only those columns."""
        kept = {name: self.columns[name] for name in names}
        return Frame(self.lazy.select(*(column(n) for n in physical_names(kept))), kept, self.height)

    def drop(self, names: Iterable[str]) -> Frame:
        """All but those columns."""
        gone = set(names)
        return self.select(name for name in self.columns if name not in gone)

    def assign(self, values: Mapping[str, Value]) -> Frame:
        """The columns with those values set or added; each value sees the frame as it was."""
        exprs = [e for name, value in values.items() for e in assignments(name, value)]
        columns = dict(self.columns) | {name: column_of(value) for name, value in values.items()}
        return Frame(self.lazy.with_columns(*exprs) if exprs else self.lazy, columns, self.height)

    def rebuild(self, values: Mapping[str, Value]) -> Frame:
        """Only those columns, computed from these rows."""
        if not values:
            decline("rows without any field")
        exprs = [e for name, value in values.items() for e in assignments(name, value)]
        columns = {name: column_of(value) for name, value in values.items()}
        return Frame(self.lazy.select(*exprs), columns, self.height)

    def over(self, lazy: pl.LazyFrame, height: int | None = None) -> Frame:
        """The same columns over other rows of them."""
        return Frame(lazy, self.columns, self.height if height is None else height)

    def schema(self) -> Schema:
        """The schema of the finished frame."""
        return Schema(tuple(col.described(name) for name, col in self.columns.items()))


def physical_names(columns: Mapping[str, Column]) -> list[str]:
    """The names of the columns and of their companions."""
    names = list(columns)
    return names + [_MASK + name for name, col in columns.items() if col.masked]


def assignments(name: str, value: Value) -> list[pl.Expr]:
    """The Polars expressions that set a column and, if it needs one, its companion."""
    exprs = [value.expr.alias(name)]
    if value.absence == "both" and value.kind != "mixed":
        assert value.missing is not None
        exprs.append(value.missing.alias(_MASK + name))
    return exprs


def column_of(value: Value) -> Column:
    """The column that holds a value."""
    return Column(value.type, value.absence, facts=value.facts)


def scan(table: Table) -> Frame:
    """The rows of a table. Reads the schema only; facts of eager rows are read when asked for."""
    schema = table.schema
    if table.is_lazy:
        lazy = table.lazy
        dtypes = lazy.collect_schema()
        columns = {f.name: _scanned(f, dtypes[f.name], UNKNOWN) for f in schema.fields}
        return Frame(lazy, columns)
    frame = table.frame
    series = dict(zip(frame.columns, frame.get_columns(), strict=True))
    columns = {f.name: _scanned(f, series[f.name].dtype, SeriesFacts(series[f.name])) for f in schema.fields}
    return Frame(frame.lazy(), columns, frame.height)


def empty_scan(schema: Schema) -> Frame:
    """No rows of that schema, for what looks at schemas only."""
    columns = {f.name: Column(f.type, f.absence, field=f) for f in schema.fields}
    return Frame(pl.LazyFrame(schema=schema.to_polars()), columns)


def _scanned(field: Field, dtype: Any, facts: Facts) -> Column:
    kind = field.type.kind
    if kind == "mixed" or dtype == field.type.to_polars():
        return Column(field.type, field.absence, None, facts, field)
    if facts is UNKNOWN and kind == "int":
        facts = Facts(_BOUNDS.get(dtype))
    return Column(field.type, field.absence, dtype, facts, field)


_BOUNDS: dict[Any, tuple[int, int]] = {
    pl.Int8: (-(2**7), 2**7 - 1),
    pl.Int16: (-(2**15), 2**15 - 1),
    pl.Int32: (-(2**31), 2**31 - 1),
    pl.Int64: INT64,
    pl.UInt8: (0, 2**8 - 1),
    pl.UInt16: (0, 2**16 - 1),
    pl.UInt32: (0, 2**32 - 1),
    pl.UInt64: (0, 2**64 - 1),
}


def finish(frame: Frame) -> tuple[pl.LazyFrame, Schema]:
    """The lazy frame of the result, companions folded into `mixed` columns, and its schema."""
    names = [column(n) for n, c in frame.columns.items()]
    masked = [name for name, c in frame.columns.items() if c.masked]
    lazy = frame.lazy
    if masked:
        lazy = lazy.with_columns(*(_folded(name, frame.columns[name]) for name in masked)).select(*names)
    return lazy, frame.schema()


def _folded(name: str, col: Column) -> pl.Expr:
    field = Field(name, col.type, "null")

    def fold(parts: Any) -> pl.Series:
        from xrepo_nb.core.missing import MISSING
        from xrepo_nb.schema.documents import to_documents

        rows = to_documents(parts[0].rename(name).to_frame(), Schema((field,)))
        values = [MISSING if gone else row[name] for row, gone in zip(rows, parts[1].to_list(), strict=True)]
        return pl.Series(name, values, dtype=pl.Object)

    return pl.map_batches(
        [column(name), column(_MASK + name)], fold, return_dtype=pl.Object, is_elementwise=True
    )
