"""Means of ints whose sum no double holds: exact on every engine, also of computed and lazy columns."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

LARGE = pl.DataFrame({"k": [1, 1], "n": [2**63 - 1, -(2**63)]})
BOTH = {"a": {"$avg": "$n"}, "s": {"$sum": "$n"}, "d": {"$stdDevPop": "$n"}}
RUNNING = {"window": {"documents": [-1, 0]}}


@pytest.mark.parametrize(
    "stage",
    [
        {"$group": {"_id": "$k", **BOTH}},
        {"$bucket": {"groupBy": "$k", "boundaries": [0, 5], "output": BOTH}},
        {"$setWindowFields": {"sortBy": {"n": 1}, "output": BOTH}},
        {"$setWindowFields": {"sortBy": {"n": 1}, "output": {k: {**v, **RUNNING} for k, v in BOTH.items()}}},
    ],
)
def test_means_of_ints_that_no_double_holds(stage: dict[str, Any]) -> None:
    plan, inputs = parse_pipeline([stage], Scan("t")), {"t": Table(frame=LARGE)}
    exact = get_engine("document").collect(plan, inputs).documents
    for engine in ("polars", "duckdb"):
        assert get_engine(engine).collect(plan, inputs).documents == exact


CHANCE = random.Random(7)
RANGES = {
    "below": (2**52, 2**53),
    "beyond": (2**61, 2**62),
    "of both signs": (-(2**62), 2**62),
    "small": (0, 9),
}
SORT = {"$sort": {"_id": 1}}
PLUS = {"$add": ["$n", 1]}
MEANS: dict[str, list[dict[str, Any]]] = {
    "group": [{"$group": {"_id": "$k", "a": {"$avg": "$n"}}}, SORT],
    "computed": [{"$group": {"_id": "$k", "a": {"$avg": PLUS}}}, SORT],
    "computed before": [{"$set": {"n": PLUS}}, {"$group": {"_id": "$k", "a": {"$avg": "$n"}}}, SORT],
    "partitions": [{"$setWindowFields": {"partitionBy": "$k", "output": {"a": {"$avg": PLUS}}}}],
    "running": [{"$setWindowFields": {
        "sortBy": {"i": 1}, "output": {"a": {"$avg": "$n", "window": {"documents": ["unbounded", 0]}}}
    }}],
    "arrays": [
        {"$group": {"_id": "$k", "l": {"$push": "$n"}}}, {"$project": {"a": {"$avg": "$l"}}}, SORT
    ],
}  # fmt: skip


@pytest.mark.parametrize("stages", MEANS)
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("lazy", [False, True])
def test_means_are_exact(stages: str, range_: str, lazy: bool) -> None:
    rows = {
        "i": range(2001),
        "k": [i % 3 for i in range(2001)],
        "n": [CHANCE.randint(*RANGES[range_]) for _ in range(2001)],
    }
    frame = pl.DataFrame(rows)
    plan, table = parse_pipeline(MEANS[stages], Scan("t")), Table(frame=frame)
    exact = get_engine("document").collect(plan, {"t": table}).documents
    given = Table(lazy=frame.lazy()) if lazy else table
    found = get_engine("polars").collect(plan, {"t": given}).documents
    assert found == exact
    if stages == "group":
        assert exact[0]["a"] == sum(rows["n"][::3]) / 667


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("op", ["$stdDevPop", "$stdDevSamp"])
def test_the_deviation_of_ints_that_no_double_tells_apart(engine: str, op: str) -> None:
    frame = pl.DataFrame({"k": [1, 1, 1], "n": [2**62, 2**62 + 2048, 2**62 + 6144]})
    plan = parse_pipeline([{"$group": {"_id": "$k", "d": {op: "$n"}}}], Scan("t"))
    inputs = {"t": Table(frame=frame)}
    exact = get_engine("document").collect(plan, inputs).documents
    assert exact[0]["d"] > 2000
    assert get_engine(engine).collect(plan, inputs).documents == exact
