"""Reduced cases in which an engine once differed from the document engine."""

from __future__ import annotations

import datetime as dt
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Decimal128

from tests.engines.test_differential import plain
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Join, Scan
from xrepo_nb.schema.table import Table

NAN = math.nan
TWO = [{"_id": 1, "i": 1}, {"_id": 2, "i": 4}]
NESTED = [{"_id": 1, "l": [[1, 2], [3]]}]
LISTS = [{"_id": 1, "l": [1, 2], "r": [{"x": 1}, {"x": 2}]}, {"_id": 2, "l": [3], "r": []}]
FAR = [{"_id": 1, "d": datetime(9999, 12, 31, tzinfo=UTC)}, {"_id": 2, "d": None}]
EARLY = [{"_id": 1, "d": datetime(1, 1, 1, tzinfo=UTC)}, {"_id": 2, "d": datetime(1800, 1, 1, tzinfo=UTC)}]
LARGE = [{"_id": i, "i": i, "j": j} for i, j in enumerate([2**53 + 1, 2**63 - 1, -(2**63), 3, -1])]
FAR_KEYS = [{"_id": i, "i": i, "j": j} for i, j in enumerate([2**31 - 1, -5, 0, 7, 2**40])]
MAYBE: list[dict[str, Any]] = [
    {"_id": i, "b": b, "i": n}
    for i, (b, n) in enumerate([(None, 1), (True, 2), (False, None), (None, None), (False, 5)])
] + [{"_id": 9, "b": None, "i": 7, "m": 3}]
MOVED = [{"_id": 1, "d": datetime(2024, 1, 1, tzinfo=UTC), "i": 2**63 - 1}]
Rows = list[dict[str, Any]]
TIMES: Rows = [{"_id": 1, "t": dt.time(1, 2)}, {"_id": 2, "t": dt.time(5)}, {"_id": 3, "t": None}]


def _group(accumulator: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"$group": {"_id": None, "v": accumulator}}]


