"""Tables that declare no key, opened with one: written by it as if they had declared it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb.core.errors import XRepoConflictError, XRepoUnsupportedError, XRepoValidationError
from xrepo_nb.resources.base import XResource
from xrepo_nb.resources.duckdb import DuckDBResource
from xrepo_nb.resources.memory import MemoryResource
from xrepo_nb.resources.sqlite import SQLiteResource

SCRIPT = """
CREATE TABLE t (id INTEGER, name TEXT, version INTEGER, deleted_at TIMESTAMP);
INSERT INTO t VALUES (1, 'a', 1, NULL), (2, 'b', 1, NULL);
CREATE TABLE pairs (a INTEGER, b TEXT, n INTEGER);
INSERT INTO pairs VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);
CREATE TABLE declared (id INTEGER PRIMARY KEY, code TEXT, n INTEGER);
INSERT INTO declared VALUES (1, '2', 10), (2, '1', 20);
"""
ROWS: dict[str, list[dict[str, Any]]] = {
    "t": [
        {"id": 1, "name": "a", "version": 1, "deleted_at": None},
        {"id": 2, "name": "b", "version": 1, "deleted_at": None},
    ],
    "pairs": [{"a": 1, "b": "x", "n": 10}, {"a": 1, "b": "y", "n": 20}, {"a": 2, "b": "x", "n": 30}],
    "declared": [{"id": 1, "code": "2", "n": 10}, {"id": 2, "code": "1", "n": 20}],
}


MAKERS: dict[str, Callable[[Path], XResource]] = {
    "sqlite": lambda folder: SQLiteResource(database(folder / "a.db", SCRIPT)),
    "duckdb": lambda folder: DuckDBResource(database(folder / "a.duckdb", SCRIPT)),
    "memory": lambda folder: MemoryResource(ROWS),
}


@asynccontextmanager
async def connected(source: XResource) -> AsyncIterator[XResource]:
    await source.connect()
    try:
        yield source
    finally:
        await source.close()


@pytest.fixture(params=list(MAKERS))
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    async with connected(MAKERS[request.param](tmp_path)) as resource:
        yield resource


async def opened(source: XResource, collection: str = "t", key: Any = "id", **more: Any) -> xr.XRepo[Any]:
    options = {"materialized": False, "model": False, "register": False} | more
    return await xr.open(source, collection=collection, primary_key=key, **options)


async def names(repo: xr.XRepo[Any]) -> list[tuple[Any, Any]]:
    return [(row["id"], row["name"]) for row in await repo.list(sort="id")]


async def test_a_taken_id_is_a_conflict(source: XResource) -> None:
    repo = await opened(source)
    with pytest.raises(XRepoConflictError, match="exists"):
        await repo.create({"id": 1, "name": "again"})
    for rows in ([{"id": 3}, {"id": 2}], [{"id": 3}, {"id": 4}, {"id": 3}]):
        with pytest.raises(XRepoConflictError, match="exists"):
            await repo.bulk_create(rows)
    assert await names(repo) == [(1, "a"), (2, "b")]
    made = await repo.create({"id": 3, "name": "c"})
    assert (made["id"], await repo.read(3)) == (3, made)


async def test_records_of_a_bulk_whose_id_is_taken_are_left_out_when_asked(source: XResource) -> None:
    repo = await opened(source)
    rows = [{"id": n, "name": f"new {n}"} for n in (3, 1, 4, 3, 5)]
    made = await repo.bulk_create(rows, on_error="skip")
    assert made.outcomes == ("applied", "failed", "applied", "failed", "applied")
    assert [row["id"] for row in made] == [3, 4, 5]
    assert all("exists" in reason for reason in made.errors.values())
    assert [i for i, _ in await names(repo)] == [1, 2, 3, 4, 5]


async def test_a_record_without_an_id_is_refused(source: XResource) -> None:
    repo = await opened(source)
    for given in ({"name": "c"}, {"id": None, "name": "c"}):
        with pytest.raises(XRepoValidationError, match="key"):
            await repo.create(given)
        with pytest.raises(XRepoValidationError, match="key"):
            await repo.bulk_create([{"id": 3}, given])
    for call in (repo.read(None), repo.update(None, {"name": "x"}), repo.delete(None)):
        with pytest.raises(XRepoValidationError, match="no value"):
            await call
    assert await names(repo) == [(1, "a"), (2, "b")]


async def test_records_are_changed_and_removed_by_id(source: XResource) -> None:
    repo = await opened(source)
    changed = await repo.update(1, {"name": "A"})
    assert changed["name"] == "A" and await repo.read(1) == changed
    assert (await repo.update(1.0, {"name": "AA"}))["name"] == "AA"
    assert await repo.update(9, {"name": "x"}) is None
    assert await repo.bulk_update([(2, {"name": "B"}), (9, {"name": "x"})]) == 1
    with pytest.raises(XRepoValidationError, match="id of a record"):
        await repo.update(1, {"id": 5})
    assert await names(repo) == [(1, "AA"), (2, "B")]
    assert await repo.delete(2, soft=False) is True and await repo.delete(2, soft=False) is False
    assert await repo.bulk_delete([1, 9], soft=False) == 1
    assert await names(repo) == []


async def test_deletion_is_soft_and_restored(source: XResource) -> None:
    repo = await opened(source)
    assert await repo.delete(1) is True
    assert await repo.read(1) is None and await names(repo) == [(2, "b")]
    with pytest.raises(XRepoConflictError, match="exists"):
        await repo.create({"id": 1, "name": "again"})
    assert await repo.restore(1) is True and await repo.restore(1) is False
    assert await repo.bulk_delete([1, 2]) == 2
    assert await repo.restore(2) is True
    assert await names(repo) == [(2, "b")]


async def test_a_version_goes_up_or_the_update_is_refused(source: XResource) -> None:
    repo = await opened(source)
    assert (await repo.update(1, {"name": "A"}, version=1))["version"] == 2
    with pytest.raises(XRepoConflictError, match="at version 2, not 1"):
        await repo.update(1, {"name": "B"}, version=1)
    assert (await repo.read(1))["name"] == "A"


async def test_of_two_repos_at_one_version_one_wins(source: XResource) -> None:
    repos = [await opened(source, name=f"r{n}") for n in range(4)]
    calls = [repo.update(1, {"name": str(n)}, version=1) for n, repo in enumerate(repos)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(end, XRepoConflictError) for end in ended) == 3
    assert (await repos[0].read(1))["version"] == 2


async def test_of_two_repos_creating_one_id_one_wins(source: XResource) -> None:
    repos = [await opened(source, name=f"r{n}") for n in range(4)]
    ended = await asyncio.gather(*(r.create({"id": 7}) for r in repos), return_exceptions=True)
    assert sum(isinstance(end, XRepoConflictError) for end in ended) == 3
    assert await repos[0].count({"id": 7}) == 1


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
async def test_of_two_resources_on_one_file_creating_one_id_one_wins(kind: str, tmp_path: Path) -> None:
    first = MAKERS[kind](tmp_path)
    second = type(first)(first.path)  # type: ignore[attr-defined,call-arg]
    async with connected(first), connected(second):
        repos = [await opened(source) for source in (first, second) * 3]
        ended = await asyncio.gather(*(r.create({"id": 7}) for r in repos), return_exceptions=True)
        assert sum(isinstance(end, XRepoConflictError) for end in ended) == 5
        assert await repos[0].count({"id": 7}) == 1


async def test_keys_of_several_fields(source: XResource) -> None:
    repo = await opened(source, "pairs", ["a", "b"])
    assert (await repo.read((1, "y")))["n"] == 20
    assert (await repo.update((1, "y"), {"n": 21}))["n"] == 21
    assert (await repo.update({"a": 2, "b": "x"}, {"n": 31}))["n"] == 31
    with pytest.raises(XRepoConflictError):
        await repo.create({"a": 1, "b": "x"})
    with pytest.raises(XRepoConflictError):
        await repo.bulk_create([{"a": 3, "b": "x"}, {"a": 3, "b": "x"}])
    with pytest.raises(XRepoValidationError, match=r"key .*b"):
        await repo.create({"a": 3})
    await repo.create({"a": 3, "b": "x", "n": 40})
    assert await repo.bulk_delete([(1, "x"), (3, "x"), (3, "y")]) == 2
    assert [row["n"] for row in await repo.list(sort="n")] == [21, 31]


async def test_another_key_than_the_declared_one_names_its_own_records(source: XResource) -> None:
    repo = await opened(source, "declared", "code")
    assert (await repo.update("1", {"n": 21}))["id"] == 2
    assert await repo.delete("2", soft=False) is True
    with pytest.raises(XRepoConflictError):
        await repo.create({"id": 5, "code": "1"})
    with pytest.raises(XRepoConflictError):
        await repo.create({"id": 2, "code": "5"})
    assert await repo.list() == [{"id": 2, "code": "1", "n": 21}]


async def test_an_id_that_several_records_have_is_a_conflict_that_tells_how_many(source: XResource) -> None:
    repo = await opened(source, "pairs", "a")
    for call in (
        repo.read(1),
        repo.update(1, {"n": 0}),
        repo.delete(1, soft=False),
        repo.bulk_update([(2, {"n": 0}), (1, {"n": 0})]),
        repo.bulk_delete([2, 1], soft=False),
    ):
        with pytest.raises(XRepoConflictError, match=r"^2 records"):
            await call
    assert [row["n"] for row in await repo.list(sort="n")] == [10, 20, 30]
    assert (await repo.read(2))["n"] == 30


async def test_the_source_itself_takes_back_what_hit_several_records(source: XResource) -> None:
    for call in (
        source.update("pairs", [(2, {"n": 0}), (1, {"n": 0})], key=("a",)),
        source.delete("pairs", [2, 1], key=("a",)),
    ):
        with pytest.raises(XRepoConflictError, match=r"^2 records") as caught:
            await call
        assert caught.value.result.outcomes == ("skipped", "failed")
    assert await source.query(collection="pairs") == ROWS["pairs"]
    with pytest.raises(XRepoUnsupportedError, match="no primary key"):
        await source.update("pairs", [(1, {"n": 0})])
    with pytest.raises(XRepoValidationError, match="no field 'aa'.*did you mean 'a'"):
        await source.delete("pairs", [1], key=("aa",))


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
async def test_an_error_leaves_no_transaction_behind(kind: str, tmp_path: Path) -> None:
    source = MAKERS[kind](tmp_path)
    await source.connect()
    repo = await opened(source)
    for call in (repo.create({"id": 1}), repo.create({"id": None}), repo.bulk_create([{"id": 5}, {"id": 5}])):
        with pytest.raises(XRepoValidationError):
            await call
    await repo.create({"id": 3, "name": "c"})
    await source.close()
    other = (SQLiteResource if kind == "sqlite" else DuckDBResource)(source.path)  # type: ignore[attr-defined]
    await other.connect()
    assert [row["id"] for row in await other.query(collection="t", sort=[("id", 1)])] == [1, 2, 3]
    await other.close()


def _created(folder: Path, statement: str) -> SQLiteResource:
    """A SQLite file with the table that the statement makes."""
    return SQLiteResource(database(folder / "a.db", statement))


async def test_ids_that_a_collation_takes_for_one_are_one(tmp_path: Path) -> None:
    async with connected(_created(tmp_path, "CREATE TABLE t (id TEXT COLLATE NOCASE, n INTEGER)")) as source:
        repo = await opened(source)
        await repo.create({"id": "a"})
        for rows in ([{"id": "A"}], [{"id": "b"}, {"id": "B"}]):
            with pytest.raises(XRepoConflictError):
                await repo.bulk_create(rows)
        assert await repo.count() == 1


async def test_a_key_that_the_database_gives(tmp_path: Path) -> None:
    async with connected(_created(tmp_path, "CREATE TABLE t (id TEXT DEFAULT 'new', n INTEGER)")) as source:
        repo = await opened(source)
        assert (await repo.create({"n": 1}))["id"] == "new"
        with pytest.raises(XRepoConflictError):
            await repo.create({"n": 2})
        assert await repo.count() == 1


async def test_a_declared_key_of_sqlite_may_not_stay_empty(tmp_path: Path) -> None:
    async with connected(_created(tmp_path, "CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)")) as source:
        repo = await opened(source, key=None)
        with pytest.raises(XRepoValidationError, match="key"):
            await repo.create({"n": 1})
        assert await repo.count() == 0


async def test_many_records_at_once(tmp_path: Path) -> None:
    async with connected(MAKERS["sqlite"](tmp_path)) as source:
        repo = await opened(source)
        made = await repo.bulk_create([{"id": n} for n in range(10, 5_010)])
        assert len(made) == 5_000
        with pytest.raises(XRepoConflictError) as caught:
            await repo.bulk_create([{"id": n} for n in range(5_010, 9_000)] + [{"id": 10}])
        assert caught.value.result.outcomes.index("failed") == 3_990


async def test_a_source_that_knows_other_ids_is_not_written_by_them() -> None:
    class Fixed(MemoryResource):
        capabilities = xr.Capabilities(lazy=True, insert=True, update=True, delete=True, live=True)

    source = Fixed(ROWS["declared"])
    repo = await opened(source, "data", "code")
    for call in (
        repo.update("1", {"n": 0}),
        repo.delete("1", soft=False),
        repo.create({"id": 9, "code": "9"}),
    ):
        with pytest.raises(XRepoUnsupportedError, match="by id, not by code"):
            await call
    assert await repo.list() == ROWS["declared"]


async def test_times_are_utc_whatever_the_zone_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path / "a.duckdb", "CREATE TABLE t (id TIMESTAMP)")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        async with connected(DuckDBResource(path)) as source:
            repo = await opened(source)
            moment = datetime(2024, 1, 1, 12, tzinfo=UTC)
            assert await repo.create({"id": moment}) == {"id": moment}
            assert await repo.count({"id": moment}) == 1
            with pytest.raises(XRepoConflictError):
                await repo.create({"id": moment})
            assert await repo.delete(moment) is True
    finally:
        monkeypatch.undo()
        time.tzset()
