"""CSV for spreadsheets: no text becomes a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from xrepo_nb.schema.table import Table
from xrepo_nb.viewers.export import to_csv


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", '=HYPERLINK("x")']
)
def test_texts_and_names_that_a_spreadsheet_would_run_are_guarded(text: str) -> None:
    written = to_csv(Table(documents=[{text: text}]))
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["'" + text], ["'" + text]]


def test_nested_texts_are_within_braces_and_numbers_stay_numbers() -> None:
    written = to_csv(Table(documents=[{"n": -2, "o": {"a": "=1"}, "l": ["=1"], "x": None, "t": "plain"}]))
    assert written == 'n,o,l,x,t\r\n-2,"{""a"": ""=1""}","[""=1""]",,plain\r\n'


def test_without_the_guard_texts_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    frame = pl.DataFrame({"a": ["=1"], "when": [datetime(2013, 1, 1, tzinfo=UTC)]})
    assert to_csv(frame, path, guard=False).splitlines()[1].startswith("=1,2013-01-01T00:00:00")
    assert path.read_bytes().decode() == to_csv(frame, guard=False)
