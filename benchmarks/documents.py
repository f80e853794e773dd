"""`$match` and `$group`: over 1M typed documents in a frame, against the same query written in Polars;
over 100k raw documents in the interpreter, against a plain Python loop."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import polars as pl

from benchmarks.timing import Row, compare
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.repos.materialized import MaterializedRepo
from xrepo_nb.schema.table import Table

PIPELINE: list[dict[str, Any]] = [
    {"$match": {"status": "active", "age": {"$gte": 30}}},
    {"$group": {"_id": "$city", "n": {"$sum": 1}, "spent": {"$sum": "$spent"}, "age": {"$avg": "$age"}}},
]


def measure(*, quick: bool) -> list[Row]:
    """Both figures; documents are made from a fixed seed."""
    return [_typed(100_000 if quick else 1_000_000), _raw(10_000 if quick else 100_000)]


def _documents(n: int) -> list[dict[str, Any]]:
    rng = random.Random(7)
    cities = [f"city{i}" for i in range(50)]
    status = ["active", "idle", "gone"]
    return [
        {"_id": i, "city": rng.choice(cities), "status": rng.choice(status), "age": rng.randrange(18, 90),
         "spent": rng.random() * 100}
        for i in range(n)
    ]  # fmt: skip


def _typed(n: int) -> Row:
    frame = pl.DataFrame(_documents(n))
    repo = MaterializedRepo(None, frame)
    loop = asyncio.new_event_loop()

    def ours() -> Any:
        return loop.run_until_complete(repo.aggregate(PIPELINE))

    def by_hand() -> Any:
        active = frame.lazy().filter((pl.col("status") == "active") & (pl.col("age") >= 30))
        grouped = active.group_by("city").agg(pl.len().alias("n"), pl.sum("spent"), pl.mean("age"))
        return grouped.collect().to_dicts()

    return compare(f"match and group, {n:,} typed documents", ours, {"polars": by_hand}, target=1.15, runs=15)


def _raw(n: int) -> Row:
    documents = _documents(n)
    plan = parse_pipeline(PIPELINE, Scan("people"))
    tables = {"people": Table(documents=documents)}
    engine = DocumentEngine()

    def ours() -> Any:
        return engine.collect(plan, tables).documents

    def by_hand() -> Any:
        groups: dict[str, list[Any]] = {}
        for row in documents:
            if row.get("status") == "active" and row.get("age", 0) >= 30:
                found = groups.setdefault(row["city"], [0, 0.0, 0])
                found[0] += 1
                found[1] += row["spent"]
                found[2] += row["age"]
        return [{"_id": k, "n": n, "spent": s, "age": a / n} for k, (n, s, a) in groups.items()]

    return compare(f"interpreter, {n:,} raw documents", ours, {"python loop": by_hand}, target=4.0)
