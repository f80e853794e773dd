"""Frames: a lazy frame under construction, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary, ref

import polars as pl
import polars.selectors as cs

from xrepo_nb.core.bounded import Bounded
from xrepo_nb.core.frozen import frozen
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.polars.facts import INT64, UNKNOWN, Facts, ScanFacts, SeriesFacts
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import MOMENT, Absence, DataType, Field

_MASK = "\0missing\0"


@lru_cache(maxsize=4096)
def column(name: str) -> pl.Expr:
    """The column of that very name; Polars would read some names as patterns."""
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        return cs.by_name(name).as_expr()
    return pl.col(name)


def mask_name(name: str) -> str:
    """The name of the companion of a column that may be both null and missing."""
    return _MASK + name


@frozen
class Column:
    """One column: its meaning, and the canonical dtype where it has another one.

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
        """Whether a companion column tells its missing values from its null ones."""
        return self.absence == "both" and self.type.kind != "mixed"

    def value(self, name: str) -> Value:
        """The column as a value, in its canonical dtype."""
        expr = column(name)
        if self.dtype is not None:
            expr = expr.cast(self.dtype)
        mask = column(_MASK + name) if self.masked else None
        return Value(expr, self.type, self.absence, mask, self.facts)

    def described(self, name: str) -> Field:
        """The field of the result's schema."""
        if self.masked:
            return Field(name, DataType("mixed"), "both")
        if self.field is not None:
            return replace(self.field, name=name, type=self.type, absence=self.absence)
        return Field(name, self.type, self.absence)


@frozen
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
        return Frame(_only(self.lazy, kept, self.columns), kept, self.height)

    def drop(self, names: Iterable[str]) -> Frame:
        """All but those columns."""
        gone = set(names)
        return self.select(name for name in self.columns if name not in gone)

    def assign(self, values: Mapping[str, Value]) -> Frame:
        """The columns with those values set or added; each value sees the frame as it was."""
        exprs = [e for name, value in values.items() for e in assignments(name, value)]
        columns = dict(self.columns) | {name: column_of(value) for name, value in values.items()}
        return Frame(self.lazy.with_columns(*exprs) if exprs else self.lazy, columns, self.height)

    def rebuild(self, values: Mapping[str, Value], *, constant: bool = True) -> Frame:
        """Only those columns, computed from these rows; `constant`: they may all be constants."""
        exprs = [e for name, value in values.items() for e in assignments(name, value)]
        columns = {name: column_of(value) for name, value in values.items()}
        return self.computed(exprs, columns, constant=constant)

    def computed(
        self, exprs: Sequence[pl.Expr], columns: Mapping[str, Column], *, constant: bool = True
    ) -> Frame:
        """What the expressions make of these rows; `constant`: they may all be constants, which
        alone would make one row of any number."""
        if not constant or any(expr.meta.root_names() for expr in exprs):
            return Frame(self.lazy.select(exprs), columns, self.height)
        wide = self.lazy.with_columns(exprs)
        return Frame(_only(wide, columns, {**self.columns, **columns}), columns, self.height)

    def over(self, lazy: pl.LazyFrame, height: int | None = None) -> Frame:
        """The same columns over other rows of them."""
        return Frame(lazy, self.columns, self.height if height is None else height)

    def with_codes(self, codes: Mapping[str, SeriesFacts]) -> Frame:
        """The same rows, with text columns replaced by categories."""
        if not codes:
            return self
        coded = {n: replace(self.columns[n], dtype=pl.String, facts=facts) for n, facts in codes.items()}
        series = [facts.series for facts in codes.values()]
        return Frame(self.lazy.with_columns(series), {**self.columns, **coded}, self.height)

    def schema(self) -> Schema:
        """The schema of the finished frame."""
        return Schema(tuple(col.described(name) for name, col in self.columns.items()))


def _only(lazy: pl.LazyFrame, kept: Mapping[str, Column], among: Mapping[str, Column]) -> pl.LazyFrame:
    """Only those columns; of none the rows remain, which a selection of nothing would lose."""
    names = physical_names(kept)
    if names:
        return lazy.select([column(name) for name in names])
    gone = physical_names(among)
    return lazy.drop(cs.by_name(gone)) if gone else lazy


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
    """The rows of a table. Reads the schema only; facts of eager rows are read when asked for, once
    as long as the table lives."""
    if table.is_lazy:
        return Frame(table.lazy, _lazy_columns(table.lazy, table.schema), table.height)
    kept = _SCANS.get(table)
    if kept is None:
        kept = _SCANS[table] = _scan_rows(table)
    return kept


_SCANS: WeakKeyDictionary[Table, Frame] = WeakKeyDictionary()


