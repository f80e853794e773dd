"""What a query costs before any row is read: parsing, checking, optimising and lowering, per call."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import polars as pl

from benchmarks.timing import Row
from xrepo_nb.engines.polars import lower
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Match, Plan, Scan
from xrepo_nb.query.rules.joins import Schemas
from xrepo_nb.schema.table import Table

WARM = 200
"""Calls before those that count: caches fill, and the processor's clock rises."""

FILTER = {"origin": "JFK", "dep_delay": {"$gt": 60}}
PIPELINE: list[dict[str, Any]] = [
    {"$match": {"origin": {"$in": ["JFK", "LGA"]}, "dep_delay": {"$ne": None}}},
    {"$addFields": {"late": {"$subtract": ["$arr_delay", "$dep_delay"]}}},
    {"$match": {"late": {"$gt": 0}}},
    {
        "$group": {
            "_id": {"carrier": "$carrier", "month": "$month"},
            "late": {"$avg": "$late"},
            "n": {"$sum": 1},
        }
    },
    {"$match": {"n": {"$gte": 10}}},
    {"$sort": {"late": -1, "n": 1}},
    {"$skip": 5},
    {"$limit": 20},
    {"$project": {"_id": 0, "carrier": "$_id.carrier", "late": 1, "n": 1}},
    {"$set": {"late": {"$round": ["$late", 1]}}},
]


def measure(*, quick: bool) -> list[Row]:
    """Medians over many calls, in milliseconds; polars' own cost of building the frame is in them."""
    runs = 50 if quick else 1000
    schema = dict.fromkeys(("month", "dep_delay", "arr_delay"), pl.Int64)
    frame = pl.DataFrame(schema=schema | {"origin": pl.String, "carrier": pl.String})
    table = {"flights": Table(frame=frame)}
    schemas = {"flights": table["flights"].schema}

    parses: dict[str, tuple[Callable[[], Plan], float]] = {
        "simple filter": (lambda: Match(Scan("flights"), parse_filter(FILTER)), 0.1),
        "ten-stage pipeline": (lambda: parse_pipeline(PIPELINE, Scan("flights")), 0.3),
    }
    rows = []
    for name, (parse, target) in parses.items():
        rows += [
            _row(f"{name}: parse and lower", partial(_lowered, parse, table), runs, target),
            _row(f"{name}: parse, optimise and lower", partial(_lowered, parse, table, schemas), runs),
            _row(f"{name}: parse alone", parse, runs),
        ]
    return rows


def _lowered(parse: Callable[[], Plan], table: dict[str, Table], schemas: Schemas | None = None) -> Any:
    plan = parse()
    return lower(plan if schemas is None else optimize(plan, schemas), table)


def _row(name: str, call: Callable[[], Any], runs: int, target: float | None = None) -> Row:
    times = []
    for _ in range(runs + WARM):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return Row(name, median(times[WARM:]), None, "", target)