def _window(output: dict[str, Any], **stage: Any) -> list[dict[str, Any]]:
    return [{"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"v": output}} | stage}]


def _value(expression: Any) -> list[dict[str, Any]]:
    return [{"$project": {"v": expression}}]


def _percentile(path: str) -> dict[str, Any]:
    return {"$percentile": {"input": path, "p": [0.25, 0.9], "method": "approximate"}}


UNSURE: Rows = [{"_id": 1, "i": 1, "l": ["a"]}, {"_id": 2, "i": 1, "l": []}, {"_id": 3, "i": 2, "l": [None]}]
FIRST = {"$addFields": {"x": {"$arrayElemAt": ["$l", 0]}, "x?": "$i"}}
"""A field that is null in some rows and missing in others, beside one of an odd name."""
TYPES = {"$project": {"v": {"$type": "$x"}, "i": "$x?"}}

CASES: list[tuple[str, Rows, list[dict[str, Any]]]] = [
    ("a constant as the best", TWO, _group({"$top": {"sortBy": {"i": -1}, "output": None}})),
    (
        "an order of the best as a decimal",
        TWO,
        _group({"$top": {"sortBy": {"i": Decimal128("-1")}, "output": "$i"}}),
    ),
    (
        "numbers as the best in groups",
        [{"_id": i, "i": i % 3, "k": i % 2} for i in range(6)],
        [
            {"$group": {"_id": "$k", "v": {"$top": {"sortBy": {"i": -1}, "output": 2.5}}}},
            {"$sort": {"_id": 1}},
        ],
    ),
    (
        "a line through a large int",
        [{"_id": 1, "i": 2**53 + 1}, {"_id": 2, "i": None}, {"_id": 3, "i": 7}],
        _window({"$linearFill": "$i"}),
    ),
    (
        "constants as the least in groups",
        [{"_id": i, "i": i % 3, "k": i % 2} for i in range(6)],
        [{"$group": {"_id": "$k", "v": {"$minN": {"n": 2, "input": "x"}}}}, {"$sort": {"_id": 1}}],
    ),
    ("constants as the best", TWO, _group({"$topN": {"n": 2, "sortBy": {"i": -1}, "output": "$no"}})),
    ("constants as the first", TWO, _group({"$firstN": {"n": 2, "input": "$no"}})),
    (
        "constants as the best in a window",
        TWO,
        _window(
            {
                "$top": {"sortBy": {"i": 1}, "output": {"$binarySize": "$no"}},
                "window": {"documents": ["current", "unbounded"]},
            }
        ),
    ),
    (
        "numbers as the best in a window",
        TWO,
        _window(
            {"$topN": {"n": 2, "sortBy": {"i": 1}, "output": 0.5}, "window": {"documents": [-1, "unbounded"]}}
        ),
    ),
    ("two percentiles of sorted rows", TWO, [{"$sort": {"_id": -1}}, *_group(_percentile("$i"))]),
    ("percentiles beside NaN", [{"_id": 1, "f": NAN}, {"_id": 2, "f": 1.0}], _group(_percentile("$f"))),
    (
        "a median of NaN",
        [{"_id": 1, "f": NAN}],
        _group({"$median": {"input": "$f", "method": "approximate"}}),
    ),
    ("greatest of a constant", TWO, _group({"$maxN": {"n": 2, "input": {"$isArray": ["$i"]}}})),
    (
        "ranks by doubles with NaN",
        [{"_id": 1, "b": True, "f": 1.5}, {"_id": 2, "b": True, "f": NAN}],
        _window({"$rank": {}}, partitionBy="$b", sortBy={"f": -1}),
    ),
    ("the last value there", [{"_id": 1, "s": "b"}, {"_id": 2, "s": None}], _window({"$locf": "$s"})),
    ("a shift past the end", TWO, _window({"$shift": {"output": "$no", "by": 1, "default": 0}})),
    ("an array of an array", NESTED, _value(["$l"])),
    ("arrays of elements", NESTED, _value({"$map": {"input": "$l", "in": ["$$this"]}})),
    ("an array as a number", NESTED, _value({"$toLong": "$l"})),
    ("the cosine of infinity", [{"_id": 1, "f": math.inf}], _value({"$cos": "$f"})),
    ("a date past the year 9999", FAR, _value({"$dateAdd": {"startDate": "$d", "unit": "day", "amount": 2}})),
    ("zones before they had rules", EARLY, _value({"$minute": {"date": "$d", "timezone": "Asia/Tokyo"}})),
    ("elements of an array at a place", NESTED, [{"$match": {"l.0": {"$gt": 0}}}]),
    *(
        (f"{step!r} in an array, which is {what}", LISTS, [{"$match": {f"l.{step}": {"$gt": 0}}}])
        for step, what in (
            ("0", "a position"),
            ("00", "a name"),
            ("01", "a name"),
            ("²", "a name"),
            ("9" * 4500, "far"),
        )
    ),
    ("a number that is no position", LISTS, [{"$match": {"r.00.x": 1}}]),
    ("a date moved past all dates", FAR, _value({"$add": ["$d", 2**62]})),
    ("a date moved past 64 bits", MOVED, _value({"$add": ["$d", "$i"]})),
    ("a date moved back past 64 bits", MOVED, _value({"$subtract": ["$d", "$i"]})),
    ("a sum that passes what doubles hold", LARGE, _value({"$sum": ["$j", "x"]})),
    ("the greatest of ints and doubles", LARGE, _value({"$max": ["$j", -1.5]})),
    ("a power of ints", LARGE[3:], _value({"$pow": [{"$add": ["$j", 2**31]}, 2]})),
    ("no array before null", TWO, _value({"$concatArrays": ["$i", None]})),
    (
        "missing and null by a condition that is null",
        MAYBE,
        _group({"$push": {"$cond": ["$b", "$no", "$i"]}}),
    ),
    (
        "a field that a null condition leaves null",
        MAYBE,
        [{"$set": {"q": {"$cond": ["$b", "$$REMOVE", "$i"]}}}, {"$match": {"q": {"$exists": False}}}],
    ),
    (
        "a fold from what is missing",
        MAYBE,
        _value({"$reduce": {"input": [1], "initialValue": "$m", "in": "$$value"}}),
    ),
    ("a pattern that is none", TWO, _value({"$regexMatch": {"input": "$no", "regex": 2}})),
    ("a time zone that is none", FAR, _value({"$year": {"date": "$d", "timezone": [1]}})),
    ("a format that is none", FAR, _value({"$dateToString": {"date": "$d", "format": [1]}})),
    ("a format of null", FAR, _value({"$dateToString": {"date": "$no", "format": "%i"}})),
    ("a unit that is none", FAR, _value({"$dateTrunc": {"date": "$d", "unit": [1]}})),
    ("a unit to add that is none", FAR, _value({"$dateAdd": {"startDate": "$d", "unit": [1], "amount": 1}})),
    ("a bin that is no number", FAR, _value({"$dateTrunc": {"date": "$d", "unit": "day", "binSize": True}})),
    ("a type that is none", TWO, _value({"$convert": {"input": "$i", "to": [1], "onError": 0}})),
    ("no text before null", TWO, _value({"$trim": {"input": "$i", "chars": None}})),
    ("null before no array", TWO, _value({"$concatArrays": [None, "$i"]})),
    (
        "a range without an end among ints far apart",
        FAR_KEYS,
        _window({"$sum": "$i", "window": {"range": ["unbounded", 0]}}, sortBy={"j": 1}),
    ),
    (
        "a range around the largest ints",
        LARGE,
        _window({"$sum": "$i", "window": {"range": [-1, 1]}}, sortBy={"j": 1}),
    ),
    ("the bits of uuids", [{"_id": 1, "u": UUID(int=4)}], [{"$match": {"u": {"$bitsAllClear": 3}}}]),
    (
        "the index in an array that is missing",
        TWO,
        [{"$unwind": {"path": "$no", "preserveNullAndEmptyArrays": True, "includeArrayIndex": "v"}}],
    ),
    (
        "null or missing beside what is unwound",
        UNSURE,
        [FIRST, {"$unwind": {"path": "$l", "preserveNullAndEmptyArrays": True}}, TYPES],
    ),
    (
        "null or missing beside what is looked up",
        UNSURE,
        [FIRST, {"$lookup": {"from": "t", "localField": "_id", "foreignField": "i", "as": "m"}}, TYPES],
    ),
    ("a time of day", TIMES, [{"$match": {"t": {"$gte": dt.time(1, 2)}}}]),
    ("times of a list", TIMES, [{"$match": {"t": {"$in": [dt.time(5), None]}}}]),
    ("times within expressions", TIMES, _value({"$lt": [dt.time(3), "$t"]})),
    ("times beside constant ones", TIMES, _value(["$t", {"$ifNull": ["$t", dt.time(7)]}])),
    (
        "times in arrays of documents",
        [{"_id": i, "l": [{"t": dt.time(i)}]} for i in range(3)],
        _value({"$filter": {"input": "$l.t", "cond": {"$gt": ["$$this", dt.time(1)]}}}),
    ),
    ("a union of rows of which some are skipped", TWO, [{"$skip": 1}, {"$unionWith": "t"}]),
]


def _answer(engine: str, table: Table, pipeline: list[dict[str, Any]]) -> Any:
    plan = parse_pipeline(pipeline, Scan("t"))
    found = get_engine(engine)
    reason = found.supports(plan, {"t": table})
    if reason is not None:
        pytest.skip(reason)
    try:
        return [plain(row) for row in found.collect(plan, {"t": table}).documents]
    except XRepoError as error:
        return str(error)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(("rows", "pipeline"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_engine_agrees(engine: str, rows: Rows, pipeline: list[dict[str, Any]]) -> None:
    read = Table(documents=rows)
    table = Table(frame=read.frame, schema=read.schema)
    assert _answer(engine, table, pipeline) == _answer("document", table, pipeline)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("how", ["left", "inner", "semi"])
def test_null_or_missing_beside_what_is_joined(engine: str, how: str) -> None:
    left, right = Table(frame=Table(documents=UNSURE).frame), Table(documents=[{"_id": 2, "w": 1}])
    joined = Join(parse_pipeline([FIRST], Scan("l")), Scan("r"), (("_id", "_id"),), how)
    plan, inputs = parse_pipeline([TYPES], joined), {"l": left, "r": right}
    assert get_engine(engine).supports(plan, inputs) is None
    exact = get_engine("document").collect(plan, inputs).documents
    assert get_engine(engine).collect(plan, inputs).documents == exact


@pytest.mark.parametrize("engine", ["document", "polars", "duckdb"])
def test_now_has_the_milliseconds_that_a_date_has(engine: str) -> None:
    plan, table = parse_pipeline(_value("$$NOW"), Scan("t")), Table(frame=Table(documents=TWO).frame)
    first, second = (row["v"] for row in get_engine(engine).collect(plan, {"t": table}).documents)
    assert first == second and first.microsecond % 1000 == 0


PRICES = [
    {"_id": i, "p": Decimal(text)}
    for i, text in enumerate(["1.10", "-2.5", "0", "100.005", "3", "-7.75", "9.9999999999999999999", "1e15"])
]
FLOATS = [1.1, 3.0, 3.5, -2.5000001, 100.005, 10.0, 1e36, -1e300, math.inf, NAN]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("op", ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
def test_decimals_compare_with_what_a_float_is_in_binary(engine: str, op: str) -> None:
    read = Table(documents=PRICES)
    table = Table(frame=read.frame, schema=read.schema)
    for constant in FLOATS:
        for test in (
            {"p": {op: constant}},
            {"$expr": {op: ["$p", constant]}},
            {"$expr": {op: [constant, "$p"]}},
        ):
            plan = parse_pipeline([{"$match": test}], Scan("t"))
            if get_engine(engine).supports(plan, {"t": table}) is not None:
                assert engine == "duckdb" and abs(constant) == 1e300, test
                continue
            found, expected = (
                get_engine(name).collect(plan, {"t": table}).documents for name in (engine, "document")
            )
            assert found == expected, test


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_union_keeps_all_places_of_its_decimals(engine: str) -> None:
    tables = {
        name: Table(documents=[{"_id": name, "p": Decimal(text), "o": {"p": Decimal(text)}}])
        for name, text in (("t", "1.5"), ("u", "100.005"))
    }
    inputs = {name: Table(frame=table.frame, schema=table.schema) for name, table in tables.items()}
    found = get_engine(engine)
    for stages in ([{"$unionWith": "u"}], [{"$project": {"p": 1}}, {"$unionWith": "u"}]):
        plan = parse_pipeline(stages, Scan("t"))
        if found.supports(plan, inputs) is not None:
            assert engine == "duckdb"
            continue
        exact = get_engine("document").collect(plan, inputs).documents
        assert found.collect(plan, inputs).documents == exact


def test_dates_before_zones_had_rules_have_the_offset_of_their_place() -> None:
    pipeline = _value({"$minute": {"date": "$d", "timezone": "Asia/Tokyo"}})
    answer = get_engine("document").collect(
        parse_pipeline(pipeline, Scan("t")), {"t": Table(documents=EARLY)}
    )
    assert [row["v"] for row in answer.documents] == [18, 18]


def test_loops_within_loops_stay_fast_in_sql() -> None:
    body: Any = "$i"
    for _ in range(40):
        body = {"$map": {"input": [1], "in": body}}
    table = Table(frame=Table(documents=TWO).frame)
    reason = get_engine("duckdb").supports(parse_pipeline(_value(body), Scan("t")), {"t": table})
    assert reason == "more than 8 loops over arrays within each other"


@pytest.mark.parametrize("engine", ["document", "polars", "duckdb"])
@pytest.mark.parametrize(
    "predicate",
    [
        {"i": {"$in": [n + 0.5 for n in range(50_000)] + [4]}},
        {"$expr": {"$in": ["$i", list(range(2, 50_000))]}},
        {"$or": [{"i": {"$gt": n}} for n in range(3, 5_000)]},
    ],
    ids=["doubles", "expression", "alternatives"],
)
def test_long_lists_are_looked_up(engine: str, predicate: dict[str, Any]) -> None:
    rows = [{"_id": n, "i": n % 5, "f": 0.5} for n in range(100)]
    table = Table(frame=Table(documents=rows).frame)
    plan, found = parse_pipeline([{"$match": predicate}], Scan("t")), get_engine(engine)
    if found.supports(plan, {"t": table}) is None:
        got = found.collect(plan, {"t": table}).documents
        assert {row["i"] for row in got} <= {2, 3, 4} and len(got) >= 20


@pytest.mark.parametrize("engine", ["document", "polars", "duckdb"])
@pytest.mark.parametrize("op", ["$in", "$nin"])
@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("s", ["", "a,b", "\x01", "\0", "é", *map(str, range(100))]),
        ("i", [-(2**63), 2**63 - 1, *range(100)]),
        ("l", [5, *range(1000, 1100)]),
        ("i", [2**70, *range(100)]),
        ("s", ["\ud800", *map(str, range(100))]),
    ],
    ids=["texts", "ints", "elements", "wide", "surrogates"],
)
def test_values_of_long_lists_are_told_apart(engine: str, op: str, path: str, values: list[Any]) -> None:
    texts = ["", "a", "b", "a,b", "\x01", "\0", "é", None, "7"]
    ints = [-(2**63), 2**63 - 1, 0, 100, -1, None, 5, 7, 99]
    rows = [
        {"_id": n, "s": s, "i": i, "l": [i or 0, n]} for n, (s, i) in enumerate(zip(texts, ints, strict=True))
    ]
    table, plan = (
        Table(frame=Table(documents=rows).frame),
        parse_pipeline([{"$match": {path: {op: values}}}], Scan("t")),
    )
    if (reason := get_engine(engine).supports(plan, {"t": table})) is not None:
        pytest.skip(reason)
    got = {row["_id"] for row in get_engine(engine).collect(plan, {"t": table}).documents}
    held = {
        n
        for n, row in enumerate(rows)
        if any(v in values for v in (row["l"] if path == "l" else [row[path]]))
    }
    assert got == (held if op == "$in" else set(range(len(rows))) - held)