def _lazy_columns(lazy: pl.LazyFrame, schema: Schema) -> Mapping[str, Column]:
    known = _LAZY.get(id(lazy))
    if known is None or known[0]() is not lazy or known[1] is not schema:
        dtypes = lazy.collect_schema()
        columns = {f.name: _in_files(f, dtypes[f.name], lazy) for f in schema.fields}
        known = _LAZY[id(lazy)] = ref(lazy), schema, columns
    return known[2]


_LAZY: Bounded[int, tuple[ref[pl.LazyFrame], Schema, Mapping[str, Column]]] = Bounded(64)


def _scan_rows(table: Table) -> Frame:
    schema, frame = table.schema, table.frame
    if not schema.fields:
        # Rows without any field: a column of their own keeps count of them.
        return Frame(pl.LazyFrame({_MASK: range(frame.height)}, schema={_MASK: pl.Int64}), {}, frame.height)
    series = dict(zip(frame.columns, frame.get_columns(), strict=True))
    columns = {f.name: _scanned(f, series[f.name].dtype, SeriesFacts(series[f.name])) for f in schema.fields}
    return Frame(frame.lazy(), columns, frame.height)


def empty_scan(schema: Schema) -> Frame:
    """No rows of that schema, for what looks at schemas only. The last ones made are kept."""
    kept = _EMPTY.get(id(schema))
    if kept is not None and kept[0] is schema:
        return kept[1]
    columns = {f.name: Column(f.type, f.absence, field=f) for f in schema.fields}
    frame = Frame(pl.LazyFrame(schema=schema.to_polars()), columns)
    _EMPTY[id(schema)] = (schema, frame)
    return frame


_EMPTY: Bounded[int, tuple[Schema, Frame]] = Bounded(64)


def _in_files(field: Field, dtype: Any, lazy: pl.LazyFrame) -> Column:
    return _scanned(field, dtype, ScanFacts(lazy, field.name, _BOUNDS.get(dtype)))


def _scanned(field: Field, dtype: Any, facts: Facts) -> Column:
    if field.type.kind == "mixed" or dtype == canonical(dtype):
        return Column(field.type, field.absence, None, facts, field)
    return Column(field.type, field.absence, canonical(dtype), facts, field)


def canonical(dtype: Any) -> Any:
    """The dtype in which lowerings work on values of that one: ints and floats of 64 bits, text, UTC."""
    if dtype in _CANONICAL:
        return dtype
    base = dtype.base_type()
    if base is pl.Struct:
        return pl.Struct({f.name: canonical(f.dtype) for f in dtype.fields})
    if base in (pl.List, pl.Array):
        return pl.List(canonical(dtype.inner))
    if base is pl.Datetime:
        return MOMENT
    if dtype.is_integer():
        return pl.Int64
    if dtype.is_float():
        return pl.Float64
    return {pl.Categorical: pl.String, pl.Enum: pl.String, pl.Duration: pl.Duration("us")}.get(base, dtype)


_CANONICAL = frozenset({pl.Int64, pl.Float64, pl.String, pl.Boolean, MOMENT, pl.Date})

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
    """The lazy frame of the result and its schema; columns with a companion become `mixed`."""
    masked = [name for name, c in frame.columns.items() if c.masked]
    lazy = frame.lazy
    if masked:
        lazy = lazy.with_columns(*(_folded(name, frame.columns[name]) for name in masked))
        lazy = lazy.select(*map(column, frame.columns))
    return lazy, frame.schema()


def _folded(name: str, col: Column) -> pl.Expr:
    def fold(parts: Any) -> pl.Series:
        return _mixed(name, col, parts[0], parts[1])

    both = [column(name), column(_MASK + name)]
    return pl.map_batches(both, fold, return_dtype=pl.Object, is_elementwise=True)


def _mixed(name: str, col: Column, values: pl.Series, missing: pl.Series) -> pl.Series:
    field = Field(name, col.type, "null")
    rows = to_documents(values.rename(name).to_frame(), Schema((field,)))
    pairs = zip(rows, missing.to_list(), strict=True)
    return pl.Series(name, [MISSING if gone else row[name] for row, gone in pairs], dtype=pl.Object)


def settle(frame: pl.DataFrame, columns: Mapping[str, Column]) -> Table:
    """The collected rows as a table: a column that turns out to be only null, or only missing,
    where it is absent stays typed; one that is both becomes `mixed`."""
    fields = []
    for name, col in columns.items():
        if not col.masked:
            fields.append(col.described(name))
            continue
        missing = frame[_MASK + name]
        absence: Absence = "null"
        if missing.any():
            absence = "missing" if missing.sum() == frame[name].null_count() else "both"
        if absence == "both":
            frame = frame.with_columns(_mixed(name, col, frame[name], missing))
            fields.append(Field(name, DataType("mixed"), "both"))
        else:
            fields.append(Field(name, col.type, absence))
    if len(fields) < frame.width:
        frame = frame.select(*map(column, columns)) if columns else frame.drop(frame.columns)
    return Table(frame=frame, schema=Schema(tuple(fields)))
