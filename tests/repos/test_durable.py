"""Rows kept in a file: what was acknowledged is there again, exactly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time as time_module
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pytest

import xrepo_nb as xr
from xrepo_nb import (
    MISSING,
    MaterializedRepo,
    RepoMetadata,
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoConnectionError,
)
from xrepo_nb.repos.encoding import decode, encode

ROWS: list[dict[str, Any]] = [
    {"_id": 1, "s": "a", "i": 2**40, "f": 0.5, "b": True, "at": datetime(2024, 1, 2, 3, tzinfo=UTC),
     "d": date(2024, 1, 2), "t": time(1, 2), "span": timedelta(1), "raw": b"\x00", "u": UUID(int=7),
     "n": Decimal("1.50"), "o": {"x": 1, "y": [1, 2]}, "l": ["a", None], "m": 1},
    {"_id": 2, "s": None, "m": "text", "o": {"x": 2}},
    {"_id": 3, "m": {"deep": [Decimal("0.1"), {"at": datetime(2024, 1, 1, tzinfo=UTC)}]}, "l": []},
]  # fmt: skip


async def reopened(repo: MaterializedRepo[Any], path: Path) -> MaterializedRepo[Any]:
    await repo.close()
    return await MaterializedRepo.of(path=path, name=repo.metadata.name)


async def test_the_same_rows_schema_and_absence(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    repo = await MaterializedRepo.of(ROWS, name="kept", path=path)
    again = await reopened(repo, path)
    assert await again.list() == ROWS == await repo.list()
    assert (again.schema, again.key) == (repo.schema, ("_id",))
    await again.close()


async def test_every_acknowledged_change_is_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    repo = await MaterializedRepo.of(ROWS, name="kept", path=path)
    await repo.create({"_id": "four", "new": [date(2024, 1, 1)]})
    await repo.update(1, {"$set": {"s": 5}, "$unset": {"l": ""}})
    await repo.delete(2)
    await repo.bulk_delete([3], soft=False)
    rows = await repo.list()
    again = await reopened(repo, path)
    assert await again.list() == rows
    assert again.schema == repo.schema
    assert await again.restore(2) and (await again.read(2))["m"] == "text"
    with pytest.raises(XRepoConflictError):
        await again.create({"_id": "four"})
    third = await reopened(again, path)
    assert await third.count() == 3
    await third.close()


async def test_frames_keep_their_types_and_a_schema_is_kept_to(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    frame = pl.DataFrame(
        {"id": [1, 2], "v": [1.5, None], "e": ["a", "b"], "n": [None, None], "d": [[timedelta(1)], None]},
        schema={
            "id": pl.Int16,
            "v": pl.Float32,
            "e": pl.Enum(["a", "b"]),
            "n": pl.Null,
            "d": pl.List(pl.Duration("us")),
        },
    )
    schema = {"fields": {"id": {"type": "int"}, "v": {"type": "float"}}, "primary_key": ["id"]}
    repo = await MaterializedRepo.of(frame, schema=schema, name="kept", path=path)
    again = await reopened(repo, path)
    assert (await again.frame()).equals(await repo.frame())
    assert (await again.frame()).schema == (await repo.frame()).schema
    with pytest.raises(ValueError, match="no field 'w'"):
        await again.create({"id": 3, "w": 1})
    await again.close()


async def test_a_file_starts_empty_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept.duckdb"
    repo = await MaterializedRepo.of(name="kept", path=path)
    made = await repo.create({"v": 1})
    again = await reopened(repo, path)
    assert await again.list() == [made]
    await again.close()


async def test_wrong_files_are_refused(tmp_path: Path) -> None:
    import duckdb

    other, text = tmp_path / "other.duckdb", tmp_path / "text.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    text.write_text("no database")
    with pytest.raises(XRepoConfigurationError, match="DuckDB file of another kind"):
        await MaterializedRepo.of(path=other)
    with pytest.raises(XRepoConnectionError, match="cannot be opened"):
        await MaterializedRepo.of(path=text)


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    program = f"""
import asyncio, os
from xrepo_nb import MaterializedRepo
async def work():
    repo = await MaterializedRepo.of([{{"_id": 0}}], name="kept", path={str(path)!r})
    for i in range(1, 20):
        await repo.create({{"_id": i, "v": i}})
    print("done", flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(work())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.stdout, run.returncode) == ("done\n", -9), run.stderr
    repo = MaterializedRepo(path=path)
    assert repo._storage.height == 20
    assert repo._storage.find(19) == {"_id": 19, "v": 19}


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 2**80, 1.5, float("inf"), -0.0, "x", b"\xff", date(1, 1, 1), time(23, 59, 59, 5),
        timedelta(-1, 3, 7), Decimal("1E+5"), UUID(int=1), datetime(2024, 1, 1, 5, tzinfo=UTC),
        datetime(2024, 1, 1), [1, [2]], (1, "a"), {"a": {"b": [None]}}, {"$": 1}, {"$": ["date", "x"]},
        MISSING, {1: 2},
    ],
    ids=repr,
)  # fmt: skip
def test_encoding_loses_nothing(value: Any) -> None:
    found = decode(encode(value))
    assert repr(found) == repr(value) and type(found) is type(value)


