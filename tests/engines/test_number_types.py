"""Whether a computed number is int, long or double: engines tell it exactly, or do not say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.select import choose, get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ROWS = [
    {
        "_id": 1,
        "n": 1,
        "f": 0.5,
        "d": datetime(2024, 1, 1, tzinfo=UTC),
        "l": [1, 2],
        "b": True,
        "o": {"x": 1},
    },
    {
        "_id": 2,
        "n": 2**40,
        "f": 2.0,
        "d": datetime(2024, 1, 3, tzinfo=UTC),
        "l": [3],
        "b": False,
        "o": {"x": 2},
    },
]
COMPUTED: list[Any] = [
    {"$toLong": "$n"},
    {"$subtract": ["$d", datetime(2024, 1, 1, tzinfo=UTC)]},
    {"$dateDiff": {"startDate": "$d", "endDate": datetime(2025, 1, 1, tzinfo=UTC), "unit": "day"}},
    {"$cond": ["$b", "$n", "$f"]},
    {"$ifNull": ["$no", "$n"]},
    {"$max": ["$n", "$f"]},
    {"$mod": ["$n", 2]},
    {"$pow": ["$n", 1]},
    {"$subtract": ["$n", 2**40]},
    {"$arrayElemAt": ["$l", 0]},
    {"$size": "$l"},
]
ASKING: list[list[Any]] = [
    [{"$project": {"t": {"$type": "$w"}}}],
    [{"$match": {"w": {"$type": "int"}}}, {"$project": {"_id": 1}}],
    [{"$match": {"w": {"$type": ["double", "string"]}}}, {"$project": {"_id": 1}}],
    [{"$match": {"w": {"$not": {"$type": "long"}}}}, {"$project": {"_id": 1}}],
    [{"$project": {"size": {"$bsonSize": {"w": "$w"}}}}],
]


def _table() -> Table:
    made = Table(documents=ROWS)
    return Table(frame=made.frame, schema=made.schema)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("expression", COMPUTED, ids=lambda given: next(iter(given)))
def test_of_computed_numbers(engine: str, expression: Any) -> None:
    pipelines = [[{"$project": {"w": expression}}, *stages] for stages in ASKING]
    pipelines.append([{"$project": {"t": {"$type": expression}}}])
    for pipeline in pipelines:
        plan = parse_pipeline(pipeline, Scan("t"))
        if get_engine(engine).supports(plan, {"t": _table()}) is None:
            expected = list(DocumentEngine().collect(plan, {"t": _table()}).documents)
            assert list(get_engine(engine).collect(plan, {"t": _table()}).documents) == expected, pipeline


@pytest.mark.parametrize(
    "stage",
    [
        {"$project": {"t": {"$type": "$n"}}},
        {"$project": {"t": {"$type": "$o.x"}}},
        {"$match": {"n": {"$type": "long"}}},
        {"$match": {"o.x": {"$type": "int"}}},
        {"$match": {"l": {"$type": "int"}}},
        {"$match": {"f": {"$type": "double"}}},
    ],
    ids=str,
)
def test_of_stored_numbers_is_told_by_the_columns(stage: Any) -> None:
    plan = parse_pipeline([{"$set": {"other": {"$add": ["$n", 1]}}}, stage], Scan("t"))
    table = _table()
    assert choose(plan, {"t": table}).name == "polars"
    found = [row["_id"] for row in get_engine("polars").collect(plan, {"t": table}).documents]
    assert found == [row["_id"] for row in DocumentEngine().collect(plan, {"t": table}).documents]
    assert get_engine("duckdb").supports(plan, {"t": table}) is None
