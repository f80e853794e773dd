"""Export for spreadsheets: CSV in which no text is taken for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl

from xrepo_nb.repos.rows import Rows
from xrepo_nb.schema.table import Table
from xrepo_nb.viewers.rows import documents

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take the text that follows for a formula."""


def to_csv(
    rows: Rows[Any] | Table | pl.DataFrame, path: str | Path | None = None, *, guard: bool = True
) -> str:
    """The rows as CSV, also written to `path` where given. Blocking.

    With `guard`, texts and column names that a spreadsheet would run begin with an apostrophe;
    numbers stay as they are. Null and missing are empty, objects and arrays JSON, times ISO 8601.

    >>> to_csv(Table(documents=[{"name": "=1+1", "n": -2}]))
    "name,n\\r\\n'=1+1,-2\\r\\n"
    """
    names, values = _read(rows)
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([guarded(name) if guard else name for name in names])
    writer.writerows([_cell(value, guard) for value in row] for row in values)
    if path is not None:
        Path(path).write_text(written.getvalue(), "utf-8", newline="")
    return written.getvalue()


def guarded(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would run it.

    >>> guarded("=HYPERLINK(1)"), guarded("plain")
    ("'=HYPERLINK(1)", 'plain')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _read(rows: Rows[Any] | Table | pl.DataFrame) -> tuple[Sequence[str], Iterator[list[Any]]]:
    if isinstance(rows, pl.DataFrame):
        rows = Table(frame=rows)
    table = rows if isinstance(rows, Table) else Table(documents=documents(rows), schema=rows.schema)
    names = table.schema.names
    return names, ([row.get(name) for name in names] for row in table.documents)


def _cell(value: Any, guard: bool) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, default=_plain, ensure_ascii=False)
    elif not isinstance(value, int | float | None):
        value = _plain(value)
    return guarded(value) if guard and isinstance(value, str) else value


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
