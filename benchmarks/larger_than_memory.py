"""Group and join over Parquet of 50M rows with `memory_limit="1GB"`, which the intermediate results
exceed, so that DuckDB spills to disk: the peak memory of the whole process, and its time."""

from __future__ import annotations

import argparse
import tempfile
import time

from benchmarks.timing import Row, peak_mb, table

PEAK = 1500.0
ROWS = 50_000_000

MAKE = """
import sys
import duckdb

folder, rows = sys.argv[1], int(sys.argv[2])
con = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": folder, "threads": 2})
con.execute("SET preserve_insertion_order = false")
con.execute(f'''COPY (SELECT i AS id, (hash(i) % {rows // 5})::BIGINT AS account,
    (hash(i + 1) % 1000000) / 100.0::DOUBLE AS amount, 'note ' || (hash(i + 2) % 100000) AS note
    FROM range({rows}) t(i)) TO '{folder}/payments.parquet' (FORMAT parquet, ROW_GROUP_SIZE 250000)''')
con.execute(f'''COPY (SELECT i AS account, 'region ' || (hash(i) % 50) AS region, 'owner ' || i AS owner
    FROM range({rows // 5}) t(i)) TO '{folder}/accounts.parquet' (FORMAT parquet, ROW_GROUP_SIZE 250000)''')
"""
RUN = """
import os, sys
os.environ["XREPO_MEMORY_LIMIT"], os.environ["XREPO_SPILL_DIRECTORY"] = "1GB", sys.argv[1]
from pathlib import Path
import polars as pl
from xrepo_nb.engines.duckdb.engine import DuckDBEngine
from xrepo_nb.query import plan as p
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.schema.table import Table

def parquet(name):
    path = Path(sys.argv[1]) / f"{name}.parquet"
    return Table(lazy=pl.scan_parquet(path), origin=[path])

inputs = {name: parquet(name) for name in ("payments", "accounts")}
by = sys.argv[2]
start = p.Scan("payments")
if by == "region":
    start = p.Join(start, p.Scan("accounts"), (("account", "account"),), "inner")
plan = parse_pipeline([
    {"$group": {"_id": "$" + by, "total": {"$sum": "$amount"}, "note": {"$max": "$note"}, "n": {"$sum": 1}}},
    {"$sort": {"total": -1, "_id": 1}}, {"$limit": 100},
], start)
found = DuckDBEngine().collect(plan, inputs).documents
assert len(found) == (50 if by == "region" else 100), len(found)
assert len(os.listdir(sys.argv[1])) == 2, "the spill directory is not cleaned up"
"""


def measure(*, quick: bool, rows: int = ROWS) -> list[Row]:
    """The peak and the time of a group by a fifth as many keys, and of a join with their table."""
    rows = min(rows, 1_000_000) if quick else rows
    found = []
    with tempfile.TemporaryDirectory() as folder:
        peak_mb(MAKE, folder, str(rows))
        for by, name in (("account", "group"), ("region", "join and group")):
            began = time.perf_counter()
            peak = peak_mb(RUN, folder, by)
            took = time.perf_counter() - began
            label = f"{name} {rows / 1e6:g}M rows within 1 GB"
            found.append(Row(f"{label}: peak", peak, None, "", PEAK, unit="MB"))
            found.append(Row(f"{label}: time", took, None, "", None, unit="s"))
    return found


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the larger file")
    print(table(measure(quick=False, rows=parser.parse_args().rows)))


if __name__ == "__main__":
    main()
