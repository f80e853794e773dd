"""Columns whose own names have dots, as `Sepal.Length` of R and `price.1` of pandas, in every source."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import xrepo_nb as xr

ROWS = [
    {"id": 1, "Sepal.Length": 5.1, "price": 10, "price.1": 7},
    {"id": 2, "Sepal.Length": 4.9, "price": 20, "price.1": 8},
    {"id": 3, "Sepal.Length": 6.3, "price": 30, "price.1": 8},
]
_COLUMNS = '(id INTEGER PRIMARY KEY, "Sepal.Length" DOUBLE, price INTEGER, "price.1" INTEGER)'


def _written(kind: str, folder: Path) -> Any:
    """The rows in a source of the kind."""
    path = folder / f"iris.{kind}"
    values = [tuple(row.values()) for row in ROWS]
    match kind:
        case "memory":
            return [dict(row) for row in ROWS]
        case "csv":
            pl.DataFrame(ROWS).write_csv(path)
        case "parquet":
            pl.DataFrame(ROWS).write_parquet(path)
        case "json":
            path.write_text(json.dumps(ROWS))
        case "ndjson":
            path.write_text("\n".join(map(json.dumps, ROWS)))
        case "sqlite":
            with sqlite3.connect(path) as connection:
                connection.execute(f"CREATE TABLE iris {_COLUMNS}")
                connection.executemany("INSERT INTO iris VALUES (?, ?, ?, ?)", values)
            connection.close()
        case "duckdb":
            with duckdb.connect(str(path)) as database:
                database.execute(f"CREATE TABLE iris {_COLUMNS}")
                database.executemany("INSERT INTO iris VALUES (?, ?, ?, ?)", values)
    return path


@pytest.fixture(params=["memory", "csv", "parquet", "json", "ndjson", "sqlite", "duckdb"])
async def iris(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    repo = await xr.open(_written(request.param, tmp_path), name="iris", model=False, register=False)
    yield repo
    if repo.resource is not None:
        await repo.resource.close()


@pytest.fixture
async def flowers() -> Any:
    return await xr.open([dict(row) for row in ROWS], name="flowers", model=False, register=False)


async def test_rows_have_them(iris: Any) -> None:
    assert await iris.list() == ROWS
    assert (await iris.frame()).to_dicts() == ROWS


@pytest.mark.parametrize("engine", ["auto", "document", "polars", "duckdb"])
async def test_they_are_asked_for_as_any_other(iris: Any, engine: str) -> None:
    async def ids(*filters: Any, **options: Any) -> list[int]:
        return [row["id"] for row in await iris.list(*filters, engine=engine, **options)]

    assert await ids({"Sepal.Length": {"$gt": 5}}) == [1, 3]
    assert await ids({"Sepal.Length__lt": 5}) == [2]
    assert await ids(xr.F("price.1") == 8) == [2, 3]
    assert await ids({"$expr": {"$eq": ["$price.1", 7]}}) == [1]
    assert await ids(sort="-Sepal.Length") == [3, 1, 2]
    assert await iris.distinct("price.1", engine=engine) == [7, 8]
    frame = await iris.frame(fields=["price.1"], sort="id", engine=engine)
    assert frame.to_dicts() == [{"price.1": 7}, {"price.1": 8}, {"price.1": 8}]


@pytest.mark.parametrize("engine", ["auto", "document", "polars"])
async def test_pipelines_name_them(iris: Any, engine: str) -> None:
    group = {"$group": {"_id": "$price.1", "longest": {"$max": "$Sepal.Length"}}}
    found = await iris.aggregate([group, {"$sort": {"_id": 1}}], engine=engine)
    assert found == [{"_id": 7, "longest": 5.1}, {"_id": 8, "longest": 6.3}]
    root = await iris.aggregate([{"$project": {"_id": 0, "n": "$$ROOT.price.1"}}, {"$limit": 1}])
    assert root == [{"n": 7}]


async def test_statistics_count_them(iris: Any) -> None:
    assert (await iris.get_statistics()).field_cardinalities["price.1"] == 2


async def test_an_unknown_one_is_refused(iris: Any) -> None:
    with pytest.raises(xr.XRepoQueryError, match=r"unknown field 'Sepal.Lenght'.*mean 'Sepal.Length'"):
        await iris.list({"Sepal.Lenght": 1})


async def test_updates_name_them(flowers: Any) -> None:
    assert (await flowers.update(1, {"Sepal.Length": 1.5}))["Sepal.Length"] == 1.5
    assert (await flowers.update(1, {"$inc": {"price.1": 2}}))["price.1"] == 9
    assert (await flowers.update(1, [{"$set": {"price.1": {"$add": ["$price", 1]}}}]))["price.1"] == 11
    assert (await flowers.read(1)).keys() == ROWS[0].keys()


async def test_joins_and_views_name_them(flowers: Any) -> None:
    prices = [{"price.1": 7, "grade": "low"}, {"price.1": 8, "grade": "high"}]
    view = await xr.join("graded", {"flowers": flowers, "grades": prices}, on="price.1", register=False)
    assert await view.count({"price.1": 8, "flowers_Sepal.Length__gt": 5}) == 1
    assert await view.count({"flower_filters": {"Sepal.Length__gt": 5}}) == 2
    assert await view.distinct("grades_grade", {"price.1": 7}, engine="document") == ["low"]


async def test_an_aggregate_repo_names_them(flowers: Any) -> None:
    config = {"group_by": ["price.1"], "aggregations": {"longest": {"max": "Sepal.Length"}}}
    totals = await xr.XRepoFactory.create_aggregate_repo("totals", [flowers], config)
    assert await totals.list({"price_1": 8}) == [{"price_1": 8, "longest": 6.3}]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"fields": {"deny": ["price.1"]}}, {"id": 1, "Sepal.Length": 5.1, "price": 10}),
        ({"fields": {"allow": ["price.1"]}}, {"price.1": 7}),
        ({"rows": {"price.1": 7}, "fields": {"allow": ["id"]}}, {"id": 1}),
        ({"masks": {"price.1": None}}, {"id": 1, "Sepal.Length": 5.1, "price": 10, "price.1": None}),
    ],
)
async def test_rules_name_them(conditions: Any, expected: Any) -> None:
    rule = xr.ACLRule(role="guest", permissions=["list"], conditions=conditions)
    repo = await xr.open(ROWS, name="ruled", model=False, rules=[rule], register=False)
    rows = await repo.list(user_id=xr.Identity("gus", roles={"guest"}))
    assert rows[0] == expected
    assert len(rows) == (1 if "rows" in conditions else 3)


async def test_a_rule_against_a_name_and_a_path_hides_both() -> None:
    rows = [{"id": 1, "a": {"b": 2, "c": 3}, "a.b": 4}]
    rule = xr.ACLRule(role="guest", permissions=["list"], conditions={"fields": {"deny": ["a.b"]}})
    repo = await xr.open(rows, name="both", model=False, rules=[rule], register=False)
    assert await repo.list(user_id=xr.Identity("gus", roles={"guest"})) == [{"id": 1, "a": {"c": 3}}]


async def test_constraints_name_them(flowers: Any) -> None:
    metadata = xr.RepoMetadata(
        name="kept", constraints=[{"check": {"price.1__lt": 10}}, {"unique": "Sepal.Length"}]
    )
    kept = xr.MaterializedRepo(data=ROWS, metadata=metadata)
    with pytest.raises(xr.XRepoValidationError, match="fails the check"):
        await kept.update(1, {"price.1": 10})
    with pytest.raises(xr.XRepoConflictError, match=r"has this Sepal\.Length already"):
        await kept.update(1, {"Sepal.Length": 6.3})


async def test_a_field_that_holds_the_rest_goes_first() -> None:
    repo = await xr.open([{"a": {"b": 1}, "a.b": 2}], name="nested", model=False, register=False)
    assert await repo.count({"a.b": 1}) == 1
    assert await repo.count({"a.b": 2}) == 0


async def test_a_field_of_nulls_alone_holds_nothing() -> None:
    rows = [{"price": None, "price.1": 7}, {"price": None, "price.1": 8}]
    repo = await xr.open(rows, name="nulls", model=False, register=False)
    assert await repo.count({"price.1": 8}) == 1
    assert await repo.distinct("price.1") == [7, 8]
