"""A window may hold no row: what an accumulator finds there is null, also to the stages behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ROWS = [{"_id": i, "g": i % 2, "n": (i * 7) % 5, "s": "abc"[i % 3]} for i in range(5)]

ACCUMULATORS: list[dict[str, Any]] = [
    {"$first": "$n"},
    {"$last": "$s"},
    {"$min": "$n"},
    {"$max": "$s"},
    {"$avg": "$n"},
    {"$sum": "$n"},
    {"$count": {}},
    {"$push": "$n"},
    {"$stdDevPop": "$n"},
    {"$top": {"sortBy": {"n": 1}, "output": "$s"}},
    {"$bottom": {"sortBy": {"n": 1}, "output": "$n"}},
    {"$median": {"input": "$n", "method": "approximate"}},
]
WINDOWS: list[dict[str, Any]] = [
    {"documents": ["unbounded", -1]},
    {"documents": [1, 2]},
    {"range": [-3, -1]},
    {"range": [1, "unbounded"]},
]
BEHIND: list[dict[str, Any]] = [
    {"$set": {"z": {"$ifNull": ["$w", "none"]}}},
    {"$set": {"z": {"$type": "$w"}}},
    {"$match": {"w": None}},
    {"$match": {"w": {"$ne": None}}},
    {"$unionWith": "nothing"},
]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("accumulator", ACCUMULATORS, ids=lambda given: next(iter(given)))
def test_engines_agree_about_windows_without_rows(engine: str, accumulator: dict[str, Any]) -> None:
    for window in WINDOWS:
        for stage in BEHIND:
            output = {"w": {**accumulator, "window": window}}
            made = {"$setWindowFields": {"partitionBy": "$g", "sortBy": {"_id": 1}, "output": output}}
            plan = parse_pipeline([made, stage, {"$sort": {"_id": 1}}], Scan("rows"))
            tables = {"rows": Table(documents=ROWS), "nothing": Table(documents=[])}
            inputs = {name: tables[name] for name in plan.sources()}
            if get_engine(engine).supports(plan, inputs) is None:
                expected = list(DocumentEngine().collect(plan, inputs).documents)
                assert list(get_engine(engine).collect(plan, inputs).documents) == expected, (window, stage)


def test_polars_takes_such_windows() -> None:
    output = {"w": {"$first": "$n", "window": {"documents": ["unbounded", -1]}}}
    plan = parse_pipeline([{"$setWindowFields": {"sortBy": {"_id": 1}, "output": output}}], Scan("rows"))
    assert get_engine("polars").supports(plan, {"rows": Table(documents=ROWS)}) is None


@pytest.mark.parametrize("unit", ["millisecond", "second", "minute", "week"])
@pytest.mark.parametrize("bounds", [["unbounded", -1], ["unbounded", 2], [0, "unbounded"], [1, "unbounded"]])
def test_windows_without_a_bound_reach_as_far_as_the_dates(unit: str, bounds: list[Any]) -> None:
    rows = [{"_id": i, "d": datetime(1 + 1111 * i, 6, 1, tzinfo=UTC), "n": i} for i in range(9)]
    output = {"w": {"$sum": "$n", "window": {"range": bounds, "unit": unit}}}
    plan = parse_pipeline([{"$setWindowFields": {"sortBy": {"d": 1}, "output": output}}], Scan("rows"))
    inputs = {"rows": Table(documents=rows)}
    expected = [row["w"] for row in DocumentEngine().collect(plan, inputs).documents]
    assert max(expected) >= 28
    for engine in ("polars", "duckdb"):
        if get_engine(engine).supports(plan, inputs) is None:
            assert [row["w"] for row in get_engine(engine).collect(plan, inputs).documents] == expected
