"""Text that is dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl

from xrepo_nb.core.plain import moment_of
from xrepo_nb.schema.types import MOMENT, DataType

DATE = r"^\d{4}-\d\d-\d\d$"
DATETIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?$"
"""ISO 8601 with the parts apart, down to microseconds; without an offset it is UTC."""


def read_dates(text: pl.Series) -> tuple[pl.Series, DataType] | None:
    """The column of text as dates or datetimes, when every value is one; else None.

    >>> read_dates(pl.Series(["2024-02-29", None]))[1].kind, read_dates(pl.Series(["2023-02-29"]))
    ('date', None)
    """
    for pattern, read, dtype, kind in _READINGS:
        if text.null_count() < len(text) and text.str.contains(pattern).all():
            try:
                values = [None if value is None else read(value) for value in text.to_list()]
            except ValueError:
                return None
            return pl.Series(values, dtype=dtype), DataType(kind)
    return None


def has_dates(text: pl.Series) -> bool:
    """Whether some of the values look like dates."""
    return bool(text.str.contains(DATE).any() or text.str.contains(DATETIME).any())


_READINGS: tuple[tuple[str, Callable[[str], Any], Any, Any], ...] = (
    (DATE, date.fromisoformat, pl.Date, "date"),
    (DATETIME, moment_of, MOMENT, "datetime"),
)
