"""What each query gives: one line, one query, its answer. All lines run without the interpreter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.polars import PolarsEngine, lower
from xrepo_nb.engines.typed.reasons import Unsupported
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Join, Match, Scan
from xrepo_nb.schema.table import Table

DAY = datetime(2024, 2, 29, 23, 30, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "_id": 1,
        "n": 5,
        "f": 1.5,
        "s": "apple",
        "d": DAY,
        "l": [1, 2],
        "o": {"x": 1},
        "r": [{"y": 1}, {"y": 2}],
    },
    {"_id": 2, "f": float("nan"), "s": "Pear", "d": DAY, "l": [], "o": {"x": 2, "z": "a"}, "r": []},
    {"_id": 3, "n": -2, "f": 2.5, "s": None, "d": DAY, "l": [None, 3], "o": {}, "r": [{}]},
]
ENGINE = PolarsEngine()
SCAN = Scan("t")


def run(pipeline: list[dict[str, Any]], rows: list[dict[str, Any]] = ROWS) -> list[dict[str, Any]]:
    inputs = {"t": Table(documents=rows)}
    plan = parse_pipeline(pipeline, SCAN)
    assert ENGINE.supports(plan, inputs) is None
    return list(ENGINE.collect(plan, inputs).documents)


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"n": 5}, [1]),
    ({"n": 5.0}, [1]),
    ({"n": {"$gt": -2.5}}, [1, 3]),
    ({"n": {"$lt": 2**70}}, [1, 3]),
    ({"n": {"$gt": "3"}}, []),
    ({"n": None}, [2]),
    ({"s": None}, [3]),
    ({"n": {"$ne": 5}}, [2, 3]),
    ({"n": {"$exists": False}}, [2]),
    ({"s": {"$exists": True}}, [1, 2, 3]),
    ({"s": {"$type": "null"}}, [3]),
    ({"f": {"$gt": 1}}, [1, 3]),
    ({"f": {"$gte": float("nan")}}, [2]),
    ({"f": {"$not": {"$gt": 2}}}, [1, 2]),
    ({"l": 3}, [3]),
    ({"l": None}, [3]),
    ({"l": {"$size": 0}}, [2]),
    ({"l": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, [1]),
    ({"l": {"$all": [1, 2]}}, [1]),
    ({"l.1": 2}, [1]),
    ({"o.x": 2}, [2]),
    ({"o.z": {"$exists": True}}, [2]),
    ({"o.x": None}, [3]),
    ({"r.y": 2}, [1]),
    ({"r.y": None}, [3]),
    ({"r": {"$elemMatch": {"y": {"$gte": 2}}}}, [1]),
    ({"s": {"$in": ["apple", None]}}, [1, 3]),
    ({"s": {"$regex": "^ap"}}, [1]),
    ({"s": {"$regex": "p[a-z]+r?$"}}, [1]),
    ({"s": {"$regex": "PEAR", "$options": "i"}}, [2]),
    ({"$or": [{"n": 5}, {"f": 2.5}]}, [1, 3]),
    ({"$nor": [{"n": 5}, {"f": 2.5}]}, [2]),
    ({"n": {"$mod": [7, 5]}}, [1]),
    ({"n": {"$bitsAllSet": 5}}, [1]),
    ({"$expr": {"$gt": ["$f", "$n"]}}, [2, 3]),
    ({"$expr": {"$lt": ["$f", 2]}}, [1, 2]),
    ({"$expr": {"$eq": ["$n", None]}}, []),
]


@pytest.mark.parametrize(("given", "ids"), FILTERS, ids=str)
def test_filter(given: dict[str, Any], ids: list[int]) -> None:
    plan, inputs = Match(SCAN, parse_filter(given)), {"t": Table(documents=ROWS)}
    assert [row["_id"] for row in ENGINE.collect(plan, inputs).documents] == ids
    assert ENGINE.notes(plan, inputs) == []


EXPRESSIONS: list[tuple[Any, list[Any]]] = [
    ("$n", [5, ..., -2]),
    ("$o.z", [..., "a", ...]),
    ("$r.y", [[1, 2], [], []]),
    ({"$add": ["$n", 1]}, [6, None, -1]),
    ({"$multiply": ["$n", 0.5]}, [2.5, None, -1.0]),
    ({"$divide": ["$n", 2]}, [2.5, None, -1.0]),
    ({"$mod": ["$n", 3]}, [2, None, -2]),
    ({"$subtract": ["$d", "$d"]}, [0, 0, 0]),
    ({"$abs": "$n"}, [5, None, 2]),
    ({"$eq": ["$n", "$$REMOVE"]}, [False, True, False]),
    ({"$gt": ["$n", None]}, [True, False, True]),
    ({"$cmp": ["$n", "x"]}, [-1, -1, -1]),
    ({"$and": ["$n", {"$literal": 0}]}, [False, False, False]),
    ({"$cond": ["$n", "$s", "none"]}, ["apple", "none", None]),
    ({"$ifNull": ["$n", "$_id"]}, [5, 2, -2]),
    ({"$switch": {"branches": [{"case": {"$gt": ["$n", 0]}, "then": 1}], "default": "$n"}}, [1, ..., -2]),
    ({"$concat": ["$s", "!"]}, ["apple!", "Pear!", None]),
    ({"$toUpper": "$s"}, ["APPLE", "PEAR", ""]),
    ({"$substrCP": ["$s", 1, 2]}, ["pp", "ea", ""]),
    ({"$year": "$d"}, [2024, 2024, 2024]),
    ({"$dayOfMonth": {"date": "$d", "timezone": "Asia/Tokyo"}}, [1, 1, 1]),
    ({"$dayOfWeek": "$d"}, [5, 5, 5]),
    ({"$dateTrunc": {"date": "$d", "unit": "month"}}, [datetime(2024, 2, 1, tzinfo=UTC)] * 3),
    ({"$size": "$l"}, [2, 0, 2]),
    ({"$arrayElemAt": ["$l", 0]}, [1, ..., None]),
    ({"$last": "$l"}, [2, ..., 3]),
    ({"$slice": ["$l", -1]}, [[2], [], [3]]),
    ({"$sum": "$l"}, [3, 0, 3]),
    ({"$max": "$l"}, [2, None, 3]),
    ({"$in": [3, "$l"]}, [False, False, True]),
    ({"$map": {"input": "$l", "in": {"$add": ["$$this", 1]}}}, [[2, 3], [], [None, 4]]),
    ({"$filter": {"input": "$l", "cond": {"$gt": ["$$this", 1]}}}, [[2], [], [3]]),
    ({"$type": "$n"}, ["int", "missing", "int"]),
    ({"a": "$n", "b": "$o.z"}, [{"a": 5}, {"b": "a"}, {"a": -2}]),
    (["$n", 1], [[5, 1], [None, 1], [-2, 1]]),
]


@pytest.mark.parametrize(("expression", "values"), EXPRESSIONS, ids=str)
def test_expression(expression: Any, values: list[Any]) -> None:
    rows = run([{"$project": {"_id": 0, "v": expression}}])
    assert [row.get("v", ...) for row in rows] == values
    assert (
        ENGINE.notes(parse_pipeline([{"$project": {"v": expression}}], SCAN), {"t": Table(documents=ROWS)})
        == []
    )


SALES: list[dict[str, Any]] = [
    {"_id": 1, "city": "Oslo", "n": 2, "p": 1.5},
    {"_id": 2, "city": None, "n": 3, "p": 2.5},
    {"_id": 3, "city": "Oslo", "p": 0.5},
    {"_id": 4, "city": "Rome", "n": 7, "p": 4.0},
]
GROUPS: list[tuple[dict[str, Any], list[Any]]] = [
    ({"$sum": "$n"}, [3, 2, 7]),
    ({"$sum": 1}, [1, 2, 1]),
    ({"$sum": "$city"}, [0, 0, 0]),
    ({"$avg": "$n"}, [3.0, 2.0, 7.0]),
    ({"$max": "$n"}, [3, 2, 7]),
    ({"$first": "$n"}, [3, 2, 7]),
    ({"$last": "$n"}, [3, None, 7]),
    ({"$push": "$n"}, [[3], [2], [7]]),
    ({"$addToSet": "$city"}, [[None], ["Oslo"], ["Rome"]]),
    ({"$maxN": {"input": "$p", "n": 1}}, [[2.5], [1.5], [4.0]]),
    ({"$top": {"sortBy": {"p": 1}, "output": "$_id"}}, [2, 3, 4]),
    ({"$median": {"input": "$p", "method": "approximate"}}, [2.5, 0.5, 4.0]),
    ({"$stdDevPop": "$p"}, [0.0, 0.5, 0.0]),
    ({"$count": {}}, [1, 2, 1]),
    ({"$sum": 0.5}, [0.5, 1.0, 0.5]),
    ({"$push": "x"}, [["x"], ["x", "x"], ["x"]]),
]


@pytest.mark.parametrize(("accumulator", "values"), GROUPS, ids=str)
def test_group(accumulator: dict[str, Any], values: list[Any]) -> None:
    rows = run([{"$group": {"_id": "$city", "v": accumulator}}, {"$sort": {"_id": 1}}], SALES)
    assert [(row["_id"], row["v"]) for row in rows] == list(zip([None, "Oslo", "Rome"], values, strict=True))


STAGES: list[tuple[list[dict[str, Any]], list[Any]]] = [
    ([{"$sort": {"n": -1, "_id": 1}}], [4, 2, 1, 3]),
    ([{"$sort": {"city": 1}}], [2, 1, 3, 4]),
    ([{"$sort": {"n": 1}}, {"$limit": 2}], [3, 1]),
    ([{"$skip": 3}], [4]),
    ([{"$match": {"n": {"$gt": 2}}}, {"$addFields": {"_id": {"$add": ["$n", 10]}}}], [13, 17]),
    ([{"$group": {"_id": None, "n": {"$sum": "$n"}}}, {"$project": {"_id": "$n"}}], [12]),
    ([{"$match": {"n": 99}}, {"$group": {"_id": None, "n": {"$sum": "$n"}}}], []),
    ([{"$count": "n"}, {"$project": {"_id": "$n"}}], [4]),
    ([{"$unionWith": "t"}, {"$count": "n"}, {"$project": {"_id": "$n"}}], [8]),
    ([{"$sortByCount": "$city"}, {"$limit": 1}], ["Oslo"]),
    ([{"$bucket": {"groupBy": "$p", "boundaries": [0, 2, 5]}}], [0, 2]),
    ([{"$replaceRoot": {"newRoot": {"_id": "$p"}}}], [1.5, 2.5, 0.5, 4.0]),
    ([{"$facet": {"a": [{"$match": {"n": 2}}]}}, {"$project": {"_id": {"$size": "$a"}}}], [1]),
]


@pytest.mark.parametrize(("pipeline", "ids"), STAGES, ids=str)
def test_stage(pipeline: list[dict[str, Any]], ids: list[Any]) -> None:
    assert [row["_id"] for row in run(pipeline, SALES)] == ids


def test_windows_follow_the_sort_within_each_partition() -> None:
    output = {
        "total": {"$sum": "$p", "window": {"documents": ["unbounded", "current"]}},
        "around": {"$push": "$p", "window": {"documents": [-1, 0]}},
        "rank": {"$rank": {}},
        "before": {"$shift": {"output": "$p", "by": -1, "default": 0.0}},
    }
    rows = run([{"$setWindowFields": {"partitionBy": "$city", "sortBy": {"p": 1}, "output": output}}], SALES)
    oslo = [{name: row[name] for name in output} for row in rows if row["city"] == "Oslo"]
    assert oslo == [
        {"total": 0.5, "around": [0.5], "rank": 1, "before": 0.0},
        {"total": 2.0, "around": [0.5, 1.5], "rank": 2, "before": 0.5},
    ]


def test_lookup_takes_null_and_missing_as_one() -> None:
    lookup = {"from": "t", "localField": "n", "foreignField": "n", "as": "m"}
    assert [len(row["m"]) for row in run([{"$lookup": lookup}], SALES)] == [1, 1, 1, 1]
    kept = run([{"$lookup": lookup | {"foreignField": "_id"}}, {"$unwind": "$m"}], SALES)
    assert [(row["_id"], row["m"]["_id"]) for row in kept] == [(1, 2), (2, 3)]


JOINS: list[tuple[str, list[Any]]] = [
    ("left", [(1, "x"), (2, None), (3, None)]),
    ("inner", [(1, "x")]),
    ("right", [(1, "x"), (None, "y")]),
    ("outer", [(1, "x"), (2, None), (3, None), (None, "y")]),
    ("semi", [(1, "missing")]),
    ("anti", [(2, "missing"), (3, "missing")]),
]


@pytest.mark.parametrize(("how", "pairs"), JOINS)
def test_join(how: str, pairs: list[Any]) -> None:
    left = Table(documents=[{"k": 1, "a": 1}, {"k": None, "a": 2}, {"k": 3, "a": 3}])
    right = Table(documents=[{"k": 1, "b": "x"}, {"k": 9, "b": "y"}])
    table = ENGINE.collect(Join(Scan("l"), Scan("r"), (("k", "k"),), how), {"l": left, "r": right})
    assert [(row.get("a", "missing"), row.get("b", "missing")) for row in table.documents] == pairs


def test_asof_join_takes_the_last_row_at_or_before() -> None:
    left, right = Table(documents=[{"t": 5}, {"t": 1}]), Table(documents=[{"u": 4, "b": 1}, {"u": 2, "b": 2}])
    table = ENGINE.collect(Join(Scan("l"), Scan("r"), (("t", "u"),), "asof"), {"l": left, "r": right})
    assert [row.get("b") for row in table.documents] == [1, None]


def test_a_sum_past_64_bits_is_the_interpreters() -> None:
    rows = [{"_id": 1, "n": 2**63 - 1}, {"_id": 2, "n": 2**63 - 1}]
    assert run([{"$group": {"_id": None, "n": {"$sum": "$n"}}}], rows)[0]["n"] == pytest.approx(2.0**64)
    assert run([{"$project": {"n": {"$add": ["$n", 1]}}}], rows)[0]["n"] == 2.0**63


def test_a_column_both_null_and_missing_stays_so() -> None:
    rows = run([{"$project": {"_id": 0, "v": {"$arrayElemAt": ["$l", 0]}}}, {"$match": {"v": None}}])
    assert rows == [{}, {"v": None}]


def test_a_single_operator_without_lowering_runs_in_the_interpreter() -> None:
    plan = parse_pipeline([{"$project": {"v": {"$indexOfCP": ["$s", "p"]}}}], SCAN)
    inputs = {"t": Table(documents=ROWS)}
    assert [row["v"] for row in ENGINE.collect(plan, inputs).documents] == [1, -1, None]
    assert ENGINE.notes(plan, inputs) == ["$indexOfCP runs in the interpreter: $indexOfCP has no lowering"]


def test_columns_of_mixed_type_pass_through_but_are_not_read() -> None:
    inputs = {"t": Table(documents=[{"_id": 1, "m": "a"}, {"_id": 2, "m": 3}])}
    kept = parse_pipeline([{"$match": {"_id": {"$gt": 1}}}], SCAN)
    assert ENGINE.collect(kept, inputs).documents == [{"_id": 2, "m": 3}]
    assert ENGINE.supports(parse_pipeline([{"$sort": {"m": 1}}], SCAN), inputs) is not None
    with pytest.raises(Unsupported):
        lower(parse_pipeline([{"$sort": {"m": 1}}], SCAN), inputs)


def test_predicates_and_columns_are_pushed_into_a_lazy_scan(tmp_path: Any) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, 2, 3]}).write_parquet(path)
    inputs = {"t": Table(lazy=pl.scan_parquet(path))}
    plan = parse_pipeline(
        [{"$match": {"a": {"$gt": 1}}}, {"$group": {"_id": None, "b": {"$sum": "$b"}}}], SCAN
    )
    native = ENGINE.native(plan, inputs)
    assert "PROJECT 2/3 COLUMNS" in native and "SELECTION" in native
    assert ENGINE.collect(plan, inputs).documents == [{"_id": None, "b": 5}]


def test_stream_gives_all_rows_in_batches() -> None:
    inputs = {"t": Table(frame=pl.DataFrame({"a": range(10_000)}))}
    batches = list(ENGINE.stream(Match(SCAN, parse_filter({"a": {"$gte": 10}})), inputs, 1000))
    assert [row["a"] for batch in batches for row in batch.documents] == list(range(10, 10_000))
    assert max(map(len, batches)) <= 1000
