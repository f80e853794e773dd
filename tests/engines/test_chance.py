"""`$rand` is drawn for every row, on every engine."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.select import get_engine, ready
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ROWS = {"rows": Table(frame=pl.DataFrame({"k": range(200)}))}
HALF = {"$lt": [{"$rand": {}}, 0.5]}


@pytest.mark.parametrize("engine", ["auto", "polars", "duckdb", "document"])
@pytest.mark.parametrize(
    "stages",
    [
        [{"$group": {"_id": HALF, "n": {"$sum": 1}}}],
        [{"$group": {"_id": {"half": HALF}, "n": {"$sum": 1}}}],
        [{"$set": {"half": HALF}}, {"$group": {"_id": "$half", "n": {"$sum": 1}}}],
        [{"$bucket": {"groupBy": {"$rand": {}}, "boundaries": [0, 0.5, 1], "output": {"n": {"$sum": 1}}}}],
    ],
)
def test_chance_tells_apart_the_rows_that_are_grouped(engine: str, stages: list[dict[str, Any]]) -> None:
    plan = parse_pipeline(stages, Scan("rows"))
    if engine != "auto" and get_engine(engine).supports(plan, ROWS) is not None:
        pytest.skip("this engine leaves it to another")
    found = ready(plan, ROWS, engine).collect().documents
    assert len(found) == 2
    assert sum(row["n"] for row in found) == 200
