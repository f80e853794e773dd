"""Groups of everything: one row whatever is computed, `_id` first, in every engine and database."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

import xrepo_nb as xr

ROWS = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}]


@pytest.fixture(params=["document", "polars", "duckdb", "sqlite file", "duckdb file"])
async def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Runs a pipeline over the rows, there."""
    path, table = tmp_path / "people", "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)"
    values = [tuple(row.values()) for row in ROWS]
    given: Any = ROWS
    engine = request.param.partition(" ")[0]
    if request.param == "sqlite file":
        given, engine = f"sqlite:///{path}", "auto"
        with sqlite3.connect(path) as connection:
            connection.execute(table)
            connection.executemany("INSERT INTO people VALUES (?, ?)", values)
        connection.close()
    elif request.param == "duckdb file":
        given, engine = f"duckdb:///{path}", "auto"
        with duckdb.connect(str(path)) as database:
            database.execute(table)
            database.executemany("INSERT INTO people VALUES (?, ?)", values)
    repo = await xr.open(given, name="people", model=False, register=False)

    async def run(*stages: dict[str, Any]) -> list[list[tuple[str, Any]]]:
        return [list(row.items()) for row in await repo.aggregate(list(stages), engine=engine)]

    yield run
    if repo.resource is not None:
        await repo.resource.close()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({}, []),
        ({"n": {"$sum": 1}}, [("n", 2)]),
        ({"n": {"$avg": "$name"}}, [("n", None)]),
        ({"n": {"$first": {"$literal": 3}}}, [("n", 3)]),
    ],
)
@pytest.mark.parametrize("key", [None, "x"])
async def test_one_row(ask: Any, key: Any, outputs: Any, expected: Any) -> None:
    group = {"$group": {"_id": key, **outputs}}
    assert await ask(group) == [[("_id", key), *expected]]
    assert await ask({"$match": {"id": {"$gt": 9}}}, group) == []
