"""Sums that a database file cannot give exactly are finished over its rows."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

import xrepo_nb as xr
from xrepo_nb.engines.sql.render import supports
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.schema import Schema

MOST = 2**63 - 1
ROWS = [
    (1, "a", MOST, math.inf),
    (2, "a", MOST, -math.inf),
    (3, "a", 1, 1.5),
    (4, "b", 7, math.inf),
    (5, "b", -7, 1.0),
    (6, "c", None, None),
]
CREATE = "CREATE TABLE people (id {}, s TEXT, i {}, f {})"


def _sqlite(path: Path) -> Path:
    made = sqlite3.connect(path / "people.db")
    made.execute(CREATE.format("INTEGER PRIMARY KEY", "INTEGER", "REAL"))
    made.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    made.commit()
    made.close()
    return path / "people.db"


def _duckdb(path: Path) -> Path:
    with duckdb.connect(path / "people.duckdb") as made:
        made.execute(CREATE.format("BIGINT PRIMARY KEY", "BIGINT", "DOUBLE"))
        made.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    return path / "people.duckdb"


@pytest.fixture(params=[_sqlite, _duckdb], ids=["sqlite", "duckdb"])
async def people(request: Any, tmp_path: Path) -> Any:
    return await xr.open(request.param(tmp_path))


SUMS = [
    ("$sum", "$i", {"a": 2 * float(MOST), "b": 0, "c": 0}),
    ("$sum", "$f", {"a": math.nan, "b": math.inf, "c": 0}),
    ("$avg", "$f", {"a": math.nan, "b": math.inf, "c": None}),
]


@pytest.mark.parametrize(("op", "of", "expected"), SUMS)
async def test_sums_past_what_the_database_holds(people: Any, op: str, of: str, expected: Any) -> None:
    group = {"$group": {"_id": "$s", "x": {op: of}}}
    rows = await people.aggregate([{"$match": {"id": {"$gt": 0}}}, group, {"$sort": {"_id": 1}}])
    assert repr([row["x"] + 0.0 if row["x"] is not None else None for row in rows]) == repr(
        [value + 0.0 if value is not None else None for value in expected.values()]
    )


async def test_a_sum_of_no_rows_but_those_that_fit_is_the_databases(people: Any) -> None:
    pipeline = [{"$match": {"s": "b"}}, {"$group": {"_id": "$s", "x": {"$sum": "$i"}}}]
    assert await people.aggregate(pipeline) == [{"_id": "b", "x": 0}]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql"])
def test_a_document_as_a_key_stays_with_a_local_engine(dialect: str) -> None:
    plan = parse_pipeline([{"$group": {"_id": {"a": "$s"}, "n": {"$sum": 1}}}], Scan("people"))
    schema = Schema.of({"fields": {"s": {"type": "string"}}})
    assert "a document as a key" in str(supports(plan, dialect, {"people": schema}))
