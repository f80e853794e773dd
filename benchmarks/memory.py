"""A Parquet file of 10M rows, filtered and aggregated: the peak memory of the whole process, the
interpreter and the libraries included; and the same query written by hand in streaming Polars."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.timing import Row, peak_mb

TARGET = 500.0

MAKE = """
import sys
import polars as pl
n = pl.int_range(int(sys.argv[2]), eager=False)
pl.select(
    id=n,
    carrier=pl.lit("carrier ") + (n.hash(1) % 1000).cast(pl.String),
    delay=(n.hash(2) % 100_003).cast(pl.Float64) / 1000 - 20,
    distance=(n.hash(3) % 4999).cast(pl.Int64),
).lazy().sink_parquet(sys.argv[1], row_group_size=250_000)
"""
OURS = """
import asyncio, sys
import xrepo_nb as xr

async def main():
    flights = await xr.open(sys.argv[1])
    found = await flights.aggregate([
        {"$match": {"delay": {"$gt": 0}}},
        {"$group": {"_id": "$carrier", "delay": {"$avg": "$delay"}, "far": {"$max": "$distance"},
                    "n": {"$sum": 1}}},
        {"$sort": {"delay": -1}},
    ])
    assert len(found) == 1000

asyncio.run(main())
"""
THEIRS = """
import sys
import polars as pl

found = (
    pl.scan_parquet(sys.argv[1]).filter(pl.col("delay") > 0).group_by("carrier")
    .agg(pl.mean("delay"), far=pl.max("distance"), n=pl.len()).sort("delay", descending=True)
    .collect(engine="streaming").to_dicts()
)
assert len(found) == 1000
"""


def measure(*, quick: bool) -> list[Row]:
    """The peak of ours, and of the query by hand."""
    rows = 1_000_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "flights.parquet")
        peak_mb(MAKE, path, str(rows))
        ours, theirs = peak_mb(OURS, path), peak_mb(THEIRS, path)
    name = f"filter and group {rows // 1_000_000}M rows of Parquet"
    return [
        Row(f"{name}: peak", ours, None, "", TARGET, unit="MB"),
        Row(f"{name}: peak against Polars", ours, theirs, "Polars, streaming", None, unit="MB"),
    ]