def test_encoding_keeps_bson_values() -> None:
    bson = pytest.importorskip("bson")
    for value in (
        bson.ObjectId(),
        bson.Int64(5),
        bson.Decimal128("1.5"),
        bson.Regex("a", "i"),
        bson.MinKey(),
    ):
        found = decode(encode({"v": [value]}))["v"][0]
        assert type(found) is type(value) and found == value
    with pytest.raises(ValueError, match="object cannot be kept in a file"):
        encode(object())


async def test_a_file_is_open_once(tmp_path: Path) -> None:
    first = await MaterializedRepo.of([{"_id": 1}], path=tmp_path / "kept.duckdb")
    with pytest.raises(XRepoConnectionError, match="cannot be opened.*close that repo first") as refused:
        await MaterializedRepo.of(path=tmp_path / "kept.duckdb")
    await first.close()
    assert "kept.duckdb" in str(refused.value)  # kept, and holds nothing open
    again = await MaterializedRepo.of(path=tmp_path / "kept.duckdb")
    assert await again.count() == 1
    await again.close()


async def test_of_writers_that_add_one_id_at_once_one_wins(tmp_path: Path) -> None:
    repo = await MaterializedRepo.of([{"_id": 0}], path=tmp_path / "kept.duckdb")
    made = await asyncio.gather(*(repo.create({"_id": 1, "v": v}) for v in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["XRepoConflictError"] * 3 + ["dict"]
    assert await repo.count() == 2
    await repo.close()


async def test_a_write_that_is_cut_off_is_whole_and_seen(tmp_path: Path) -> None:
    """The caller leaves when the change is on disk; what was kept of the rows is made anew."""
    metadata = RepoMetadata(name="kept", cache_enabled=True)
    repo = await MaterializedRepo.of([{"_id": 0}], path=tmp_path / "kept.duckdb", metadata=metadata)
    view = await xr.join("all", [repo, [{"_id": 9}]], register=False)
    assert (await repo.count({"_id__gte": 0}), await view.count()) == (1, 2)
    file = repo._loaded.file
    assert file is not None
    begun, append = threading.Event(), file.append

    def slow(edits: Any) -> None:
        begun.set()
        time_module.sleep(0.1)
        append(edits)

    file.append = slow  # type: ignore[method-assign]
    writing = asyncio.ensure_future(repo.create({"_id": 1}))
    await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert (await repo.count({"_id__gte": 0}), await view.count()) == (2, 3)
    [entry] = [entry for entry in repo.audit if entry.operation == "create"]
    assert entry.outcome == "unknown"
    again = await reopened(repo, tmp_path / "kept.duckdb")
    assert await again.count() == 2
    await again.close()


async def test_out_replaces_rows_in_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    repo = await MaterializedRepo.of([{"_id": 0, "v": 1}], name="kept", path=path)
    await repo.create({"_id": 5, "v": 5})
    other = MaterializedRepo(data=[{"_id": 7, "v": 7}], name="other")
    await other.aggregate([{"$out": "kept"}], repos={"kept": repo})
    await repo.create({"_id": 8, "v": 8})
    again = await reopened(repo, path)
    assert await again.list() == [{"_id": 7, "v": 7}, {"_id": 8, "v": 8}]
    await again.close()


async def test_a_refreshed_copy_of_a_source_is_in_its_file(tmp_path: Path) -> None:
    source, path = tmp_path / "a.csv", tmp_path / "kept.duckdb"
    source.write_text("n,id,v\n1,1,a\n")
    repo = await xr.open(source, path=path, primary_key="n", model=False, register=False)
    await repo.update(1, {"v": "changed"})
    source.write_text("n,id,v\n1,1,a\n2,1,b\n")
    await repo.refresh()
    assert repo.key == repo.schema.primary_key == ("n",)
    again = await reopened(repo, path)
    assert [row["v"] for row in await again.list()] == ["a", "b"] and again.key == ("n",)
    await again.close()
