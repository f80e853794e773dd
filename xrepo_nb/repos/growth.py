"""Adding documents to a typed frame, widening it where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import EXACT, DataType, Field
from xrepo_nb.schema.unite import recast_series, united_absence, united_type


def grown(
    frame: pl.DataFrame, schema: Schema, documents: Sequence[dict[str, Any]], *, apart: bool = False
) -> tuple[pl.DataFrame, Schema]:
    """The frame with the documents as new rows at its end, and its schema.

    A column whose type cannot hold a new value becomes `mixed`, but ints widen to floats where
    they stay the same numbers, unless `apart`; a field that is new becomes a column, absent in the old rows.
    """
    if not documents:
        return frame, schema
    from xrepo_nb.schema.inference import infer

    inferred = infer(documents, apart=apart)
    added = Table(frame=inferred.frame, schema=inferred.schema)
    return united(Table(frame=frame, schema=schema), added, apart=apart)


def united(old: Table, new: Table, *, apart: bool = False) -> tuple[pl.DataFrame, Schema]:
    """The rows of both, one after the other, in columns that hold either exactly."""
    names = dict.fromkeys([*old.schema.names, *new.schema.names])
    fields = tuple(_common(name, old, new, apart) for name in names)
    top, bottom = _as(old, fields), _as(new, fields)
    frame = pl.concat([top, bottom], how="vertical_relaxed", rechunk=False)
    return frame, old.schema.replace(fields=fields)


def _common(name: str, old: Table, new: Table, apart: bool) -> Field:
    """The field that holds the values of both."""
    a, b = old.schema.field(name), new.schema.field(name)
    if a is None or b is None:
        there = a or b
        assert there is not None
        rows = len(new) if a is not None else len(old)
        absence = united_absence(there.absence, "missing") if rows else there.absence
        return replace(there, absence=absence, type=_MIXED if absence == "both" else there.type)
    floats = None if apart else _as_floats(a, old, b, new)
    kind = united_type(a.type, b.type) or floats or _MIXED
    absence = b.absence if not len(old) and a.absence == "never" else united_absence(a.absence, b.absence)
    return replace(a, type=_MIXED if absence == "both" else kind, absence=absence)


_MIXED = DataType("mixed")


def _as_floats(a: Field, old: Table, b: Field, new: Table) -> DataType | None:
    """Float, for ints on one side that floats hold exactly, and floats on the other."""
    if {a.type.kind, b.type.kind} != {"int", "float"}:
        return None
    ints = (old if a.type.kind == "int" else new).frame.get_column(a.name)
    low, high = ints.min(), ints.max()
    exact = low is None or (isinstance(low, int) and isinstance(high, int) and -EXACT <= low <= high <= EXACT)
    return DataType("float") if exact else None


def _as(table: Table, fields: tuple[Field, ...]) -> pl.DataFrame:
    """The table's rows in columns of those fields."""
    return frame_of(_column(table, field) for field in fields)


def _column(table: Table, wanted: Field) -> pl.Series:
    have, name = table.schema.field(wanted.name), wanted.name
    if wanted.type.kind == "mixed":
        return _boxed(table, name) if have is None or have.type.kind != "mixed" else table.frame[name]
    if have is None:
        return pl.Series(name, [None], dtype=wanted.type.to_polars()).new_from_index(0, len(table))
    if have.type.kind == wanted.type.kind and not wanted.type.fields and wanted.type.item is None:
        return table.frame[name]  # the same kind in another width: concatenation relaxes that
    return recast_series(table.frame[name], wanted.type.to_polars())


def _boxed(table: Table, name: str) -> pl.Series:
    if table.schema.field(name) is None:
        values: list[Any] = [MISSING] * len(table)
    else:
        one = Table(frame=table.frame.select(name), schema=table.schema.select([name]))
        values = [document.get(name, MISSING) for document in one.documents]
    return pl.Series(name, values, dtype=pl.Object)
