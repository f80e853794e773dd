"""Frames to documents, exactly, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.collecting import uncollected
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import MOMENT, DataType, Field, from_polars

_UTC = ZoneInfo("UTC")  # held, so that the cache keeps it and no coroutine reads it from disk

SLICE = 5_000
"""Rows converted in one go: a longer call into Polars would hold the interpreter, and with it
an event loop in another thread, for too long."""


_AS_THEY_ARE = frozenset({"string", "int", "float", "bool", "date", "null"})
"""Kinds whose values Polars gives as they are; of nothing else it makes dicts faster than we do."""


def to_documents(
    frame: pl.DataFrame, schema: Schema, start: int = 0, stop: int | None = None
) -> list[dict[str, Any]]:
    """The rows from `start` to `stop` as documents, exactly what `infer` made the frame from.

    A null is None or an absent key as the field's `absence` says, at any depth; binary uuids
    and ObjectIds become those objects, datetimes aware UTC. Costs about 1 us a row and five
    columns; safe to call in a thread beside an event loop.

    >>> from xrepo_nb.schema.inference import infer
    >>> frame, schema, _ = infer([{"a": 1, "b": {"c": None}}, {"a": 2}])
    >>> to_documents(frame, schema)
    [{'a': 1, 'b': {'c': None}}, {'a': 2}]
    """
    stop = frame.height if stop is None else min(stop, frame.height)
    described = {field.name: field for field in schema.fields}
    fields = [described.get(n) or Field(n, from_polars(t)) for n, t in frame.schema.items()]
    out: list[dict[str, Any]] = []
    as_they_are = bool(fields) and all(f.type.kind in _AS_THEY_ARE and f.absence != "missing" for f in fields)
    with uncollected():
        for at in range(start, stop, SLICE):
            piece = frame.slice(at, min(SLICE, stop - at))
            if as_they_are:
                out += piece.to_dicts()
                continue
            out += _documents([piece[field.name] for field in fields], fields, piece.height)
    return out


def _documents(columns: Sequence[pl.Series], fields: Sequence[Field], height: int) -> list[dict[str, Any]]:
    if not fields:
        return [{} for _ in range(height)]
    names = [field.name for field in fields]
    values = [_values(column, field.type) for column, field in zip(columns, fields, strict=True)]
    rows = [dict(zip(names, row, strict=False)) for row in zip(*values, strict=True)]
    for column, cells, field in zip(columns, values, fields, strict=True):
        if field.type.kind == "mixed":
            _drop(rows, field.name, cells, MISSING)
        elif field.absence == "missing" and column.null_count():
            _drop(rows, field.name, cells, None)
    return rows


def _drop(rows: list[dict[str, Any]], name: str, cells: Iterable[Any], absent: Any) -> None:
    for row, cell in zip(rows, cells, strict=True):
        if cell is absent:
            del row[name]


def _values(column: pl.Series, kind: DataType) -> list[Any]:
    convert = _CONVERTERS.get(kind.kind)
    return convert(column, kind) if convert else column.to_list()


def _objects(column: pl.Series, kind: DataType) -> list[Any]:
    assert isinstance(column.dtype, pl.Struct)
    described = {field.name: field for field in kind.fields}
    fields = [described.get(f.name) or Field(f.name, from_polars(f.dtype)) for f in column.dtype.fields]
    rows: list[Any] = _documents(column.struct.unnest().get_columns(), fields, len(column))
    if column.null_count():
        rows = [None if null else row for row, null in zip(rows, column.is_null().to_list(), strict=True)]
    return rows


def _arrays(column: pl.Series, kind: DataType) -> list[Any]:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    assert isinstance(column.dtype, pl.List)
    lengths = column.list.len()
    flat = _values(column.filter(lengths > 0).explode(), kind.item or from_polars(column.dtype.inner))
    bounds = pairwise(accumulate(lengths.fill_null(0).to_list(), initial=0))
    rows: list[Any] = [flat[start:end] for start, end in bounds]
    if column.null_count():
        rows = [None if null else row for row, null in zip(rows, column.is_null().to_list(), strict=True)]
    return rows


def _datetimes(column: pl.Series, _: DataType) -> list[Any]:
    moments = column.cast(MOMENT)
    micros = moments.to_physical()
    least, greatest = micros.min(), micros.max()
    if least is None or (least >= _PYTHONS_YEARS[0] and greatest <= _PYTHONS_YEARS[1]):  # type: ignore[operator]
        return moments.to_list()
    near = micros.is_between(*_PYTHONS_YEARS)
    far = [None if value is None else _far_date(value) for value in micros.to_list()]
    plain = moments.set(~near.fill_null(True), None).to_list()
    return [b if a is None else a for a, b in zip(plain, far, strict=True)]


_PYTHONS_YEARS = -62_135_596_800_000_000, 253_402_300_799_999_999
"""In microseconds since 1970."""


def _far_date(micros: int) -> Any:
    try:
        from bson.datetime_ms import DatetimeMS
    except ImportError:
        raise XRepoQueryError("dates outside of the years 1 to 9999 need the package pymongo") from None
    return DatetimeMS(micros // 1000)


def _uuids(column: pl.Series, _: DataType) -> list[Any]:
    return [None if raw is None else UUID(bytes=raw) for raw in column.to_list()]


def _objectids(column: pl.Series, _: DataType) -> list[Any]:
    from bson import ObjectId

    return [None if raw is None else ObjectId(raw) for raw in column.to_list()]


_CONVERTERS: dict[str, Callable[[pl.Series, DataType], list[Any]]] = {
    "object": _objects,
    "array": _arrays,
    "datetime": _datetimes,
    "uuid": _uuids,
    "objectid": _objectids,
}
