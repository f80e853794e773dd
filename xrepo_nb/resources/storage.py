"""Storage: columns of any Polars frame brought to the dtypes that logical types are stored in."""

from __future__ import annotations

from typing import Any, TypeVar

import polars as pl

from xrepo_nb.schema.types import MOMENT

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_NANOSECONDS = "nanoseconds cut to microseconds"


def stored(frame: Frame) -> tuple[Frame, dict[str, str]]:
    """The frame with its columns in storage dtypes, and what that did to their values.

    Datetimes become aware UTC in microseconds (naive ones are taken as UTC), categories become
    strings, fixed-size arrays lists, at any depth. The notes name the columns whose values
    changed. A lazy frame stays lazy; untouched columns keep their statistics for push-down.

    >>> frame, notes = stored(pl.DataFrame({"kind": pl.Series(["a"], dtype=pl.Categorical)}))
    >>> frame.schema["kind"], notes
    (String, {})
    """
    schema = frame.collect_schema()
    casts, notes = [], {}
    for name, dtype in schema.items():
        target = _target(dtype)
        if target == dtype:
            continue
        casts.append(pl.col(name).cast(target))
        note = _note(dtype)
        if note:
            notes[name] = note
    return (frame.with_columns(casts) if casts else frame), notes


def _target(dtype: Any) -> Any:
    base = dtype.base_type()
    if base is pl.Datetime:
        return MOMENT
    if base is pl.Duration:
        return pl.Duration("us")
    if base in (pl.Categorical, pl.Enum):
        return pl.String
    if base is pl.Struct:
        return pl.Struct({field.name: _target(field.dtype) for field in dtype.fields})
    if base in (pl.List, pl.Array):
        return pl.List(_target(dtype.inner))
    return dtype


def _note(dtype: Any) -> str | None:
    base = dtype.base_type()
    if base is pl.Struct:
        return next(filter(None, (_note(field.dtype) for field in dtype.fields)), None)
    if base in (pl.List, pl.Array):
        return _note(dtype.inner)
    if base is pl.Duration and dtype.time_unit == "ns":
        return _NANOSECONDS
    if base is not pl.Datetime:
        return None
    naive = "taken as UTC" if dtype.time_zone is None else ""
    return ", ".join(filter(None, (naive, _NANOSECONDS if dtype.time_unit == "ns" else ""))) or None
