"""`ConnectedRepo` against what is written by hand for each kind of source: Polars' lazy scans of files, SQL
through `sqlite3` and `duckdb`, run in a thread, as they block, with results as the same Python objects.
What a list tells besides its rows, how many match in all, is asked for by hand too, and opening a SQLite
database includes finding out by hand what types its columns hold. Rules, audit log, statistics and the
making of SQL cost a call about half a millisecond; no target is set here."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.timing import Row, compare
from xrepo_nb import XRepo, open

FILTER = {"city": "city7", "price": {"$gt": 500}}
GROUPS: list[dict[str, Any]] = [
    {"$match": {"price": {"$gt": 500}}},
    {"$group": {"_id": "$city", "price": {"$avg": "$price"}, "n": {"$sum": 1}}},
    {"$sort": {"price": -1}},
]
WHERE = "FROM sales WHERE city = 'city7' AND price > 500"
GROUPED = "SELECT city, avg(price) p, count(*) n FROM sales WHERE price > 500 GROUP BY city ORDER BY p DESC"
PAGE = f"SELECT * {WHERE} ORDER BY price DESC LIMIT 100"

Ours = Callable[[], Awaitable[Any]]
Hand = Callable[[], Any]


def measure(*, quick: bool) -> list[Row]:
    """Each source in turn, in a folder of its own."""
    share = 50 if quick else 1
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as name:
        folder, run = Path(name), runner.run
        return [
            *_files(run, "Parquet", *_parquet(folder, 10_000_000 // share)),
            *_files(run, "50 Parquet files", *_parts(folder, 100_000 // share)),
            *_files(run, "CSV", *_csv(folder, 1_000_000 // share)),
            *_files(run, "NDJSON", *_ndjson(folder, 300_000 // share)),
            *_sqlite(run, folder, 1_000_000 // share),
            *_duckdb(run, folder, 5_000_000 // share),
        ]


def _sales(rows: int, start: int = 0) -> pl.DataFrame:
    row = pl.int_range(start, start + rows, eager=True)
    cities = pl.Series([f"city{i}" for i in range(100)])
    return pl.DataFrame(
        {
            "id": row,
            "city": cities.gather((row * 7_919) % 100),
            "price": ((row * 104_729) % 10_007).cast(pl.Float64) / 10,
            "qty": (row * 31) % 50,
            "note": pl.Series(["x", None]).gather(row % 2),
        }
    )


Scan = Callable[[], pl.LazyFrame]


def _parquet(folder: Path, rows: int) -> tuple[str, Scan]:
    path = folder / "one.parquet"
    _sales(rows).write_parquet(path, row_group_size=250_000)
    return str(path), lambda: pl.scan_parquet(path)


def _parts(folder: Path, rows: int) -> tuple[str, Scan]:
    (folder / "parts").mkdir()
    for i in range(50):
        _sales(rows, i * rows).write_parquet(folder / "parts" / f"part{i:02}.parquet")
    pattern = str(folder / "parts" / "*.parquet")
    return pattern, lambda: pl.scan_parquet(pattern)


def _csv(folder: Path, rows: int) -> tuple[str, Scan]:
    path = folder / "one.csv"
    _sales(rows).write_csv(path)
    return str(path), lambda: pl.scan_csv(path)


def _ndjson(folder: Path, rows: int) -> tuple[str, Scan]:
    path = folder / "one.ndjson"
    _sales(rows).write_ndjson(path)
    return str(path), lambda: pl.scan_ndjson(path)


Run = Callable[[Any], Any]


def _compared(run: Run, name: str, pairs: dict[str, tuple[Ours, Hand]], against: str) -> list[Row]:
    """A row for each pair, both on the loop."""

    def on_loop(hand: Hand) -> Callable[[], Any]:
        return lambda: run(asyncio.to_thread(hand))

    def asked(ours: Ours) -> Callable[[], Any]:
        return lambda: run(ours())

    return [
        compare(f"{name}: {title}", asked(ours), {against: on_loop(hand)}, target=None, runs=5)
        for title, (ours, hand) in pairs.items()
    ]


def _files(run: Run, name: str, path: str, scan: Scan) -> list[Row]:
    repo: XRepo[Any] = run(open(path, model=False, primary_key="id", register=False, progress=False))

    def chosen() -> pl.LazyFrame:
        return scan().filter((pl.col("city") == "city7") & (pl.col("price") > 500))

    def page() -> list[dict[str, Any]]:
        found = chosen().sort("price", descending=True, maintain_order=True).head(100)
        rows, _ = pl.collect_all([found, chosen().select(pl.len())])
        return rows.to_dicts()

    def grouped() -> list[dict[str, Any]]:
        means = scan().filter(pl.col("price") > 500).group_by("city").agg(pl.mean("price"), pl.len())
        return means.sort("price", descending=True).collect().to_dicts()

    pairs: dict[str, tuple[Ours, Hand]] = {
        "read(id)": (
            lambda: repo.read(1_234),
            lambda: scan().filter(pl.col("id") == 1_234).collect().to_dicts(),
        ),
        "list, filtered and sorted, 100 rows": (lambda: repo.list(FILTER, sort="-price"), page),
        "list of 10,000 rows": (
            lambda: repo.list(limit=10_000),
            lambda: scan().head(10_000).collect().to_dicts(),
        ),
        "to_polars, filtered": (lambda: repo.to_polars(FILTER), lambda: chosen().collect()),
        "count": (repo.count, lambda: scan().select(pl.len()).collect().item()),
        "count, filtered": (lambda: repo.count(FILTER), lambda: chosen().select(pl.len()).collect().item()),
        "distinct": (
            lambda: repo.distinct("city"),
            lambda: scan().select(pl.col("city").unique().sort()).collect().to_series().to_list(),
        ),
        "match, group and sort": (lambda: repo.aggregate(GROUPS), grouped),
    }
    assert run(repo.list(FILTER, sort="-price")) == page()
    return _compared(run, name, pairs, "polars")


Ask = Callable[..., list[dict[str, Any]]]


def _database(run: Run, name: str, repo: XRepo[Any], ask: Ask) -> list[Row]:
    """The same questions and writes of a SQLite and a DuckDB database; `ask` does them by hand."""
    ids, more = count(20_000_000), count(40_000_000)

    def page() -> list[dict[str, Any]]:
        ask(f"SELECT count(*) n {WHERE}")
        return ask(PAGE)

    def record(id: int) -> dict[str, Any]:
        return {"id": id, "city": "new", "price": 1.5, "qty": 3, "note": None}

    one = "INSERT INTO sales VALUES (?, ?, ?, ?, ?) RETURNING *"
    pairs: dict[str, tuple[Ours, Hand]] = {
        "read(id)": (lambda: repo.read(1_234), lambda: ask("SELECT * FROM sales WHERE id = ?", 1_234)),
        "list, filtered and sorted, 100 rows": (lambda: repo.list(FILTER, sort="-price"), page),
        "count": (repo.count, lambda: ask("SELECT count(*) n FROM sales")),
        "count, filtered": (lambda: repo.count(FILTER), lambda: ask(f"SELECT count(*) n {WHERE}")),
        "distinct": (
            lambda: repo.distinct("city"),
            lambda: ask("SELECT DISTINCT city FROM sales ORDER BY 1"),
        ),
        "match, group and sort": (lambda: repo.aggregate(GROUPS), lambda: ask(GROUPED)),
        "create": (lambda: repo.create(record(next(ids))), lambda: ask(one, *record(next(more)).values())),
        "update": (
            lambda: repo.update(7, {"qty": next(ids)}),
            lambda: ask("UPDATE sales SET qty = ? WHERE id = ? RETURNING *", next(more), 8),
        ),
    }
    return _compared(run, name, pairs, name.split()[0].lower())


def _sqlite(run: Run, folder: Path, rows: int) -> list[Row]:
    made: list[Row] = []
    for name, index in (("SQLite", ""), ("SQLite with an index", "CREATE INDEX i ON sales (city, price)")):
        path = folder / f"{name}.db"
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute(
            "CREATE TABLE sales (id INTEGER PRIMARY KEY, city TEXT, price REAL, qty INTEGER, note TEXT)"
        )
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", _sales(rows).rows())
        connection.execute("COMMIT")
        connection.execute(index)

        def ask(sql: str, *params: Any, over: sqlite3.Connection = connection) -> list[dict[str, Any]]:
            found = over.execute(sql, params)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        if not index:
            made += _compared(run, name, {"open": (partial(_opened, path), partial(ask, _TYPES))}, "sqlite")
        repo: XRepo[Any] = run(open(path, model=False, register=False, progress=False))
        made += _database(run, name, repo, ask)
        run(repo.resource.close())  # type: ignore[union-attr]
        connection.close()
    return made


_TYPES = "SELECT DISTINCT typeof(id), typeof(city), typeof(price), typeof(qty), typeof(note) FROM sales"


async def _opened(path: Path) -> None:
    repo = await open(path, register=False, progress=False)
    assert repo.resource is not None
    await repo.resource.close()


def _duckdb(run: Run, folder: Path, rows: int) -> list[Row]:
    """By hand in a file of its own: one process opens a file in one way only."""
    paths = [folder / "ours.duckdb", folder / "hand.duckdb"]
    for path in paths:
        with duckdb.connect(path) as connection:
            connection.execute(
                "CREATE TABLE sales "
                "(id BIGINT PRIMARY KEY, city VARCHAR, price DOUBLE, qty BIGINT, note VARCHAR)"
            )
            connection.register("given", _sales(rows).to_arrow())
            connection.execute("INSERT INTO sales SELECT * FROM given")
    repo: XRepo[Any] = run(open(paths[0], model=False, register=False, progress=False))
    with duckdb.connect(paths[1]) as connection:

        def ask(sql: str, *params: Any) -> list[dict[str, Any]]:
            found = connection.cursor().execute(sql, params)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        made = _database(run, "DuckDB", repo, ask)
    run(repo.resource.close())  # type: ignore[union-attr]
    return made
