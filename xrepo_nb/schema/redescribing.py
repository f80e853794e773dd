"""Rows described anew: as they would be if there were no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl

from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import Absence, DataType, Field

_PLAIN = frozenset(
    {"string", "int", "float", "bool", "datetime", "date", "time", "duration"}
    | {"binary", "uuid", "objectid", "null"}
)
"""Kinds of which one value tells nothing of the others in its column."""


@dataclass(frozen=True, slots=True)
class Untyped:
    """Rows as they stood before all of them together decided on the types of their columns.

    `rows` gives them, in their order; `typed` decides for those it is given. Both may read files.
    """

    rows: Callable[[], Table]
    typed: Callable[[Table], Table]


def untyped(table: Table, stated: Schema | None = None) -> Untyped:
    """The rows of a table that holds values exactly; see `redescribed`."""
    return Untyped(lambda: table, partial(redescribed, stated=stated))


Documents = Sequence[dict[str, Any]]


def of_documents(read: Callable[[], Documents]) -> Untyped:
    """Documents, of which numbers stay ints or floats as they came."""

    def rows() -> Table:
        frame, schema, _ = infer(read(), apart=True)
        return Table(frame=frame, schema=schema)

    return Untyped(rows, redescribed)


def inferred(
    frame: pl.DataFrame, schema: Schema, report: InferenceReport, read: Callable[[], Documents]
) -> Untyped:
    """The rows of an inference: the frame itself where it changed neither value nor place, else the
    documents."""
    changed = any(entry.coerced for entry in report)
    moved = any(field.absence in ("missing", "both") for field in schema.fields)
    return of_documents(read) if changed or moved else untyped(Table(frame=frame, schema=schema))


def redescribed(table: Table, stated: Schema | None = None) -> Table:
    """The rows in columns and with a schema that follow from these rows alone.

    A field that none of the rows has is gone, one that holds one type is of that type, and absence is
    what occurs. `stated`: fields of a known type, which they keep where the rows allow. Costs a count of
    nulls for plain columns, an inference for mixed, nested and decimal ones. Blocking.

    >>> both = Table(documents=[{"a": 1}, {"a": "x", "b": 2}])
    >>> few = Table(frame=both.frame.head(1), schema=both.schema)
    >>> print(few.schema.field("a").type, few.schema.names)
    mixed ('a', 'b')
    >>> print(redescribed(few).schema.field("a").type, redescribed(few).schema.names)
    int ('a',)
    """
    schema = table.schema
    known = {field.name: field for field in stated.fields} if stated is not None else {}
    plain = {field.name: field for field in schema.fields if field.type.kind in _PLAIN}
    lazy = table.lazy if len(plain) == len(schema.fields) else None
    rows = table.lazy if lazy is not None else table.frame.lazy()
    counts = _counted(rows, plain)
    made = [
        _plain(field, known.get(field.name), counts)
        if field.name in plain
        else _inferred(table.frame[field.name], field, known.get(field.name))
        for field in schema.fields
    ]
    kept = [column for column in made if column is not None]
    if stated is None:
        kept.sort(key=lambda column: column.first)
    schema = schema.select(c.field.name for c in kept).replace(fields=tuple(c.field for c in kept))
    rows = rows.select(column.values for column in kept)
    return (
        Table(lazy=rows, schema=schema)
        if table.is_lazy and lazy is not None
        else _whole(rows, schema, counts)
    )


def _whole(rows: pl.LazyFrame, schema: Schema, counts: _Counts) -> Table:
    frame = rows.collect() if schema.fields else pl.DataFrame(height=counts.rows)
    return Table(frame=frame, schema=schema)


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many rows there are; of each plain column the nulls among them, and the first row with a value."""

    rows: int
    nulls: Mapping[str, int]
    first: Mapping[str, int]


def _counted(rows: pl.LazyFrame, plain: Mapping[str, Field]) -> _Counts:
    """One streaming pass over the columns."""
    nulls = [pl.col(name).null_count().alias(f"nulls {name}") for name in plain]
    first = [
        pl.col(name).is_not_null().arg_true().first().alias(f"first {name}")
        for name, field in plain.items()
        if field.absence == "missing"
    ]
    told = rows.select(pl.len().alias("rows"), *nulls, *first).collect(engine="streaming").row(0, named=True)
    return _Counts(
        told["rows"],
        {name: told[f"nulls {name}"] for name in plain},
        {name: told.get(f"first {name}") or 0 for name in plain},
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A column described by its own values; `first`: the first row that has the field."""

    values: pl.Expr | pl.Series
    field: Field
    first: int


def _plain(field: Field, known: Field | None, counts: _Counts) -> _Column | None:
    """A column of one plain type, which any of its values has."""
    name, nulls, first = field.name, counts.nulls[field.name], counts.first[field.name]
    if nulls < counts.rows:
        absence: Absence = field.absence if nulls else "never" if known is None else known.absence
        return _Column(pl.col(name), replace(field, absence=absence), first)
    if known is not None:
        kept = field.type if known.type.kind == field.type.kind else known.type
        column = pl.col(name) if kept is field.type else pl.col(name).cast(kept.to_polars())
        return _Column(column, replace(field, type=kept, absence=known.absence), 0)
    if not counts.rows or field.absence == "missing":
        return None
    return _Column(pl.col(name).cast(pl.Null), replace(field, type=DataType("null"), absence="null"), 0)


def _inferred(series: pl.Series, field: Field, known: Field | None) -> _Column | None:
    """A column whose type all its values together tell."""
    values = _values(series, field)
    there = next((row for row, value in enumerate(values) if value is not MISSING), None)
    if there is None and known is None:
        return None
    documents = [{} if value is MISSING else {field.name: value} for value in values]
    frame, schema, _ = infer(documents, None if known is None else Schema((known,)), on_reject="keep")
    found = schema.field(field.name)
    if found is None:
        return None
    column = _shortest(frame[field.name]) if found.type.kind == "decimal" else frame[field.name]
    return _Column(column, replace(field, type=found.type, absence=found.absence), there or 0)


def _values(series: pl.Series, field: Field) -> list[Any]:
    """The values of a column, `MISSING` where the field is."""
    one = Table(frame=series.to_frame(), schema=Schema((field,)))
    return [document.get(field.name, MISSING) for document in one.documents]


def _shortest(column: pl.Series) -> pl.Series:
    """Decimals with no more digits after the point than the longest of them needs."""
    assert isinstance(column.dtype, pl.Decimal)
    for scale in range(column.dtype.scale):
        if (column.round(scale) == column).all():
            return column.cast(pl.Decimal(38, scale))
    return column
