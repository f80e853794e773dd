"""Adding documents to a typed frame, widening it where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import Absence, DataType, Field


def grown(
    frame: pl.DataFrame, schema: Schema, documents: Sequence[dict[str, Any]]
) -> tuple[pl.DataFrame, Schema]:
    """The frame with the documents as new rows at its end, and its schema.

    A column that cannot hold a new value by its type becomes `mixed`; a field that is new
    becomes a new column, absent in the old rows. Nothing is coerced but an int into a float
    column, when it stays the same number.
    """
    if not documents:
        return frame, schema
    if not frame.height:
        return _fresh(schema, documents)
    return united(Table(frame=frame, schema=schema), _inferred(schema, documents))


def united(old: Table, new: Table) -> tuple[pl.DataFrame, Schema]:
    """The rows of both, one after the other, in columns that hold either exactly."""
    names = tuple(dict.fromkeys([*old.schema.names, *new.schema.names]))
    pairs = [(old.schema.field(n), new.schema.field(n)) for n in names]
    fields = tuple(common_field(a, b) for a, b in pairs)
    schema = old.schema.replace(fields=fields)
    top, bottom = _as(old, fields), _as(new, fields)
    return pl.concat([top, bottom], how="vertical_relaxed", rechunk=False), schema


def common_field(old: Field | None, new: Field | None) -> Field:
    """The field that holds the values of both; None stands for rows without it."""
    if old is None or new is None:
        one = old or new
        assert one is not None
        return _settled(replace(one, absence=_absence(one.absence, "missing")))
    kind = _common_type(old.type, new.type)
    return _settled(replace(old, type=kind, absence=_absence(old.absence, new.absence)))


def _settled(field: Field) -> Field:
    return replace(field, type=DataType("mixed")) if field.absence == "both" else field


def _absence(a: Absence, b: Absence) -> Absence:
    if a == b or b == "never":
        return a
    return b if a == "never" else "both"


def _common_type(a: DataType, b: DataType) -> DataType:
    if a == b or b.kind == "null":
        return a
    if a.kind == "null":
        return b
    if a.kind == "array" and b.kind == "array":
        item = a.item and b.item and _common_type(a.item, b.item)
        return DataType("array", item=item or a.item or b.item) if item is None or item.is_typed else _MIXED
    if a.kind == "object" and b.kind == "object":
        return _common_object(a, b)
    return _MIXED


def _common_object(a: DataType, b: DataType) -> DataType:
    names = tuple(dict.fromkeys([f.name for f in (*a.fields, *b.fields)]))
    if [f.name for f in a.fields] != list(names)[: len(a.fields)]:
        return _MIXED
    kind = DataType("object", tuple(common_field(a.field(n), b.field(n)) for n in names))
    return kind if kind.is_typed else _MIXED


_MIXED = DataType("mixed")


def _as(table: Table, fields: tuple[Field, ...]) -> pl.DataFrame:
    """The table's rows in columns of those fields."""
    columns = []
    for wanted in fields:
        have = table.schema.field(wanted.name)
        if have is None:
            filler = MISSING if wanted.type.kind == "mixed" else None
            columns.append(_filled(wanted, filler, table.frame.height))
        elif wanted.type.kind == "mixed" and have.type.kind != "mixed":
            columns.append(_boxed(table, have))
        else:
            columns.append(_cast(table.frame.get_column(wanted.name), wanted))
    return pl.DataFrame(columns)


def _filled(field: Field, value: Any, height: int) -> pl.Series:
    return pl.Series(field.name, [value] * height, dtype=field.type.to_polars())


def _boxed(table: Table, field: Field) -> pl.Series:
    one = Table(frame=table.frame.select(field.name), schema=table.schema.select([field.name]))
    values = [document.get(field.name, MISSING) for document in one.documents]
    return pl.Series(field.name, values, dtype=pl.Object)


def _cast(column: pl.Series, field: Field) -> pl.Series:
    if column.dtype == pl.Null and field.type.kind != "null":
        return column.cast(field.type.to_polars())
    return column


def _inferred(schema: Schema, documents: Sequence[dict[str, Any]]) -> Table:
    from xrepo_nb.schema.inference import infer

    found = infer(documents)
    return Table(frame=found.frame, schema=found.schema)


def _fresh(schema: Schema, documents: Sequence[dict[str, Any]]) -> tuple[pl.DataFrame, Schema]:
    empty = pl.DataFrame(schema=schema.to_polars())
    return united(Table(frame=empty, schema=schema), _inferred(schema, documents))
