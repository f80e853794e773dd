"""Files larger than the memory limit are read by DuckDB itself, with the same answer."""

from datetime import datetime

import polars as pl
import pytest

import xrepo_nb as xr

PIPELINE = [
    {"$match": {"n": {"$gte": 10}}},
    {"$group": {"_id": "$k", "n": {"$sum": "$n"}, "last": {"$max": "$when"}}},
    {"$sort": {"_id": 1}},
]


@pytest.fixture
def small_limit(change_settings):
    change_settings(memory_limit="20MB")


def write(path, zone):
    rows = pl.int_range(100_000, eager=True)
    when = pl.Series([datetime(2024, 1, 1)]).dt.replace_time_zone(zone).new_from_index(0, 100_000)
    frame = pl.DataFrame({"k": rows % 7, "n": rows, "when": when, "noise": (rows * 7919).hash()})
    frame.vstack(frame.with_columns(noise=pl.col("noise").hash(1))).write_parquet(
        path, compression="uncompressed"
    )


@pytest.fixture
async def large(tmp_path):
    write(tmp_path / "large.parquet", "UTC")
    return await xr.open(tmp_path / "large.parquet", model=False, register=False)


async def test_a_plan_that_gathers_rows_goes_to_duckdb(large, small_limit, monkeypatch):
    monkeypatch.setattr("xrepo_nb.engines.select.UNPACKED", 10)
    found = await large.aggregate(PIPELINE)
    assert found.provenance.engine == "duckdb"
    assert list(found) == list(await large.aggregate(PIPELINE, engine="polars"))


async def test_a_plan_that_streams_and_a_file_that_fits_stay_with_polars(large, small_limit, monkeypatch):
    assert (await large.aggregate(PIPELINE)).provenance.engine == "polars"
    monkeypatch.setattr("xrepo_nb.engines.select.UNPACKED", 10)
    assert (await large.aggregate([PIPELINE[0], {"$limit": 3}])).provenance.engine == "polars"


async def test_files_whose_values_need_a_change_are_not_handed_on(large, tmp_path):
    assert (await large.resource.table(None)).origin == (tmp_path / "large.parquet",)
    write(tmp_path / "naive.parquet", None)
    naive = await xr.open(tmp_path / "naive.parquet", model=False, register=False)
    assert (await naive.resource.table(None)).origin == ()
