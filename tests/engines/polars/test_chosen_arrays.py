"""Computed arrays under accumulators that choose some of them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.polars.engine import PolarsEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table


@pytest.mark.parametrize(("op", "expected"), [("$first", [2.5, 1.5]), ("$last", [9.0, 3.0])])
def test_the_chosen_array_is_whole(op: str, expected: list[float]) -> None:
    rows = {"rows": Table(frame=pl.DataFrame({"k": [1, 1], "l": [[1.5, 2.5], [3.0, 9.0]]}))}
    stage = {"$group": {"_id": "$k", "found": {op: {"$reverseArray": "$l"}}}}
    plan = parse_pipeline([stage], Scan("rows"))
    assert PolarsEngine().supports(plan, rows) is None
    assert PolarsEngine().collect(plan, rows).documents == [{"_id": 1, "found": expected}]


LISTS = [{"_id": 1, "s": [[1], [2]], "l": [1, 2], "o": [{"x": 1}, {"x": 0}]},
         {"_id": 2, "s": [[3]], "l": [4, 5, 6], "o": [{"x": 5}, {"x": 6}, {"x": 7}]}]  # fmt: skip
COMPUTED = [
    {"$map": {"input": "$l", "in": {"$add": ["$$this", 1]}}},
    {"$map": {"input": "$l", "in": {"x": "$$this"}}},
    {"$map": {"input": "$o", "in": "$$this.x"}},
    {"$concatArrays": [{"$map": {"input": "$l", "in": {"$toString": "$$this"}}}, ["z"]]},
    {"$size": {"$map": {"input": "$l", "in": {"$add": ["$$this", 1]}}}},
    {"a": {"$map": {"input": "$o", "in": {"y": "$$this.x"}}}},
    {"$in": [5, "$l"]},
    {"$in": [6, "$o.x"]},
    {"q": ["$l", "$l"]},
    "$o.x",
]


@pytest.mark.parametrize("expression", COMPUTED, ids=str)
@pytest.mark.parametrize("op", ["$first", "$last", "$firstN", "$lastN", "$topN", "$bottom"])
@pytest.mark.parametrize("windowed", [False, True])
def test_chosen_arrays_are_computed_whole(expression: Any, op: str, windowed: bool) -> None:
    named = {"output": expression, "sortBy": {"_id": 1}} if op[1] in "tb" else {"input": expression}
    chosen = {op: expression if op in ("$first", "$last") else named | ({"n": 1} if op[-1] == "N" else {})}
    stage: dict[str, Any] = {"$group": {"_id": None, "found": chosen}}
    if windowed:
        around = {**chosen, "window": {"documents": [-1, 0]}}
        stage = {"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"found": around}}}
    plan, rows = (
        parse_pipeline([stage, {"$project": {"found": 1}}], Scan("rows")),
        {"rows": Table(documents=LISTS)},
    )
    expected = DocumentEngine().collect(plan, rows).documents
    assert PolarsEngine().supports(plan, rows) is None
    assert PolarsEngine().collect(plan, rows).documents == expected
