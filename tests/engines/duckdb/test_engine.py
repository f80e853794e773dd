"""The DuckDB engine: answers of the document engine, locked, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoQueryError, XRepoUnsupportedError
from xrepo_nb.engines.base import Engine
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.duckdb.engine import DuckDBEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Join, Plan, Scan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

NAN = math.nan
T = datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=UTC)

ORDERS = [
    {"_id": 1, "who": "ann", "n": 3, "x": 1.5, "at": T, "tags": ["a", "b"], "to": {"city": "Rom", "zip": 1}},
    {"_id": 2, "who": "bob", "n": 1, "x": NAN, "tags": [], "to": {"city": "Oslo"}},
    {"_id": 3, "who": "ann", "n": 2, "x": -0.5, "at": T + timedelta(days=40), "to": {"zip": 3}},
    {"_id": 4, "n": 5, "at": T - timedelta(days=400), "tags": ["b"], "to": {"city": "Rom", "zip": 4}},
    {"_id": 5, "who": "bob", "n": 1, "x": math.inf, "tags": ["c", "a", "a"], "to": {"city": "rom", "zip": 1}},
]
PEOPLE = [{"who": "ann", "born": 1980}, {"who": "cat", "born": 1990}, {"who": "ann", "born": 1981}]

OUTPUT = {
    "run": {"$sum": "$n", "window": {"documents": ["unbounded", "current"]}},
    "near": {"$push": "$_id", "window": {"documents": [-1, 1]}},
    "rank": {"$rank": {}},
    "before": {"$shift": {"output": "$n", "by": -1, "default": 0}},
}
PIPELINES: list[list[dict[str, Any]]] = [
    [{"$match": {"x": {"$gt": 0}}}],
    [{"$match": {"x": {"$lte": 1.5}}}],
    [{"$match": {"x": NAN}}],
    [{"$match": {"x": {"$ne": NAN}}}],
    [{"$match": {"$expr": {"$lt": ["$x", 0]}}}],
    [{"$match": {"tags": "a"}}],
    [{"$match": {"tags": {"$nin": ["a"]}}}],
    [{"$match": {"tags": {"$in": [f"{i}" for i in range(99)] + ["c"]}, "n": {"$in": list(range(60))}}}],
    [{"$match": {"tags": ["a", "b"]}}],
    [{"$match": {"tags": {"$size": 0}}}],
    [{"$match": {"tags.0": "c"}}],
    [{"$match": {"tags": {"$elemMatch": {"$gt": "a", "$lt": "c"}}}}],
    [{"$match": {"to.zip": None}}],
    [{"$match": {"to.zip": {"$exists": False}}}],
    [{"$match": {"who": {"$exists": False}}}],
    [{"$sort": {"x": 1, "n": -1}}],
    [{"$sort": {"x": -1}}],
    [{"$sort": {"who": 1}}, {"$skip": 1}, {"$limit": 3}],
    [{"$sort": {"n": 1}}, {"$project": {"_id": 1}}],
    [{"$group": {"_id": "$who", "x": {"$max": "$x"}, "y": {"$min": "$x"}, "s": {"$sum": "$n"}}}],
    [{"$sort": {"n": 1}}, {"$group": {"_id": "$who", "first": {"$first": "$_id"}, "all": {"$push": "$n"}}}],
    [{"$group": {"_id": {"w": "$who", "c": "$to.city"}, "n": {"$sum": 1}, "set": {"$addToSet": "$n"}}}],
    [{"$group": {"_id": None, "a": {"$avg": "$n"}, "d": {"$stdDevPop": "$n"}, "n": {"$count": {}}}}],
    [{"$unwind": "$tags"}, {"$group": {"_id": "$tags", "n": {"$sum": 1}}}],
    [{"$unwind": {"path": "$tags", "includeArrayIndex": "i"}}],
    [{"$addFields": {"to.full": {"$concat": ["$to.city", "!"]}, "m": {"$mod": ["$n", 2]}}}],
    [{"$project": {"y": {"$year": "$at"}, "w": {"$isoWeek": "$at"}}}],
    [{"$project": {"u": {"$week": "$at"}, "d": {"$dayOfWeek": "$at"}}}],
    [{"$project": {"s": {"$dateToString": {"date": "$at"}}}}],
    [{"$project": {"h": {"$hour": {"date": "$at", "timezone": "America/New_York"}}}}],
    [{"$project": {"h": {"$dateToString": {"date": "$at", "timezone": "+05:30", "format": "%H:%M"}}}}],
    [{"$project": {"t": {"$dateTrunc": {"date": "$at", "unit": "hour"}}}}],
    [{"$project": {"next": {"$dateAdd": {"startDate": "$at", "unit": "month", "amount": "$n"}}}}],
    [{"$project": {"u": {"$map": {"input": "$tags", "in": {"$toUpper": "$$this"}}}}}],
    [{"$project": {"k": {"$in": ["a", {"$ifNull": ["$tags", []]}]}}}],
    [{"$project": {"who": 1, "big": {"$cond": [{"$gt": ["$n", 2]}, "$who", "$$REMOVE"]}}}],
    [{"$bucket": {"groupBy": "$n", "boundaries": [0, 2, 4, 6], "output": {"ids": {"$push": "$_id"}}}}],
    [{"$sortByCount": "$who"}, {"$count": "groups"}],
    [{"$setWindowFields": {"partitionBy": "$who", "sortBy": {"n": 1}, "output": OUTPUT}}],
    [{"$lookup": {"from": "people", "localField": "who", "foreignField": "who", "as": "found"}}],
    [{"$unionWith": "people"}, {"$sort": {"who": 1}}],
    [{"$skip": 1}, {"$unionWith": "people"}],
    [{"$facet": {"top": [{"$sort": {"n": -1}}, {"$limit": 2}], "all": [{"$count": "n"}]}}],
]  # fmt: skip


def inputs() -> dict[str, Table]:
    return {"orders": Table(documents=ORDERS), "people": Table(documents=PEOPLE)}


def canonical(table: Table) -> list[str]:
    return [repr(_sorted(row)) for row in table.documents]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _sorted(item)) for name, item in value.items())
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("stages", PIPELINES, ids=str)
def test_it_answers_as_the_document_engine(stages: list[dict[str, Any]]) -> None:
    plan, tables = parse_pipeline(stages, Scan("orders")), inputs()
    assert DuckDBEngine().supports(plan, tables) is None
    found, expected = DuckDBEngine().collect(plan, tables), DocumentEngine().collect(plan, tables)
    if "$group" in str(stages) or "$bucket" in str(stages) or "$sortByCount" in str(stages):
        sets = [sorted(map(_unordered, canonical(table))) for table in (found, expected)]
        assert sets[0] == sets[1]
    else:
        assert canonical(found) == canonical(expected)


def _unordered(row: str) -> str:
    """The row's text without the order of a set's elements."""
    return row if "'set'" not in row else "".join(sorted(row))


def test_a_sample_is_of_the_rows() -> None:
    table = Table(frame=pl.DataFrame({"n": range(1000)}))
    plan = parse_pipeline([{"$sample": {"size": 50}}], Scan("t"))
    found = DuckDBEngine().collect(plan, {"t": table}).frame["n"]
    assert found.n_unique() == 50 and not found.is_sorted()


@pytest.mark.parametrize("how", ["left", "inner", "right", "outer", "semi", "anti"])
def test_joins(how: str) -> None:
    orders = parse_pipeline([{"$project": {"who": 1, "n": 1, "_id": 0}}], Scan("orders"))
    plan = Join(Scan("people"), orders, (("who", "who"),), how)
    tables = inputs()
    found, expected = DuckDBEngine().collect(plan, tables), DocumentEngine().collect(plan, tables)
    assert canonical(found) == canonical(expected)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ({"$add": ["$big", 1]}, float(2**63)),
        ({"$multiply": ["$big", "$big"]}, float((2**63 - 1) ** 2)),
    ],
    ids=str,
)
def test_what_leaves_64_bits_is_answered_exactly(expression: dict[str, Any], answer: float) -> None:
    plan = parse_pipeline([{"$project": {"y": expression}}], Scan("t"))
    table = Table(documents=[{"big": 2**63 - 1}])
    assert list(DuckDBEngine().collect(plan, {"t": table}).documents) == [{"y": answer}]
    streamed = [row for batch in DuckDBEngine().stream(plan, {"t": table}, 10) for row in batch.documents]
    assert streamed == [{"y": answer}]


def test_a_failing_query_fails_as_on_the_document_engine_and_tells_no_values() -> None:
    plan = parse_pipeline([{"$project": {"y": {"$divide": [4711, "$n"]}}}], Scan("t"))
    for engine in (DuckDBEngine(), DocumentEngine()):
        with pytest.raises(XRepoQueryError, match=r"\$divide by zero") as caught:
            engine.collect(plan, {"t": Table(documents=[{"n": 0}])})
        assert "4711" not in str(caught.value)


def test_a_predicate_never_runs_on_rows_that_were_filtered_before() -> None:
    stages = [{"$match": {"secret": False}}, {"$match": {"$expr": {"$gt": [{"$divide": [1, "$n"]}, 0]}}}]
    table = Table(documents=[{"n": i % 3, "secret": i % 3 == 0} for i in range(10_000)])
    plan = parse_pipeline(stages, Scan("t"))
    assert len(DuckDBEngine().collect(plan, {"t": table})) == 6666


def test_mixed_fields_are_declined_only_where_they_are_touched() -> None:
    table = Table(documents=[{"a": 1, "b": 1}, {"a": 2, "b": "x"}])
    engine = DuckDBEngine()
    assert (
        engine.supports(parse_pipeline([{"$match": {"b": 1}}], Scan("t")), {"t": table})
        == "the mixed field 'b'"
    )
    plan = parse_pipeline([{"$match": {"a": 2}}, {"$project": {"a": 1}}], Scan("t"))
    assert list(engine.collect(plan, {"t": table}).documents) == [{"a": 2}]


def test_fields_that_differ_in_case_only() -> None:
    table = Table(documents=[{"a": 1, "A": 2}])
    plan = parse_pipeline([{"$match": {"A": 2}}, {"$addFields": {"B": "$A", "b": "$a"}}], Scan("t"))
    assert list(DuckDBEngine().collect(plan, {"t": table}).documents) == [{"a": 1, "A": 2, "B": 2, "b": 1}]


def test_a_source_whose_name_is_no_identifier_is_declined() -> None:
    plan = parse_pipeline([{"$match": {"a": 1}}], Scan("t\0 1\0"))
    reason = DuckDBEngine().supports(plan, {"t\0 1\0": Table(documents=[{"a": 1}])})
    assert reason == "a source name with a NUL character"


def test_streams_give_the_same_rows_in_batches() -> None:
    table = Table(frame=pl.DataFrame({"n": range(10_000)}))
    plan = parse_pipeline([{"$match": {"n": {"$gte": 10}}}], Scan("t"))
    batches = list(DuckDBEngine().stream(plan, {"t": table}, 1000))
    assert len(batches) > 5 and sum(map(len, batches)) == 9990
    assert batches[0].frame["n"][0] == 10


def test_a_query_that_needs_more_memory_says_so(change_settings: Callable[..., None]) -> None:
    change_settings(memory_limit="20MB")
    table = Table(frame=pl.DataFrame({"n": range(500_000)}))
    plan = parse_pipeline([{"$group": {"_id": None, "all": {"$push": {"$toString": "$n"}}}}], Scan("t"))
    with pytest.raises(XRepoQueryError, match="memory_limit"):
        DuckDBEngine().collect(plan, {"t": table})


def test_changed_settings_hold_for_the_next_query(change_settings: Callable[..., None]) -> None:
    from xrepo_nb.engines.duckdb.session import session

    found = []
    for threads in "1212121212":
        change_settings(threads=threads)
        with session([]) as connection:
            found += connection.execute("SELECT current_setting('threads')::TEXT").fetchone()
    assert "".join(found) == "1212121212"


def test_an_unknown_input_is_refused() -> None:
    with pytest.raises(XRepoUnsupportedError, match="no rows for 't'"):
        DuckDBEngine().collect(Scan("t"), {})


@pytest.fixture
def payments(tmp_path: Path) -> Table:
    path = tmp_path / "payments.parquet"
    frame = pl.DataFrame(
        {"key": [i % 7 for i in range(1000)], "at": [T] * 1000, "x": [i / 2 for i in range(1000)]}
    )
    frame.write_parquet(path)
    return Table(lazy=pl.scan_parquet(path), origin=[path])


def _run(engine: Engine, plan: Plan, table: Table) -> list[str]:
    return sorted(canonical(engine.collect(plan, {"t": table})))


def test_parquet_is_read_by_duckdb_itself(payments: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = parse_pipeline(
        [{"$group": {"_id": "$key", "x": {"$sum": "$x"}, "at": {"$first": "$at"}}}], Scan("t")
    )
    expected = _run(DocumentEngine(), plan, Table(frame=payments.lazy.collect()))

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("Polars reads the file")

    monkeypatch.setattr(pl.LazyFrame, "collect", refuse)
    assert _run(DuckDBEngine(), plan, payments) == expected


def test_only_the_given_files_can_be_read(payments: Table, tmp_path: Path) -> None:
    import duckdb

    from xrepo_nb.engines.duckdb.session import session

    other = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    with session([payments]) as connection:
        assert connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [str(payments.origin[0])]
        ).fetchall() == [(1000,)]
        for statement in (
            f"SELECT * FROM '{other}'",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET memory_limit = '100GB'",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_spilled_files_are_gone_afterwards(tmp_path: Path, change_settings: Callable[..., None]) -> None:
    change_settings(spill_directory=tmp_path, memory_limit="64MB")
    table = Table(frame=pl.DataFrame({"n": range(1_000_000)}))
    stages = [{"$group": {"_id": "$n", "c": {"$sum": 1}}}, {"$sort": {"c": 1, "_id": -1}}, {"$limit": 1}]
    plan = parse_pipeline(stages, Scan("t"))
    assert list(DuckDBEngine().collect(plan, {"t": table}).documents) == [{"_id": 999_999, "c": 1}]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_results_keep_the_kinds_of_their_fields() -> None:
    schema = Schema.of(
        {"fields": {"at": {"type": "datetime"}, "d": {"type": "duration"}, "u": {"type": "uuid"}}}
    )
    frame = pl.DataFrame(
        {"at": [T], "d": [timedelta(seconds=3)], "u": [b"0123456789abcdef"]}, schema=schema.to_polars()
    )
    found = DuckDBEngine().collect(Scan("t"), {"t": Table(frame=frame, schema=schema)})
    assert found.frame.equals(frame) and [f.type.kind for f in found.schema.fields] == [
        "datetime",
        "duration",
        "uuid",
    ]
