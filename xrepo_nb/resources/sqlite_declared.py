"""What a SQLite table declares of its columns, whatever is in them, and rows read by that alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from xrepo_nb.resources.sqlite_types import Range, declared, kind_of, parse, temporal
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import EXACT, DataType, Field


def stated(schema: Schema) -> Schema:
    """A described table as its declarations alone describe it: as if it had no rows."""
    return schema.replace(fields=tuple(map(_stated, schema.fields)))


def _stated(field: Field) -> Field:
    native = _native(field)
    extra = tuple(item for item in field.extra if item[0] != "stored_as")
    wanted = temporal(native)
    if wanted is not None and declared(native) == "string":
        return replace(field, type=DataType(wanted), extra=(*extra, ("stored_as", "text")))
    kind = declared(native)
    return replace(field, type=DataType("mixed" if kind == "null" else kind), extra=extra)


def read_as_declared(table: Table, whole: Schema) -> Table:
    """Some rows of a described table, each column as these rows alone describe it. Blocking."""
    own = stated(whole)
    columns = [_column(table.frame[field.name], field, own) for field in table.schema.fields]
    fields = tuple(field for _, field in columns)
    return Table(
        frame=frame_of(series for series, _ in columns),
        schema=table.schema.replace(fields=fields),
    )


def _column(series: pl.Series, found: Field, own: Schema) -> tuple[pl.Series, Field]:
    field = own.field(found.name)
    if field is None or field.type == found.type:
        return series, found if field is None else field
    values = series.to_list()
    kind = _kind(values, _native(field))
    if kind != field.type.kind:
        extra = tuple(item for item in field.extra if item[0] != "stored_as")
        field = replace(field, type=DataType(kind), extra=extra)
    return pl.Series(series.name, parse(values, kind), dtype=field.type.to_polars()), field


def _kind(values: Sequence[Any], native: str) -> Any:
    """The kind that describing a table of these values alone gives."""
    present = [value for value in values if value is not None]
    stored = sorted({_STORED[type(value)] for value in present})
    low, high = (stored[0], stored[-1]) if stored else (None, None)
    kind = kind_of(native, Range(low, high, len(present) < len(values), _is_odd(present, native)))
    wanted = temporal(native)
    if wanted is None or kind not in ("string", "null"):
        return kind
    try:
        parse(present, wanted)
    except (TypeError, ValueError):
        return kind
    return wanted


_STORED: dict[type, str] = {int: "integer", float: "real", str: "text", bytes: "blob"}


def _is_odd(values: Sequence[Any], native: str) -> bool:
    if declared(native) == "bool":
        return any(value not in (0, 1) for value in values)
    if declared(native) == "float":
        return any(type(value) is int and abs(value) > EXACT for value in values)
    return False


def _native(field: Field) -> str:
    return str(dict(field.extra).get("native_type", ""))
