"""SQL tables as a mean user has them: odd values, odd columns, and what changes behind our back."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database

SCRIPT = """
CREATE TABLE t (id INTEGER PRIMARY KEY, v DOUBLE, s TEXT);
INSERT INTO t VALUES (1, 1.5, 'a');
CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2));
INSERT INTO g (id, a) VALUES (1, 2);
CREATE VIEW w AS SELECT * FROM g;
"""


@pytest.fixture(params=["db", "duckdb"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return database(tmp_path / f"a.{request.param}", SCRIPT)


@pytest.fixture
async def opened(file: Path) -> AsyncIterator[Callable[..., Any]]:
    repos: list[Any] = []

    async def make(collection: str, **options: Any) -> Any:
        repos.append(await xr.open(file, collection=collection, model=False, register=False, **options))
        return repos[-1]

    yield make
    for repo in repos:
        await repo.resource.close()


async def test_values_that_a_column_cannot_keep(opened: Any) -> None:
    repo = await opened("t")
    for values, told in (
        ({"id": 2**70}, "'id' cannot keep an int beyond 64 bits: it holds int"),
        ({"id": 2, "s": "\ud800"}, None),
        ({"id": 2, "nope": 1}, "no field 'nope'"),
        ({"id": 2, "v": "x"}, "holds float, not str"),
    ):
        with pytest.raises(xr.XRepoError, match=told):
            await repo.create(values)
    assert await repo.list() == [{"id": 1, "v": 1.5, "s": "a"}]


async def test_odd_ids_find_nothing_or_are_refused(opened: Any) -> None:
    repo = await opened("t")
    for odd in (True, "1", b"1", 2**70, float("inf"), [1], {"a": 1}):
        assert await repo.read(odd) is None and await repo.delete(odd) is False
        assert await repo.update(odd, {"s": "x"}) is None
    for nothing in (None, float("nan"), object()):
        with pytest.raises(xr.XRepoError):
            await repo.read(nothing)
        with pytest.raises(xr.XRepoError):
            await repo.delete(nothing)
    assert (await repo.update(1.0, {"s": "b"}))["s"] == "b"


async def test_generated_columns_are_read_and_take_no_value(opened: Any) -> None:
    repo = await opened("g")
    assert await repo.create({"id": 2, "a": 5}) == {"id": 2, "a": 5, "b": 10}
    assert (await repo.update(1, {"a": 3}))["b"] == 6
    for call in (repo.create({"id": 3, "a": 1, "b": 2}), repo.update(1, {"b": 9})):
        with pytest.raises(xr.XRepoValidationError, match="generated column.*Hint: leave it out"):
            await call


async def test_views_take_no_writes(opened: Any) -> None:
    repo = await opened("w")
    assert await repo.read(1) == {"id": 1, "a": 2, "b": 4}
    for call in (repo.create({"id": 9}), repo.update(1, {"a": 1}), repo.delete(1)):
        with pytest.raises(xr.XRepoUnsupportedError, match="a view takes no writes"):
            await call


async def test_a_key_that_is_not_there_is_refused(opened: Any) -> None:
    with pytest.raises(xr.XRepoValidationError, match="no field 'idd' for the key.*did you mean 'id'"):
        await opened("t", primary_key="idd")


async def test_a_file_that_is_gone_or_replaced_is_told_of(opened: Any, file: Path) -> None:
    repo = await opened("t")
    assert await repo.count() == 1
    away = file.rename(file.with_name("away"))  # noqa: ASYNC240
    for call in (repo.list(), repo.read(1), repo.create({"id": 2})):
        with pytest.raises(xr.XRepoConnectionError, match="deleted or moved since it was opened. Hint: open"):
            await call
    assert not await repo.resource.validate_connection()
    file.write_bytes(b"another")  # noqa: ASYNC240
    with pytest.raises(xr.XRepoConnectionError, match="replaced by another file"):
        await repo.list()
    away.rename(file)
    assert await repo.count() == 1


async def test_a_table_that_changes_behind_our_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v DOUBLE)")
    repo = await xr.open(path, model=False, register=False)
    assert repo.resource is not None
    other.execute("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")
    assert await repo.create({"id": 2, "v": 2.0}) == {"id": 2, "v": 2.0}
    assert (await repo.update(2, {"v": 3.0}))["v"] == 3.0
    other.execute("ALTER TABLE t DROP COLUMN v")
    for call in (repo.list(), repo.create({"id": 3, "v": 1.0})):
        with pytest.raises(xr.XRepoQueryError, match="has changed since it was opened: open it again"):
            await call
    other.execute("DROP TABLE t")
    with pytest.raises(xr.XRepoNotFoundError, match="no table 't'"):
        await repo.list()
    await repo.resource.close()
    other.close()


async def test_a_locked_file_is_waited_for_and_then_told_of(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db")
    other.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    repo = await xr.open(tmp_path / "a.db", model=False, register=False, timeout=2)
    assert repo.resource is not None
    other.execute("BEGIN EXCLUSIVE")
    for call in (repo.create({"id": 1}), repo.list()):
        with pytest.raises(xr.XRepoTimeoutError, match="locked.*2 s. Hint: end its transaction"):
            await call
    other.execute("COMMIT")
    assert await repo.create({"id": 1}) is not None
    await repo.resource.close()
    other.close()


async def test_a_column_of_no_declared_type_keeps_what_an_empty_table_is_given(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    repo = await xr.open(path, model=False, register=False)
    assert repo.resource is not None
    rows = [{"id": n, "x": x} for n, x in enumerate(["hi", 1, 1.5, b"x", None])]
    for row in rows:
        assert await repo.create(row) == row
    assert await repo.list(sort="id") == rows
    await repo.resource.close()


async def test_in_memory_true_is_not_one_and_nan_is_no_id() -> None:
    repo = xr.MaterializedRepo(data=[{"id": 1, "n": 1}, {"id": 2, "n": 2}], primary_key="id")
    assert await repo.read(True) is None and await repo.delete(True) is False
    with pytest.raises(xr.XRepoValidationError, match="id of a record cannot be changed"):
        await repo.update(1, {"id": True})
    assert await repo.update(1, {"id": 1.0, "n": 3}) == {"id": 1, "n": 3}
    with pytest.raises(xr.XRepoValidationError, match="NaN is no id"):
        await repo.create({"id": float("nan")})
    assert await repo.list() == [{"id": 1, "n": 3}, {"id": 2, "n": 2}]
