"""Text that is grouped by again and again is grouped by its codes, with the same answer."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars import encoding
from xrepo_nb.engines.polars.engine import PolarsEngine
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ROWS = 400
FRAME = pl.DataFrame({
    "city": [None if i % 7 == 0 else f"city {i % 5}" for i in range(ROWS)],
    "kind": [f"{'*^$'[i % 3]}" for i in range(ROWS)],
    "unique": [f"u{i}" for i in range(ROWS)],
    "n": range(ROWS),
})  # fmt: skip
SUM = {"total": {"$sum": "$n"}}


@pytest.fixture(autouse=True)
def small_tables_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MANY", ROWS)


def asked(table: Table, *stages: dict[str, Any]) -> list[str]:
    """The columns of which the query used codes."""
    plan = optimize(parse_pipeline(stages, Scan("t")), {"t": table.schema})
    return sorted(encoding.codes_for(plan, {"t": table}).get("t", {}))


def test_codes_are_made_when_a_column_is_grouped_by_again() -> None:
    table = Table(frame=FRAME)
    by_city = {"$group": {"_id": "$city"} | SUM}
    assert asked(table, by_city) == []
    assert asked(table, {"$group": {"_id": {"c": "$city", "k": "$kind"}} | SUM}) == ["city"]
    assert asked(table, {"$match": {"n": {"$gt": 5}}}, {"$group": {"_id": "$kind"} | SUM}) == ["kind"]
    assert asked(Table(frame=FRAME), by_city) == []


@pytest.mark.parametrize(
    "stages",
    [
        [{"$group": {"_id": "$unique"} | SUM}],
        [{"$group": {"_id": "$n"} | SUM}],
        [{"$match": {"city": "city 1"}}, {"$group": {"_id": "$city"} | SUM}],
        [{"$group": {"_id": "$city", "most": {"$max": "$city"}}}],
        [{"$group": {"_id": "$city", "all": {"$push": "$$ROOT"}}}],
        [{"$addFields": {"city": "$kind"}}, {"$group": {"_id": "$city"} | SUM}],
        [{"$unionWith": "t"}, {"$group": {"_id": "$city"} | SUM}],
        [{"$facet": {"a": [{"$group": {"_id": "$city"} | SUM}], "b": [{"$limit": 1}]}}],
    ],
    ids=["nearly unique", "numbers", "filtered by", "aggregated", "whole", "computed", "united", "facet"],
)
def test_other_columns_have_none(stages: list[dict[str, Any]]) -> None:
    table = Table(frame=FRAME)
    assert [asked(table, *stages) for _ in range(3)] == [[], [], []]


@pytest.mark.parametrize(
    "frame",
    [FRAME, FRAME.with_columns(pl.col("city", "kind").cast(pl.Categorical)), FRAME.clear()],
    ids=["text", "categories", "no rows"],
)
@pytest.mark.parametrize(
    "stages",
    [
        [{"$group": {"_id": "$city"} | SUM}],
        [{"$group": {"_id": {"c": "$city", "k": "$kind", "n": {"$mod": ["$n", 2]}}} | SUM}],
        [{"$match": {"n": {"$gt": 100}}}, {"$group": {"_id": "$kind"} | SUM}, {"$match": {"_id": "*"}}],
        [{"$project": {"kind": 1, "n": 1}}, {"$group": {"_id": "$kind", "rows": {"$push": "$n"}}}],
        [{"$group": {"_id": "$city"} | SUM}, {"$set": {"name": {"$toUpper": "$_id"}}}],
        [{"$sortByCount": "$city"}],
        [{"$group": {"_id": {"$toUpper": "$city"}, "kinds": {"$addToSet": "$kind"}}}, {"$unset": "kinds"}],
    ],
    ids=lambda stages: "-".join(next(iter(stage)) for stage in stages),
)
def test_the_answer_stays_the_same(frame: pl.DataFrame, stages: list[dict[str, Any]]) -> None:
    table = Table(frame=frame)
    plan = optimize(parse_pipeline(stages, Scan("t")), {"t": table.schema})
    expected = DocumentEngine().collect(plan, {"t": table}).documents
    for _ in range(3):
        found = PolarsEngine().collect(plan, {"t": table})
        assert sorted(map(str, found.documents)) == sorted(map(str, expected))
        assert found.frame.schema.get("_id") not in (pl.Categorical, pl.Enum)
