"""Reads: one road for all of them, on rows in memory and in a table."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr
from xrepo_nb import (
    F,
    MaterializedRepo,
    Rows,
    XRepoConfigurationError,
    XRepoError,
    XRepoNotFoundError,
    XRepoQueryError,
    XRepoUnsupportedError,
)


async def test_list_knows_the_whole(users: MaterializedRepo[Any]) -> None:
    rows = await users.list({"age": {"$gt": 20}}, skip=1, limit=1, sort=[("age", -1)])
    assert [row["name"] for row in rows] == ["Ann"]
    assert (rows.total, rows.truncated, rows.skip) == (3, True, 1)
    assert rows.provenance is not None and rows.provenance.repo == "users"
    assert rows.schema is not None and rows.schema.names == ("_id", "name", "age", "city")


async def test_limit_defaults_to_100_and_none_means_all() -> None:
    repo = MaterializedRepo(data=[{"n": i} for i in range(250)])
    first = await repo.list()
    assert (len(first), first.total, first.truncated) == (100, 250, True)
    everything = await repo.list(limit=None)
    assert (len(everything), everything.truncated) == (250, False)


@pytest.mark.parametrize(
    "filters",
    [{"age": {"$gt": 30}}, {"age__gt": 30}, F("age") > 30, {"$and": [{"age__gt": 30}, {"age": {"$lt": 99}}]}],
)
async def test_every_spelling_of_a_filter(users: MaterializedRepo[Any], filters: Any) -> None:
    assert [row["_id"] for row in await users.list(filters)] == [1, 3]
    assert await users.count(filters) == 2
    assert (await users.frame(filters))["name"].to_list() == ["Ann", "Cy"]
    assert [row["name"] async for row in users.stream(filters, batch_size=1)] == ["Ann", "Cy"]


async def test_the_same_answers_from_a_table(table: Any, users: MaterializedRepo[Any]) -> None:
    for filters in (
        None,
        {"city": "Oslo"},
        {"age__gte": 28, "name__ne": "Cy"},
        {"name": {"$regex": "^[AB]"}},
    ):
        ours = await users.list(filters, sort="-age")
        theirs = await table.list(filters, sort="-age")
        assert [row["name"] for row in ours] == [row["name"] for row in theirs]
        assert ours.total == theirs.total == await table.count(filters)
    assert await table.distinct("city") == ["Bern", "Oslo", "Rome"] == await users.distinct("city")
    pipeline = [{"$group": {"_id": "$city", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    assert await table.aggregate(pipeline) == await users.aggregate(pipeline)
    assert (await table.find_one({"city": "Oslo"}, sort="-age"))["name"] == "Cy"
    for engine in ("polars", "duckdb", "document"):
        found = await table.find_one({"city": "Oslo"}, sort="-age", engine=engine)
        assert found["name"] == "Cy"
    assert (await table.read(2))["name"] == "Bo"
    assert await table.read(99) is None
    assert (await table.exists(1), await table.exists(99)) == (True, False)


async def test_distinct_takes_elements_of_arrays_and_nulls() -> None:
    repo = MaterializedRepo(data=[{"t": ["a", "b"]}, {"t": ["b"]}, {"t": []}, {}])
    assert await repo.distinct("t") == ["a", "b"]
    nested = MaterializedRepo(data=[{"o": [{"x": 1}, {"x": 2}]}, {"o": [{"x": 2}]}])
    assert await nested.distinct("o.x") == [1, 2]
    nulls = MaterializedRepo(data=[{"v": None}, {"v": 1}])
    assert await nulls.distinct("v") == [None, 1]


async def test_frames_in_every_library(users: MaterializedRepo[Any]) -> None:
    frame = await users.frame({"city": "Oslo"}, fields=["name", "age"], sort="age", limit=1)
    assert frame.rows() == [("Ann", 34)]
    assert (await users.to_polars()).height == 4
    assert (await users.to_pandas())["age"].tolist() == [34, 28, 41, 19]
    assert (await users.to_arrow({"age__lt": 20})).num_rows == 1
    piped = await users.frame({"age__gt": 20}, pipeline=[{"$count": "n"}])
    assert piped["n"].to_list() == [3]


def test_a_repo_is_an_arrow_stream(users: MaterializedRepo[Any]) -> None:
    assert pl.DataFrame(users)["name"].to_list() == ["Ann", "Bo", "Cy", "Di"]


async def test_aggregate_reaches_other_repos(users: MaterializedRepo[Any]) -> None:
    cities = MaterializedRepo(data=[{"city": "Oslo", "country": "NO"}], name="cities")
    lookup = {"$lookup": {"from": "cities", "localField": "city", "foreignField": "city", "as": "c"}}
    found = await users.aggregate([{"$match": {"_id": 1}}, lookup], repos={"cities": cities})
    assert found[0]["c"] == [{"city": "Oslo", "country": "NO"}]
    both = await users.aggregate([{"$unionWith": "cities"}, {"$count": "n"}], repos={"cities": cities})
    assert both == [{"n": 5}]
    with pytest.raises(XRepoNotFoundError, match="no repo 'citties'.*did you mean 'cities'"):
        await users.aggregate([{"$unionWith": "citties"}], repos={"cities": cities})


async def test_out_and_merge_write_into_other_repos(users: MaterializedRepo[Any]) -> None:
    target = MaterializedRepo(data=[{"_id": 1, "seen": True}, {"_id": 9, "seen": True}], name="target")
    repos = {"target": target}
    await users.aggregate([{"$project": {"name": 1}}, {"$merge": "target"}], repos=repos)
    assert await target.read(1) == {"_id": 1, "seen": True, "name": "Ann"}
    assert await target.count() == 5
    await users.aggregate([{"$match": {"age__gt": 40}}, {"$out": "target"}], repos=repos)
    assert [row["name"] for row in await target.list()] == ["Cy"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda r: r.list({"agee": 1}), "did you mean 'age'"),
        (lambda r: r.list({"age": {"$gtt": 1}}), r"\$gt"),
        (lambda r: r.list(sort="agee"), "did you mean 'age'"),
        (lambda r: r.list(limit=-1), "limit must be a whole number"),
        (lambda r: r.list(skip=-1), "skip must be a whole number"),
        (lambda r: r.distinct("agee"), "did you mean 'age'"),
        (lambda r: r.aggregate([{"$group": {"_id": "$agee"}}]), "did you mean 'age'"),
        (lambda r: r.aggregate([{"$grop": {}}]), r"\$group"),
        (lambda r: r.frame(fields=["agee"]), "did you mean 'age'"),
        (lambda r: r.count({"age": 1}, engine="quick"), "unknown engine"),
    ],
)
async def test_wrong_questions_are_refused(users: MaterializedRepo[Any], call: Any, says: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=says):
        await call(users)
    assert users.audit[-1].outcome == "failed"


async def test_read_without_a_key_names_candidates() -> None:
    repo = MaterializedRepo(data=[{"code": "a", "price": 1.5}], name="codes")
    with pytest.raises(XRepoConfigurationError, match="have no id; there are: code"):
        await repo.read("a")
    keyed = MaterializedRepo(data=[{"code": "a", "price": 1.5}], primary_key="code")
    assert (await keyed.read("a"))["price"] == 1.5


async def test_explain_tells_the_engine_and_the_push_down(users: MaterializedRepo[Any], table: Any) -> None:
    told = await users.explain({"age__gt": 30}, sort="age", limit=2, analyze=True)
    assert [node.stage.split()[0] for node in told.walk()] == ["$limit", "$sort", "$match", "scan"]
    assert [node.rows for node in told.walk()] == [2, 2, 2, 4]
    pushed = await table.explain({"age__gt": 30})
    scan = [node for node in pushed.walk() if node.pushed]
    assert {node.engine for node in scan} == {"sqlite"} and "{age: {$gt: 30}}" in scan[0].stage
    text = scan[0].native
    assert text is not None and '"age" >' in text and "30" not in text


async def test_statistics_know_rows_in_memory_before_anyone_counts(
    users: MaterializedRepo[Any], table: Any
) -> None:
    assert users.statistics.total_count == 4
    await users.delete(1)
    assert users.statistics.total_count == 3
    assert "total_count" not in table.statistics.model_fields_set


async def test_statistics_count_what_is_there(users: MaterializedRepo[Any], table: Any) -> None:
    for repo in (users, table):
        stats = await repo.get_statistics()
        assert stats.total_count == 4
        assert stats.field_cardinalities["city"] == 3
        assert repo.statistics.total_count == 4
    assert users.statistics.query_performance["get_statistics"] > 0


async def test_peek_and_repr_do_no_io(users: MaterializedRepo[Any], table: Any) -> None:
    glimpse = users.peek(2)
    assert glimpse is not None and [row["name"] for row in glimpse] == ["Ann", "Bo"]
    assert table.peek() is None
    assert repr(users) == "<MaterializedRepo 'users': 4 fields>"
    assert repr(table) == "<ConnectedRepo 'users': 8 fields>"
    assert len(users.audit) == 0


async def test_the_cache_serves_until_a_write() -> None:
    from xrepo_nb import RepoMetadata

    metadata = RepoMetadata(name="cached", cache_enabled=True)
    repo = MaterializedRepo(data=[{"_id": 1, "v": 1}], metadata=metadata)
    first, second = await repo.list({"v": 1}), await repo.list({"v": 1})
    assert first.provenance is not None and second.provenance is not None
    assert (first.provenance.cached, second.provenance.cached) == (False, True)
    await repo.create({"_id": 2, "v": 1})
    third = await repo.list({"v": 1})
    assert len(third) == 2 and third.provenance is not None and not third.provenance.cached


async def test_results_belong_to_the_caller(users: MaterializedRepo[Any]) -> None:
    repo = MaterializedRepo(data=[{"_id": 1, "m": 1, "tags": ["a"]}, {"_id": 2, "m": "x", "tags": ["b"]}])
    for row in await repo.list():
        row["tags"].append("spoilt")
    (await repo.read(1))["tags"].append("spoilt")
    (await repo.create({"_id": 3, "tags": ["c"]}))["tags"].append("spoilt")
    assert [row["tags"] for row in await repo.list()] == [["a"], ["b"], ["c"]]


async def test_bad_results_of_a_query_name_no_value(users: MaterializedRepo[Any]) -> None:
    with pytest.raises(XRepoError) as caught:
        await users.aggregate([{"$project": {"x": {"$toInt": "$name"}}}])
    assert isinstance(caught.value, XRepoQueryError)


def test_many_rows_print_as_a_few() -> None:
    assert repr(Rows(range(3))) == "[0, 1, 2]"
    assert repr(Rows(range(1_100))).endswith("98, 99] and 1,000 more")


async def test_a_slice_of_rows_knows_the_whole(users: MaterializedRepo[Any]) -> None:
    rows = await users.list(skip=1, limit=2)
    tail = rows[1:]
    assert isinstance(tail, Rows)
    assert (tail.total, tail.skip, tail.truncated, tail.schema) == (4, 2, True, rows.schema)
    assert tail.provenance == rows.provenance
    assert rows[0] == next(iter(rows))
    assert rows[::-1].total is None
    assert list(rows[::-1]) == list(rows)[::-1]


async def test_the_audit_log_refuses_unknown_fields() -> None:
    repo = MaterializedRepo(data=[{"_id": 1}])
    await repo.count()
    assert len(await repo.get_audit_log({"operation": "count", "metadata.rows": 1})) == 1
    with pytest.raises(XRepoQueryError, match="unknown field 'operatio'.*did you mean 'operation'"):
        await repo.get_audit_log({"operatio": "count"})


async def test_a_file_that_lost_a_column_is_told(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("id,n\n1,2\n")
    repo = await xr.open(path, register=False)
    path.write_text("id,m\n1,2\n")
    for ask in (repo.list(), repo.count({"n": 1}), repo.frame(), repo.aggregate([{"$limit": 1}])):
        with pytest.raises(
            XRepoError, match="'n' of days was there as it was opened, and is gone.*open it again"
        ):
            await ask
    with pytest.raises(XRepoError, match="'n' of days was there as it was opened, and is gone"):
        [row async for row in repo.stream()]


async def test_the_rows_as_they_stand(users: Any, table: Any, tmp_path: Any) -> None:
    order = {"$natural": -1}
    assert [row["_id"] for row in await users.list({"city": "Oslo"}, sort=order, limit=1)] == [3]
    path = tmp_path / "n.csv"
    path.write_text("n\n2\n1\n3\n")
    file = await xr.open(path)
    assert [row.n for row in await file.list(sort=order)] == [3, 1, 2]
    assert [row.n for row in await file.list(sort={"$natural": 1}, limit=2)] == [2, 1]
    with pytest.raises(XRepoUnsupportedError, match="no order"):
        await table.list(sort=order)


@pytest.mark.parametrize(
    "asked",
    [{"filters": {"m": {"$gt": 0}}}, {"sort": "m"}, {"filters": {"d__gt": "2024-01-15"}}],
    ids=["filter", "sort", "date"],
)
async def test_explain_shows_the_sql_of_what_the_database_is_left_with(tmp_path: Path, asked: Any) -> None:
    """It cannot compare mixed values or dates as documents do: those are finished here."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, m, d DATE)")
        connection.executemany(
            "INSERT INTO a VALUES (?, ?, ?)", [(1, 1, "2024-01-01"), (2, "x", "2024-02-01")]
        )
    repo = await xr.open(tmp_path / "a.db", model=False, register=False)
    [text] = [node.native for node in (await repo.explain(**asked)).walk() if node.native]
    assert text.startswith("SELECT") and "WHERE" not in text and "ORDER" not in text
    await repo.resource.close()


async def test_statistics_of_files_tell_their_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,2\n")
    repo = await xr.open(tmp_path / "a.csv", register=False)
    assert (await repo.get_statistics()).storage_size_bytes == 9
