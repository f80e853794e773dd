"""Frames of columns, as they are made and as other libraries take them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.core.missing import MISSING


def frame_of(columns: Iterable[pl.Series]) -> pl.DataFrame:
    """A frame of the columns, whose names differ; one whose name is empty keeps it.

    >>> frame_of([pl.Series("", [1])]).columns, pl.DataFrame([pl.Series("", [1])]).columns
    ([''], ['column_0'])
    """
    return pl.DataFrame({column.name: column for column in columns})


def must_be_typed(frame: pl.DataFrame) -> None:
    """Raises `XRepoUnsupportedError` when Arrow has no type for a column: one that holds several."""
    mixed = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if mixed:
        raise XRepoUnsupportedError(
            f"Arrow has no type for a column of several: {', '.join(mixed)}",
            asked=mixed[0],
            hint="name the others by fields=[...], or make it one type in a pipeline, as by $toString",
        )


def with_nulls(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with None where a column of several types has nothing."""
    mixed = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    return frame.with_columns(
        pl.Series(name, [None if v is MISSING else v for v in frame[name]], dtype=pl.Object) for name in mixed
    )
