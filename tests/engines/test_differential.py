"""Every engine gives the document engine's answer: on generated data, filters and pipelines, and on the
conformance cases."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.conformance import cases
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.base import Engine
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.polars import PolarsEngine
from xrepo_nb.engines.polars import engine as polars_engine
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Join, Match, Plan, Scan
from xrepo_nb.schema.table import Table

QUIET = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)

INTS = st.integers(-5, 5) | st.sampled_from([2**31, -(2**31) - 1, 2**53 + 1, 2**62, 2**63 - 1, -(2**63)])
FLOATS = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 2.5, 1e300, math.nan, math.inf, -math.inf])
TEXTS = st.sampled_from(["", "a", "A", "ab", "b", "é", "a.b", "10", "a\n"])
DATES = st.sampled_from([datetime(2024, 2, 29, 23, 59, 59, 999000, UTC), datetime(1969, 12, 31, tzinfo=UTC)])
DECIMALS = st.sampled_from([Decimal(text) for text in ("1.10", "-2.5", "0", "100.005", "3")])
UUIDS = st.sampled_from([UUID(int=1), UUID(int=2**100)])
BYTES = st.sampled_from([b"", b"a", b"\xff\x00"])
NESTED = st.fixed_dictionaries({"x": st.integers(-2, 2)}, optional={"y": TEXTS})
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "i": INTS,
    "j": st.integers(-3, 3),
    "f": FLOATS,
    "s": TEXTS,
    "b": st.booleans(),
    "d": DATES,
    "o": NESTED,
    "l": st.lists(st.integers(-2, 2), max_size=3),
    "r": st.lists(NESTED, max_size=2),
    "m": DECIMALS,
    "u": UUIDS,
    "y": BYTES,
}


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of typed columns; each column never absent, or null, or missing in some rows."""
    absence = {name: draw(st.sampled_from(["never", "null", "missing"])) for name in COLUMNS}
    rows = []
    for number in range(draw(st.integers(0, 8))):
        row: dict[str, Any] = {"_id": number}
        for name, values in COLUMNS.items():
            gone = absence[name] != "never" and draw(st.integers(0, 3)) == 0
            if not gone:
                row[name] = draw(values)
            elif absence[name] == "null":
                row[name] = None
        rows.append(row)
    return rows


