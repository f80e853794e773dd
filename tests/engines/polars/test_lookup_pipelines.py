"""A `$lookup` by equality whose pipeline treats each row by itself is a join."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars.engine import PolarsEngine
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

LEFT = Table(documents=[{"_id": i, "k": k} for i, k in enumerate([1, 2, 3, 1, None])])
RIGHT = Table(
    documents=[
        {"_id": 10, "k": 1, "n": 5, "s": "a", "o": {"x": 1}},
        {"_id": 11, "k": 1, "n": 7, "s": "b", "o": {"x": 2}},
        {"_id": 12, "k": 2, "n": 9, "s": "c", "o": {"x": 3}},
        {"_id": 13, "k": None, "n": 1, "s": "d", "o": {"x": 4}},
    ]
)
PIPELINES: dict[str, list[dict[str, Any]]] = {
    "without the key": [{"$unset": "k"}],
    "only some": [{"$project": {"_id": 0, "n": 1}}],
    "with the key": [{"$project": {"k": 1, "n": 1}}],
    "computed": [{"$project": {"_id": 0, "twice": {"$multiply": ["$n", 2]}}}],
    "key changed": [{"$set": {"k": {"$add": ["$n", 100]}}}],
    "key renamed": [{"$set": {"other": "$k"}}, {"$unset": ["k", "s"]}],
    "filtered": [{"$match": {"n": {"$gt": 5}}}, {"$project": {"k": 0, "o": 0}}],
    "filtered by what was computed": [{"$set": {"m": {"$add": ["$n", 1]}}}, {"$match": {"m": {"$lt": 9}}}],
    "nested": [{"$set": {"o.y": "$n"}}, {"$unset": "o.x"}],
    "key gone, then asked": [{"$unset": "k"}, {"$match": {"k": {"$exists": False}}}],
}
ENDS: dict[str, list[dict[str, Any]]] = {
    "array": [],
    "one by one": [{"$unwind": "$r"}],
    "kept": [{"$unwind": {"path": "$r", "preserveNullAndEmptyArrays": True}}],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", PIPELINES)
def test_it_is_joined_with_the_same_answer(name: str, end: str) -> None:
    lookup = {"from": "right", "localField": "k", "foreignField": "k", "as": "r", "pipeline": PIPELINES[name]}
    tables = {key: Table(frame=table.frame, schema=table.schema) for key, table in
              (("left", LEFT), ("right", RIGHT))}  # fmt: skip
    parsed = parse_pipeline([{"$lookup": lookup}, *ENDS[end]], Scan("left"))
    for plan in (parsed, optimize(parsed, {key: table.schema for key, table in tables.items()})):
        assert PolarsEngine().supports(plan, tables) is None
        expected = DocumentEngine().collect(plan, tables).documents
        assert list(PolarsEngine().collect(plan, tables).documents) == list(expected)


@pytest.mark.parametrize(
    "pipeline",
    [[{"$limit": 1}], [{"$sort": {"n": 1}}], [{"$group": {"_id": None}}], [{"$set": {"a": "$$ROOT"}}]],
)
def test_what_depends_on_the_rows_found_is_not(pipeline: list[dict[str, Any]]) -> None:
    lookup = {"from": "right", "localField": "k", "foreignField": "k", "as": "r", "pipeline": pipeline}
    plan = parse_pipeline([{"$lookup": lookup}], Scan("left"))
    tables = {"left": Table(frame=LEFT.frame), "right": Table(frame=RIGHT.frame)}
    assert PolarsEngine().supports(plan, tables) is not None
