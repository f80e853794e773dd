"""A file larger than one wants in memory is filtered and aggregated in little of it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.memory import MAKE, TARGET
from benchmarks.timing import peak_mb

PROGRAM = """
import asyncio, sys
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.resources.factory import resource_for

PIPELINE = [
    {"$match": {"delay": {"$gt": 0}}},
    {"$group": {"_id": "$carrier", "delay": {"$avg": "$delay"}, "n": {"$sum": 1}}},
]

async def main():
    request = ScanRequest(parse_pipeline(PIPELINE, Scan("flights")))
    scan = resource_for(sys.argv[1]).resource.scan(None, request)
    assert len([document async for batch in scan for document in batch.documents]) == 1000

asyncio.run(main())
"""


def test_ten_million_rows_of_parquet(tmp_path: Path) -> None:
    path = str(tmp_path / "flights.parquet")
    peak_mb(MAKE, path, "10_000_000")
    assert peak_mb(PROGRAM, path) < TARGET
