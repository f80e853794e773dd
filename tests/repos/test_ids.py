"""What is one id: the same on every source, and in bulk as alone."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb import XRepoConflictError, XRepoValidationError

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
LATER = dt.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)
ROWS = [{"at": DAY, "n": 1}, {"at": LATER, "n": 2}]


def _csv(folder: Path) -> Any:
    path = folder / "events.csv"
    path.write_text("at,n\n2024-01-01T00:00:00Z,1\n2024-01-02T03:04:05.678Z,2\n")
    return path


def _parquet(folder: Path) -> Any:
    pl.DataFrame(ROWS).write_parquet(folder / "events.parquet")
    return folder / "events.parquet"


def _sqlite(folder: Path) -> Any:
    table = "CREATE TABLE events (at DATETIME PRIMARY KEY, n INTEGER)"
    rows = [("2024-01-01 00:00:00", 1), ("2024-01-02 03:04:05.678", 2)]
    return database(folder / "events.db", table, events=rows)


def _duckdb(folder: Path, kind: str = "TIMESTAMPTZ") -> Any:
    table = f'CREATE TABLE events ("at" {kind} PRIMARY KEY, n INTEGER)'
    return database(folder / "events.duckdb", table, events=[(r["at"], r["n"]) for r in ROWS])


SOURCES: dict[str, tuple[Callable[[Path], Any], dict[str, Any]]] = {
    "rows": (lambda folder: ROWS, {}),
    "connected rows": (lambda folder: ROWS, {"materialized": False}),
    "csv": (_csv, {}),
    "csv in memory": (_csv, {"materialized": True}),
    "parquet": (_parquet, {}),
    "sqlite": (_sqlite, {}),
    "sqlite in memory": (_sqlite, {"materialized": True}),
    "duckdb": (_duckdb, {}),
}


async def opened(name: str, folder: Path) -> xr.XRepo[Any]:
    make, options = SOURCES[name]
    return await xr.open(make(folder), model=False, register=False, primary_key="at", **options)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "given",
    [
        DAY, "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2024-01-01 00:00:00", "2024-01-01",
        dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), "noon", 5, LATER + dt.timedelta(days=1),
    ],
    ids=str,
)  # fmt: skip
async def test_an_id_is_found_in_every_form_in_which_a_filter_finds_it(
    source: str, given: Any, tmp_path: Path
) -> None:
    repo = await opened(source, tmp_path)
    try:
        found = await repo.find_one({"at": given})
    except xr.XRepoQueryError:  # a filter refuses what the field never holds; no record has such an id
        found = None
    assert await repo.read(given) == found
    assert await repo.exists(given) is (found is not None)


async def test_a_key_of_days_takes_the_moment_at_which_one_begins(tmp_path: Path) -> None:
    repo = await xr.open(_duckdb(tmp_path, "DATE"), model=False, register=False)
    for given in (dt.date(2024, 1, 1), "2024-01-01", DAY):
        assert (await repo.read(given))["n"] == 1
    assert await repo.read(DAY + dt.timedelta(hours=1)) is None


async def test_writes_take_the_forms_that_reads_take(tmp_path: Path) -> None:
    for source in ("rows", "sqlite", "duckdb"):
        repo = await opened(source, tmp_path)
        assert (await repo.update("2024-01-01", {"n": 10}))["n"] == 10
        changes = [("2024-01-01T00:00:00Z", {"n": 11}), (DAY, {"n": 12}), ("2024-02-01", {"n": 0})]
        assert (await repo.bulk_update(changes)).skipped == (2,)
        assert (await repo.read(DAY))["n"] == 12
        assert await repo.bulk_delete(["2024-01-01", dt.date(2024, 1, 1)], soft=False) == 1
        assert await repo.count() == 1


async def test_fields_of_a_key_are_read_each_as_its_own_type() -> None:
    who = uuid.uuid4()
    repo = await xr.open([{"who": who, "at": DAY}], primary_key=["who", "at"], model=False, register=False)
    assert await repo.exists((str(who), "2024-01-01"))
    assert await repo.exists({"who": who, "at": DAY.isoformat()})
    assert not await repo.exists((str(who), "2024-01-02"))


# True is not 1, and NaN is nothing.

MIXED = [{"_id": True, "n": "truth"}, {"_id": 1, "n": "number"}, {"_id": 2, "n": "two"}]


@pytest.mark.parametrize("materialized", [True, False])
async def test_true_and_1_are_two_ids_and_1_and_1_0_one(materialized: bool) -> None:
    repo = await xr.open(MIXED, model=False, register=False, materialized=materialized)
    assert [(await repo.read(i))["n"] for i in (True, 1, 1.0)] == ["truth", "number", "number"]
    assert await repo.read(False) is None
    changes = [(True, {"n": "T"}), (1, {"n": "I"}), (1.0, {"n": "F"}), (False, {"n": "-"})]
    assert (await repo.bulk_update(changes)).outcomes == ("applied", "applied", "applied", "skipped")
    assert [row["n"] for row in await repo.list()] == ["T", "F", "two"]
    made = await repo.bulk_create([{"_id": n, "n": "new"} for n in (False, 0, 0.0, 1, True)], on_error="skip")
    assert made.outcomes == ("applied", "applied", "failed", "failed", "failed")
    assert await repo.bulk_delete([True, 2, 2.0], soft=False) == 2
    assert [(type(row["_id"]), row["n"]) for row in await repo.list()] == [
        (int, "F"), (bool, "new"), (int, "new"),
    ]  # fmt: skip


async def test_a_file_keeps_true_and_1_apart(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    repo = await xr.MaterializedRepo.of(MIXED, name="kept", path=path)
    await repo.update(True, {"n": "T"})
    await repo.bulk_delete([1], soft=False)
    await repo.close()
    again = await xr.MaterializedRepo.of(name="kept", path=path)
    assert await again.list() == [{"_id": True, "n": "T"}, {"_id": 2, "n": "two"}]
    await again.close()


@pytest.mark.parametrize("declared", [True, False])
async def test_nan_is_no_id_of_a_new_record(declared: bool, tmp_path: Path) -> None:
    table = f"CREATE TABLE t (id DOUBLE {'PRIMARY KEY' if declared else ''}, n INTEGER)"
    in_duckdb = await xr.open(
        database(tmp_path / "a.duckdb", table), primary_key="id", model=False, register=False
    )
    rows = [{"id": 0.5, "n": 0}]
    in_memory = await xr.open(rows, primary_key="id", model=False, register=False, materialized=False)
    for repo in (in_duckdb, in_memory):
        before = await repo.count()
        with pytest.raises(XRepoValidationError, match="NaN is no id"):
            await repo.create({"id": math.nan, "n": 1})
        with pytest.raises(XRepoValidationError, match="record 1 of 2: NaN is no id"):
            await repo.bulk_create([{"id": 7.0, "n": 1}, {"id": math.nan, "n": 1}])
        assert await repo.count() == before
        made = await repo.bulk_create([{"id": 7.0, "n": 1}, {"id": math.nan, "n": 1}], on_error="skip")
        assert made.outcomes == ("applied", "failed")
        with pytest.raises(XRepoConflictError):
            await repo.create({"id": 7, "n": 2})