PATHS = st.sampled_from([*COLUMNS, "o.x", "o.y", "r.x", "r.y", "l.0", "no"])
CONSTANTS = st.one_of(
    st.none(), INTS, FLOATS, TEXTS, st.booleans(), DATES, UUIDS, BYTES, st.just([1, 2]), st.just({"x": 1})
)
ORDERS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
TESTS = st.one_of(
    st.builds(lambda op, value: {op: value}, ORDERS, CONSTANTS),
    st.builds(lambda values: {"$in": values}, st.lists(CONSTANTS, max_size=3)),
    st.builds(lambda values: {"$nin": values}, st.lists(CONSTANTS, max_size=3)),
    st.builds(lambda there: {"$exists": there}, st.booleans()),
    st.builds(
        lambda kind: {"$type": kind}, st.sampled_from(["int", "long", "double", "string", "null", "array"])
    ),
    st.builds(
        lambda text: {"$regex": text}, st.sampled_from(["^a", "b$", "a|b", "[a-z]", "A", "\\d+", "a.b"])
    ),
    st.builds(lambda n: {"$size": n}, st.integers(0, 2)),
    st.builds(lambda op, n: {"$elemMatch": {op: n}}, ORDERS, st.integers(-2, 2)),
    st.builds(lambda n: {"$elemMatch": {"x": n}}, st.integers(-2, 2)),
    st.builds(lambda test: {"$not": {"$gt": test}}, CONSTANTS),
)
FILTERS = st.recursive(
    st.builds(lambda path, test: {path: test}, PATHS, TESTS),
    lambda inner: st.builds(
        lambda op, items: {op: items},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)

FIELDS = st.sampled_from(["$" + name for name in [*COLUMNS, "o.x", "o.y", "r.x", "no"]])
NUMBERS = st.sampled_from(["$i", "$j", "$f", "$o.x", "$no"]) | st.integers(-3, 3) | st.just(0.5)


def _call(names: str, *args: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ops = st.sampled_from([f"${name}" for name in names.split()])
    return st.builds(lambda op, *given: {op: list(given)}, ops, *args)


UNITS = st.sampled_from(["year", "month", "week", "day", "hour", "second", "millisecond"])
EXPRESSIONS = st.recursive(
    FIELDS | NUMBERS | TEXTS.map(lambda text: {"$literal": text}),
    lambda inner: st.one_of(
        _call("add subtract multiply", NUMBERS | inner, NUMBERS | inner),
        _call("divide mod", NUMBERS, NUMBERS),
        _call("abs ceil floor", NUMBERS),
        _call("eq ne gt gte lt lte cmp", inner, inner),
        _call("and or", inner, inner),
        _call("not", inner),
        _call("cond", inner, inner, inner),
        _call("ifNull", inner, inner),
        _call("type isArray isNumber", inner),
        _call("concat", st.just("$s"), TEXTS.map(lambda text: {"$literal": text})),
        _call("toUpper toLower strLenCP strLenBytes", st.just("$s")),
        _call("substrCP", st.just("$s"), st.integers(0, 2), st.integers(0, 2)),
        _call("year month dayOfMonth hour dayOfWeek isoWeek dayOfYear", st.just("$d")),
        _call("size reverseArray first last", st.sampled_from(["$l", "$r"])),
        _call("arrayElemAt", st.just("$l"), st.integers(-2, 2)),
        _call("in", st.integers(-2, 2), st.just("$l")),
        _call("sum avg min max", st.sampled_from(["$l", "$r.x"])),
        _call("concatArrays setUnion setIntersection setDifference", st.just("$l"), st.just([1, 5])),
        _call("slice", st.just("$l"), st.integers(-2, 2).filter(bool)),
        _call("toInt toLong toDouble toBool toString", NUMBERS | st.just("$b")),
        _call("round trunc exp sqrt ln sin", NUMBERS),
        _call("pow", NUMBERS, st.integers(0, 3)),
        _call("split", st.just("$s"), st.sampled_from([".", "a"])),
        st.builds(lambda u: {"$dateTrunc": {"date": "$d", "unit": u}}, UNITS),
        st.builds(
            lambda u, n: {"$dateAdd": {"startDate": "$d", "unit": u, "amount": n}}, UNITS, st.integers(-3, 3)
        ),
        st.builds(
            lambda tz: {"$hour": {"date": "$d", "timezone": tz}}, st.sampled_from(["Asia/Tokyo", "+02:00"])
        ),
        st.builds(
            lambda text: {"$regexMatch": {"input": "$s", "regex": text}}, st.sampled_from(["^a", "b$", "A"])
        ),
        st.builds(
            lambda a, b: {"$replaceAll": {"input": "$s", "find": a, "replacement": b}}, st.just("a"), TEXTS
        ),
        st.builds(lambda body: {"$map": {"input": "$l", "in": {"$add": ["$$this", body]}}}, NUMBERS),
        st.builds(
            lambda op, n: {"$filter": {"input": "$l", "cond": {op: ["$$this", n]}}},
            ORDERS,
            st.integers(-2, 2),
        ),
        st.builds(lambda a, b: {"$let": {"vars": {"v": a}, "in": {"$eq": ["$$v", b]}}}, inner, inner),
        st.builds(
            lambda a, b, c: {"$switch": {"branches": [{"case": a, "then": b}], "default": c}},
            inner,
            inner,
            inner,
        ),
    ),
    max_leaves=4,
)
ACCUMULATORS = st.one_of(
    st.builds(
        lambda op, arg: {op: arg},
        st.sampled_from(
            [
                "$sum",
                "$avg",
                "$min",
                "$max",
                "$first",
                "$last",
                "$push",
                "$addToSet",
                "$stdDevPop",
                "$stdDevSamp",
            ]
        ),
        FIELDS | NUMBERS,
    ),
    st.builds(
        lambda op, n, arg: {op: {"n": n, "input": arg}},
        st.sampled_from(["$firstN", "$lastN", "$minN", "$maxN"]),
        st.integers(1, 3),
        FIELDS,
    ),
    st.builds(
        lambda op, path, order: {op: {"sortBy": {path: order}, "output": "$_id"}},
        st.sampled_from(["$top", "$bottom"]),
        st.sampled_from(["j", "f", "s", "i"]),
        st.sampled_from([1, -1]),
    ),
    st.just({"$count": {}}),
    st.just({"$median": {"input": "$j", "method": "approximate"}}),
)
KEYS = st.sampled_from(
    ["$j", "$s", "$b", "$f", "$o.x", "$d", "$l", "$o", None, {"a": "$j", "b": "$s"}, {"$gt": ["$j", 0]}]
)
SORTS = st.lists(
    st.tuples(st.sampled_from(["i", "j", "f", "s", "b", "d", "o.x", "l"]), st.sampled_from([1, -1])),
    min_size=1,
    max_size=2,
    unique_by=lambda key: key[0],
).map(dict)
WINDOWS = st.one_of(
    st.none(),
    st.builds(lambda a, b: {"documents": [min(a, b), max(a, b)]}, st.integers(-2, 2), st.integers(-2, 2)),
    st.just({"documents": ["unbounded", "current"]}),
    st.just({"range": [-1, 1]}),
)


def _windowed(op: str, window: Any, partition: Any) -> dict[str, Any]:
    output = {op: {} if op in ("$rank", "$denseRank", "$documentNumber") else "$j"}
    if window is not None and op in ("$sum", "$avg", "$min", "$push"):
        output["window"] = window
    by = {"j": 1} if "range" in (window or ()) or "ank" in op else {"_id": 1}
    return {"$setWindowFields": {"partitionBy": partition, "sortBy": by, "output": {"w": output}}}


STAGES = st.one_of(
    FILTERS.map(lambda given: {"$match": given}),
    st.builds(lambda expr: {"$match": {"$expr": expr}}, EXPRESSIONS),
    st.builds(lambda a, b: {"$project": {"a": a, "j": 1, "b": b, "s": 1}}, EXPRESSIONS, EXPRESSIONS),
    st.builds(
        lambda a, name: {"$addFields": {name: a}}, EXPRESSIONS, st.sampled_from(["a", "i", "j", "o.x", "o.z"])
    ),
    st.builds(
        lambda names: {"$project": dict.fromkeys(names, 0)},
        st.lists(st.sampled_from(["i", "o.x", "r.x", "l"]), min_size=1, max_size=2, unique=True),
    ),
    st.builds(
        lambda names: {"$project": dict.fromkeys(names, 1)},
        st.lists(st.sampled_from(["i", "o.x", "s", "l"]), min_size=1, max_size=2, unique=True),
    ),
    st.builds(lambda a: {"$unset": a}, st.sampled_from(["i", "o.x", "r.y", "no"])),
    st.builds(lambda key, a, b: {"$group": {"_id": key, "a": a, "b": b}}, KEYS, ACCUMULATORS, ACCUMULATORS),
    SORTS.map(lambda keys: {"$sort": keys}),
    st.integers(1, 5).map(lambda n: {"$limit": n}),
    st.integers(0, 3).map(lambda n: {"$skip": n}),
    st.builds(
        lambda path, keep: {"$unwind": {"path": path, "preserveNullAndEmptyArrays": keep}},
        st.sampled_from(["$l", "$r", "$s"]),
        st.booleans(),
    ),
    st.builds(
        lambda by, method: {
            "$fill": {"partitionBy": by, "sortBy": {"_id": 1}, "output": {"j": {"method": method}}}
        },
        st.sampled_from([None, "$s"]),
        st.sampled_from(["locf", "linear"]),
    ),
    st.builds(lambda value: {"$fill": {"output": {"j": {"value": value}}}}, EXPRESSIONS),
    st.just({"$count": "n"}),
    st.just({"$sortByCount": "$s"}),
    st.just({"$unionWith": "t"}),
    st.builds(
        lambda a, b: {"$lookup": {"from": "t", "localField": a, "foreignField": b, "as": "m"}},
        st.sampled_from(["j", "s", "o.x"]),
        st.sampled_from(["j", "s", "o.x"]),
    ),
    st.builds(
        _windowed,
        st.sampled_from(["$sum", "$avg", "$min", "$push", "$documentNumber", "$rank", "$denseRank"]),
        WINDOWS,
        st.sampled_from([None, "$s", "$b"]),
    ),
    st.builds(
        lambda key: (
            {"$bucket": {"groupBy": key, "boundaries": [-3, 0, 4], "default": "other"}}
            if key == "$s"
            else {"$bucket": {"groupBy": key, "boundaries": [-5, 0, 3], "default": 99}}
        ),
        st.sampled_from(["$j", "$i", "$f"]),
    ),
)
PIPELINES = st.lists(STAGES, min_size=1, max_size=4)


ENGINES = ["polars", "duckdb"]


def plain(value: Any) -> Any:
    """A value to compare by: numbers by value, rounded; NaN equal to itself; order of keys forgotten."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    if isinstance(value, (int, float)):
        if value != value:
            return ("number", "nan")
        return ("number", value if isinstance(value, int) or abs(value) > 1e15 else round(value, 9) + 0.0)
    if isinstance(value, dict):
        return ("object", tuple(sorted((name, plain(item)) for name, item in value.items())))
    if isinstance(value, list):
        return ("array", tuple(map(plain, value)))
    return (type(value).__name__, value)


def has_order(pipeline: list[dict[str, Any]]) -> bool:
    """Whether the rows come in an order that the language promises."""
    ordered = True
    for stage in pipeline:
        if "$sort" in stage:
            ordered = ordered or stage["$sort"].keys() == {"_id"}
        elif stage.keys() & {"$group", "$sortByCount", "$setWindowFields", "$bucket", "$fill"}:
            ordered = False
    return ordered


def is_settled(pipeline: list[dict[str, Any]]) -> bool:
    """Whether the answer does not hang on an order that is not promised."""
    ordered = True
    for stage in pipeline:
        if not ordered and stage.keys() & {"$limit", "$skip"}:
            return False
        if not ordered and any(
            word in str(stage) for word in ("irst", "ast", "$push", "$top", "$bottom", "$sum'", "ank")
        ):
            return False
        if stage.keys() & {"$group", "$sortByCount", "$setWindowFields", "$bucket", "$lookup", "$fill"}:
            ordered = False
    return "$addToSet" not in str(pipeline) and "$set" not in str(pipeline).replace("$setWindow", "")


def answer(engine: Engine, plan: Plan, rows: list[dict[str, Any]]) -> Any:
    """The documents, or the kind of error."""
    try:
        return list(engine.collect(plan, {"t": Table(documents=rows)}).documents)
    except XRepoError as error:
        return type(error)


def check(name: str, plan: Plan, rows: list[dict[str, Any]], *, ordered: bool) -> None:
    """The engine agrees with the document engine on a plan that it takes."""
    table = Table(documents=rows)
    assume(table.schema.is_typed)
    engine = get_engine(name)
    assume(engine.supports(plan, {"t": table}) is None)
    # The frame's own documents: ints among floats have been read as floats.
    frame_rows = list(Table(frame=table.frame, schema=table.schema).documents)
    expected, got = answer(DocumentEngine(), plan, frame_rows), answer(engine, plan, frame_rows)
    if isinstance(expected, type):
        # A column that nobody reads is not computed, so that its rows cannot fail.
        assert got == expected or not isinstance(got, type)
        return
    assert not isinstance(got, type), got
    mine, theirs = list(map(plain, got)), list(map(plain, expected))
    if ordered:
        assert mine == theirs
    else:
        assert Counter(mine) == Counter(theirs)


@pytest.mark.parametrize("engine", ENGINES)
@QUIET
@given(documents(), FILTERS)
def test_filters_agree(engine: str, rows: list[dict[str, Any]], given_filter: dict[str, Any]) -> None:
    check(engine, Match(Scan("t"), parse_filter(given_filter)), rows, ordered=True)


@pytest.mark.parametrize("engine", ENGINES)
@QUIET
@given(documents(), PIPELINES)
def test_pipelines_agree(engine: str, rows: list[dict[str, Any]], pipeline: list[dict[str, Any]]) -> None:
    assume(is_settled(pipeline))
    try:
        plan = parse_pipeline(pipeline, Scan("t"))
    except XRepoError:
        assume(False)
    check(engine, plan, rows, ordered=has_order(pipeline))


KEYED = st.lists(
    st.fixed_dictionaries({"g": st.sampled_from(["a", "b", None]), "t": st.integers(0, 3) | st.none()}),
    min_size=1,
    max_size=6,
)
PAIRS = st.sampled_from([(("g", "g"),), (("g", "h"),), (("g", "g"), ("t", "u")), (("g", "h"), ("t", "t"))])


@pytest.mark.parametrize("engine", ENGINES)
@QUIET
@given(KEYED, KEYED, PAIRS, st.sampled_from(["left", "inner", "right", "outer", "semi", "anti", "asof"]))
def test_joins_agree(engine: str, left: list[Any], right: list[Any], on: Any, how: str) -> None:
    """But for what an unmatched row has in a column that holds nulls: there a null is as good as nothing."""
    if how == "asof" and len(on) == 1:
        on = (("t", "u"),)
    names = {a: b for a, b in (*on, ("g", "h"), ("t", "u")) if (a, b) in on or a not in dict(on)}
    left = [row | {"i": i} for i, row in enumerate(left)]
    right = [{names[k]: v for k, v in row.items()} | {"j": j} for j, row in enumerate(right)]
    inputs = {"l": Table(documents=left), "r": Table(documents=right)}
    plan = Join(Scan("l"), Scan("r"), on, how)
    chosen = get_engine(engine)
    assume(chosen.supports(plan, inputs) is None)
    answers = [list(e.collect(plan, inputs).documents) for e in (chosen, DocumentEngine())]
    got, expected = ([{k: v for k, v in row.items() if v is not None} for row in rows] for rows in answers)
    assert got == expected


SHARE = 0.8
"""The least share of the cases with typed columns that Polars takes."""


@pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the conformance cases are not there")
def test_conformance_cases_that_polars_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, typed, taken, wrong = PolarsEngine(), 0, 0, []
    fallbacks = []
    monkeypatch.setattr(polars_engine, "get_engine", lambda name: fallbacks.append(name) or get_engine(name))
    for case in cases.reading():
        try:
            plan = cases.plan_of(case)
        except XRepoError:
            continue
        inputs = cases.inputs_of(case, plan)
        all_typed = all(table.schema.is_typed for table in inputs.values())
        typed += all_typed
        if engine.supports(plan, inputs) is not None:
            continue
        taken += all_typed
        try:
            got = list(engine.collect(plan, inputs, cases.variables_of(case)).documents)
        except XRepoError as error:
            wrong.append((case["id"], str(error)))
            continue
        if not cases.agrees(case, got):
            wrong.append((case["id"], got))
    with capsys.disabled():
        print(
            f"\npolars takes {taken} of {typed} typed cases: {taken / typed:.0%}, {len(fallbacks)} by a guard"
        )
    assert wrong == []
    assert taken >= SHARE * typed
