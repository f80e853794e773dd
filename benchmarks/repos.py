"""Repos: a query through `frame()` and a join against the same in hand-written Polars, the fixed cost of a
governed, audited call, point reads and writes, and `list` into models against the fastest other way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from benchmarks.timing import Row, compare
from xrepo_nb import ConnectedRepo, MaterializedRepo, ResourceFactory, ViewRepo, XObjPrototype
from xrepo_nb.repos.joining import join_shape
from xrepo_nb.schema.join_config import JoinConfig

DATASETS = Path(__file__).parents[1] / "datasets"


class Sale(XObjPrototype):
    """One row of the frames below."""

    id: int
    city: str
    price: float
    note: str | None = None


def measure(*, quick: bool) -> list[Row]:
    """All figures, on one event loop."""
    with asyncio.Runner() as runner:
        run = runner.run
        big = _sales(100_000 if quick else 1_000_000)
        return [
            _query(run, big),
            _join(run),
            *_calls(run, 20 if quick else 200),
            *_points(run, big, 200 if quick else 2_000),
            _models(run, big.head(2_000 if quick else 100_000)),
        ]


Run = Callable[[Any], Any]


def _sales(n: int) -> pl.DataFrame:
    places = pl.Series([f"city{i}" for i in range(100)])
    row = pl.int_range(n, eager=True)
    return pl.DataFrame(
        {
            "id": row,
            "city": places.gather((row * 7919) % 100),
            "price": ((row * 104_729) % 10_007).cast(pl.Float64) / 10,
            "note": pl.Series(["x", None]).gather(row % 2),
        }
    )


def _query(run: Run, frame: pl.DataFrame) -> Row:
    repo = MaterializedRepo(None, frame, name="sales")

    def by_hand() -> pl.DataFrame:
        chosen = frame.lazy().filter((pl.col("city") == "city7") & (pl.col("price") > 500))
        return chosen.sort("price", descending=True, maintain_order=True).head(100).collect()

    def ours() -> pl.DataFrame:
        found = repo.frame({"city": "city7", "price__gt": 500}, sort="-price", limit=100)
        return run(found)

    assert ours().equals(by_hand())
    return compare(
        f"filter, sort, limit 100 of {frame.height:,} rows", ours, {"polars": by_hand}, target=1.15, runs=15
    )


def _join(run: Run) -> Row:
    flights = run(_source("parquet", "flights.parquet"))
    airlines = run(_source("csv", "airlines.csv"))
    sources = {"flights": flights, "airlines": airlines}
    config = JoinConfig.of({"on": "carrier", "type": "left"})
    view = ViewRepo("named", sources, lambda schemas: join_shape(schemas, config), materialize=False)
    pipeline: list[dict[str, Any]] = [
        {"$match": {"flights_dep_delay": {"$ne": None}}},
        {"$group": {"_id": "$airlines_name", "delay": {"$avg": "$flights_dep_delay"}, "n": {"$sum": 1}}},
        {"$sort": {"delay": -1}},
    ]

    def ours() -> Any:
        return run(view.aggregate(pipeline))

    def by_hand() -> Any:
        left = pl.scan_parquet(DATASETS / "flights.parquet").filter(pl.col("dep_delay").is_not_null())
        joined = left.join(pl.scan_csv(DATASETS / "airlines.csv"), on="carrier", how="left")
        grouped = joined.group_by("name").agg(pl.col("dep_delay").mean(), pl.len())
        return grouped.sort("dep_delay", descending=True).collect().rows()

    assert [round(row["delay"], 9) for row in ours()] == [round(row[1], 9) for row in by_hand()]
    return compare("join and group of the flights tables", ours, {"polars": by_hand}, target=1.15, runs=15)


async def _source(kind: str, file: str) -> ConnectedRepo[Any]:
    resource = ResourceFactory.create(kind, file_path=DATASETS / file)
    await resource.connect()
    return ConnectedRepo(await resource.describe(), resource, name=file.partition(".")[0])


def _calls(run: Run, calls: int) -> list[Row]:
    """Ours, less the time of the hand-written query: what governing, auditing and the rest add."""
    frame = _sales(1_000)
    repo = MaterializedRepo(None, frame, name="small")
    chosen = pl.col("price") > 900

    def frame_by_hand() -> Any:
        return frame.lazy().filter(chosen).collect()

    def count_by_hand() -> Any:
        return frame.lazy().filter(chosen).select(pl.len()).collect().item()

    filters = {"price": {"$gt": 900}}
    pairs: list[tuple[str, Callable[[], Awaitable[Any]], Callable[[], Any]]] = [
        ("frame", lambda: repo.frame(filters), frame_by_hand),
        ("count", lambda: repo.count(filters), count_by_hand),
        ("list", lambda: repo.list(filters, limit=10), lambda: frame_by_hand().head(10).to_dicts()),
    ]
    return [
        Row(
            f"added by one governed, audited {name}",
            run(_added(ask, hand, calls)),
            None,
            "Polars, subtracted",
            0.5,
        )
        for name, ask, hand in pairs
    ]


async def _added(ask: Callable[[], Awaitable[Any]], by_hand: Callable[[], Any], calls: int) -> float:
    times: list[float] = []
    for _ in range(calls):
        start = time.perf_counter()
        await ask()
        middle = time.perf_counter()
        by_hand()
        times.append((middle - start) - (time.perf_counter() - middle))
    return median(times) * 1000


def _points(run: Run, frame: pl.DataFrame, calls: int) -> list[Row]:
    repo = MaterializedRepo(None, frame, name="sales")
    plain = dict.fromkeys(frame["id"].to_list())
    return run(_timed_points(repo, plain, calls))  # type: ignore[no-any-return]


async def _timed_points(repo: MaterializedRepo[Any], plain: dict[int, None], calls: int) -> list[Row]:
    rows = len(plain)
    await repo.read(0)
    reads, creates = [], []
    for i in range(calls):
        key = (i * 7_919) % rows
        start = time.perf_counter()
        await repo.read(key)
        middle = time.perf_counter()
        plain.get(key)
        reads.append((middle - start) - (time.perf_counter() - middle))
    for i in range(calls):
        record = {"id": rows + i, "city": "new", "price": 1.0, "note": None}
        start = time.perf_counter()
        await repo.create(record)
        creates.append(time.perf_counter() - start)
    return [
        Row(f"read(id) of {rows:,} rows", median(reads) * 1e6, None, "dict, subtracted", 30, unit="us"),
        Row("create of one row", median(creates) * 1e6, None, "", 60, unit="us"),
    ]


def _models(run: Run, frame: pl.DataFrame) -> Row:
    repo: MaterializedRepo[Sale] = MaterializedRepo(None, frame, Sale, name="sales")
    one, many = TypeAdapter(Sale), TypeAdapter(list[Sale])

    def all_at_once() -> list[Sale]:
        return many.validate_python(frame.to_dicts())

    def in_slices() -> list[Sale]:
        out: list[Sale] = []
        for part in frame.iter_slices(5_000):
            out += many.validate_python(part.to_dicts())
        return out

    def row_by_row() -> list[Sale]:
        return [one.validate_python(row) for row in frame.iter_rows(named=True)]

    def columns_zipped() -> list[Sale]:
        out: list[Sale] = []
        for part in frame.iter_slices(5_000):
            rows = zip(*(column.to_list() for column in part.get_columns()), strict=True)
            out += many.validate_python([dict(zip(part.columns, row, strict=True)) for row in rows])
        return out

    def ours() -> list[Sale]:
        return list(run(repo.list(limit=None)))

    assert ours() == all_at_once()
    ways = {"to_dicts": all_at_once, "slices": in_slices, "rows": row_by_row, "columns": columns_zipped}
    return compare(
        f"list of {frame.height:,} rows into models", ours, ways, target=0.9, runs=5, at_least=True
    )
