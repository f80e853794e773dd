"""Frames on their way into DuckDB and back: one storage for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType

_INSIDE: dict[str, Any] = {"datetime": pl.Datetime("us"), "duration": pl.Int64}


def inner_dtype(type_: DataType, stored: Any) -> Any:
    """How a column goes into DuckDB: moments as naive UTC, durations as microseconds, numbers wide."""
    if type_.kind == "object":
        inner = {f.name: f.dtype for f in stored.fields}
        return pl.Struct({f.name: inner_dtype(f.type, inner[f.name]) for f in type_.fields})
    if type_.kind == "array":
        return pl.List(inner_dtype(type_.item or DataType("null"), stored.inner))
    return stored if type_.kind == "decimal" else _INSIDE.get(type_.kind, type_.to_polars())


def in_microseconds(type_: Any) -> Any:
    """An Arrow type with times of day as DuckDB has its constants: it compares the nanoseconds of Polars
    with no others."""
    import pyarrow as pa

    if pa.types.is_time64(type_):
        return pa.time64("us")
    if pa.types.is_struct(type_):
        return pa.struct([item.with_type(in_microseconds(item.type)) for item in type_])
    if pa.types.is_large_list(type_):
        item = type_.value_field
        return pa.large_list(item.with_type(in_microseconds(item.type)))
    return type_


def outer_dtype(type_: DataType, stored: Any) -> Any:
    """How a column that came from DuckDB is stored: the kind's own storage."""
    if type_.kind == "object" and stored.base_type() is pl.Struct:
        inner = [f.dtype for f in stored.fields]
        pairs = zip(type_.fields, inner, strict=True)
        return pl.Struct({f.name: outer_dtype(f.type, dtype) for f, dtype in pairs})
    if type_.kind == "array" and stored.base_type() in (pl.List, pl.Array):
        return pl.List(outer_dtype(type_.item or DataType("null"), stored.inner))
    return stored if type_.kind == "decimal" and stored.is_decimal() else type_.to_polars()


def to_table(arrow: Any, schema: Schema, constants: Mapping[str, Any] = {}) -> Table:
    """An Arrow table or batch, columns by position, as a table of the schema.

    Columns named in `constants` hold that value in each row."""
    frame = pl.from_arrow(arrow)
    assert isinstance(frame, pl.DataFrame)
    columns = [
        _cast(series.alias(field.name), outer_dtype(field.type, series.dtype))
        if field.name not in constants
        else pl.Series(field.name, [constants[field.name]] * len(series), dtype=pl.Object)
        for series, field in zip(frame.iter_columns(), schema.fields, strict=True)
    ]
    return Table(frame=frame_of(columns), schema=schema)


def _cast(series: pl.Series, dtype: Any) -> pl.Series:
    if dtype == pl.Null:
        return pl.Series(series.name, [None] * len(series), dtype=pl.Null)
    return series if series.dtype == dtype else series.cast(dtype)
