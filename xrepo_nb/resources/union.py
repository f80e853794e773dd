"""Union: several files as one collection, when their columns agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from xrepo_nb.core.errors import XRepoValidationError

_EMPTY = {"null", "Null"}
_HINT = "union_by_name=True matches columns by name and leaves absent ones null"


def require_equal(paths: Sequence[Path], columns: Sequence[Mapping[str, object]]) -> None:
    """Refuses files whose columns differ from the first one's, in name or type; order is free.

    Raises `XRepoValidationError` naming the file and the column.
    """
    first, expected = paths[0].name, dict(columns[0])
    for path, found in zip(paths[1:], columns[1:], strict=True):
        for name in expected:
            if name not in found:
                raise _differs(f"file {path.name!r} lacks column {name!r}, which {first!r} has", name)
        for name, kind in found.items():
            if name not in expected:
                raise _differs(f"file {path.name!r} has a column {name!r}, which {first!r} lacks", name)
            if str(expected[name]) in _EMPTY:
                expected[name] = kind
            if kind != expected[name] and str(kind) not in _EMPTY:
                text = f"column {name!r} is {kind} in {path.name!r}, but {expected[name]} in {first!r}"
                raise _differs(text, name)


def concat(paths: Sequence[Path], frames: Sequence[pl.LazyFrame], union_by_name: bool) -> pl.LazyFrame:
    """The rows of all frames, lazily; see `Format.load`."""
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    if not union_by_name:
        require_equal(paths, schemas)
    target = _widest(paths, schemas)
    return pl.concat([aligned(frame, target) for frame in frames])


def aligned(frame: pl.LazyFrame, target: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The frame with the columns of `target`, in that order; absent ones are null."""
    have = frame.collect_schema()
    if list(have.items()) == list(target.items()):
        return frame
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in target.items()
    )


def _widest(paths: Sequence[Path], schemas: Sequence[pl.Schema]) -> dict[str, pl.DataType]:
    target: dict[str, pl.DataType] = {}
    for path, schema in zip(paths, schemas, strict=True):
        for name, dtype in schema.items():
            wider = _wider(target.get(name, dtype), dtype)
            if wider is None:
                raise _differs(
                    f"column {name!r} is {dtype} in {path.name!r}, but {target[name]} in a file before it",
                    name,
                )
            target[name] = wider
    return target


def _wider(a: pl.DataType, b: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of both exactly, or None."""
    if a == b or b == pl.Null:
        return a
    if a == pl.Null:
        return b
    if a.is_integer() and b.is_integer():
        return pl.Int64() if pl.UInt64 not in (a, b) else None
    return pl.Float64() if a.is_float() and b.is_float() else None


def _differs(message: str, column: str) -> XRepoValidationError:
    return XRepoValidationError(message, asked=column, hint=_HINT)
