"""Which engine runs a plan, and what explain tells of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoUnsupportedError
from xrepo_nb.engines.explain import explain_plan
from xrepo_nb.engines.polars import PolarsEngine
from xrepo_nb.engines.polars.running import MANY, how_to_run
from xrepo_nb.engines.select import FEW_DOCUMENTS, choose, engine_names
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

SORT = parse_pipeline([{"$sort": {"a": 1}}], Scan("t"))
FRAME = Table(frame=pl.DataFrame({"a": [2, 1]}))


def documents(count: int, **extra: Any) -> Table:
    return Table(documents=[{"a": i} for i in range(count)] + ([extra] if extra else []))


def test_auto_chooses_by_size_and_types() -> None:
    assert choose(SORT, {"t": FRAME}).name == "polars"
    assert choose(SORT, {"t": documents(3)}).name == "document"
    assert choose(SORT, {"t": documents(FEW_DOCUMENTS + 1)}).name == "polars"
    assert choose(SORT, {"t": documents(FEW_DOCUMENTS + 1, a="text")}).name == "document"


def test_files_larger_than_the_memory_limit_go_to_duckdb(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xrepo_nb.engines import select

    path = tmp_path / "t.parquet"
    FRAME.frame.write_parquet(path)
    inputs = {"t": Table(lazy=pl.scan_parquet(path), origin=[path])}
    assert choose(SORT, inputs).name == "polars"
    monkeypatch.setattr(select, "UNPACKED", 10**12)
    assert choose(SORT, inputs).name == "duckdb"


def test_an_engine_by_name() -> None:
    assert choose(SORT, {"t": FRAME}, "document").name == "document"
    with pytest.raises(XRepoConfigurationError, match="did you mean 'polars'"):
        choose(SORT, {"t": FRAME}, "polar")
    with pytest.raises(XRepoUnsupportedError, match="mixed"):
        choose(SORT, {"t": documents(1, a="text")}, "polars")
    assert engine_names()[0] == "auto"


def test_explain_tells_stages_engine_and_what_is_interpreted() -> None:
    pipeline = [{"$match": {"a": {"$gt": 1}}}, {"$project": {"b": {"$log": ["$a", 2]}}}]
    tree = explain_plan(parse_pipeline(pipeline, Scan("t")), {"t": FRAME})
    assert [node.stage for node in tree.walk()] == [
        "$project {b: {$log: ['$a', 2]}}",
        "$match {a: {$gt: 1}}",
        "scan t",
    ]
    assert {node.engine for node in tree.walk()} == {"polars"}
    assert "$log runs in the interpreter" in str(tree)
    assert tree.rows is None


def test_explain_analyze_measures_each_stage() -> None:
    pipeline = [{"$match": {"a": {"$gt": 1}}}, {"$limit": 5}]
    tree = explain_plan(parse_pipeline(pipeline, Scan("t")), {"t": FRAME}, analyze=True)
    assert [node.rows for node in tree.walk()] == [1, 1, 2]
    assert all(node.milliseconds is not None for node in tree.walk())


def test_explanations_take_what_other_layers_know() -> None:
    tree = explain_plan(SORT, {"t": FRAME}).annotated(
        {"scan t": {"pushed": True, "native": "SELECT a FROM t"}}
    )
    assert "pushed down" in str(tree)


HOW: list[tuple[list[dict[str, Any]], str]] = [
    ([{"$match": {"a": 1}}], "in-memory"),
    ([{"$sort": {"a": 1}}, {"$limit": 3}], "in-memory"),
    ([{"$group": {"_id": "$a", "n": {"$sum": 1}}}], "streaming"),
    ([{"$group": {"_id": "$a", "n": {"$push": "$a"}}}], "in-memory"),
    ([{"$lookup": {"from": "t", "localField": "a", "foreignField": "a", "as": "r"}}], "in-memory"),
]


@pytest.mark.parametrize(("pipeline", "how"), HOW, ids=str)
def test_large_plans_stream_where_that_is_faster(pipeline: list[dict[str, Any]], how: str) -> None:
    plan = parse_pipeline(pipeline, Scan("t"))
    assert how_to_run(plan, {"t": FRAME}) == "in-memory"
    assert how_to_run(plan, {"t": Table(frame=pl.DataFrame({"a": range(MANY)}))}) == how


def test_a_streamed_sort_is_stable() -> None:
    rows = pl.DataFrame({"i": range(MANY)}).with_columns(a=pl.col("i") % 3)
    plan = parse_pipeline([{"$sort": {"a": -1}}, {"$limit": 20_000}], Scan("t"))
    got = choose(plan, {"t": Table(frame=rows)}).collect(plan, {"t": Table(frame=rows)}).frame
    assert got.equals(rows.sort("a", descending=True, maintain_order=True).head(20_000))


def test_the_native_plan_of_a_query_is_the_same_each_time() -> None:
    plan = parse_pipeline([{"$match": {"k": {"$gt": 1}}}, {"$sort": {"v": 1}}, {"$limit": 2}], Scan("rows"))
    rows = {"rows": Table(lazy=pl.LazyFrame({"k": [1, 2, 3], "v": [3, 2, 1]}))}
    first, again = (PolarsEngine().native(plan, rows) for _ in range(2))
    assert "SORT" in first
    assert first == again
