"""Frames of columns by their own names."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl


def frame_of(columns: Iterable[pl.Series]) -> pl.DataFrame:
    """A frame of the columns, whose names differ; one whose name is empty keeps it.

    >>> frame_of([pl.Series("", [1])]).columns, pl.DataFrame([pl.Series("", [1])]).columns
    ([''], ['column_0'])
    """
    return pl.DataFrame({column.name: column for column in columns})
