"""Columns without values, without types, without fields: every engine answers as the document engine, or
declines; DuckDB and Polars raise nothing of their own."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tests.engines.test_differential import plain
from xrepo_nb.core.errors import XRepoError, XRepoUnsupportedError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.operators import ACCUMULATORS, EXPRESSIONS
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.schema.table import Table

Pipeline = list[dict[str, Any]]

ODD = pl.DataFrame(
    {
        "_id": [0, 1, 2],
        "i": [1, -2, None],
        "s": ["a", "", None],
        "d": [date(2024, 2, 29), date(1969, 12, 31), None],
        "t": pl.Series([datetime(2024, 2, 29, tzinfo=UTC), None, None], dtype=pl.Datetime("us", "UTC")),
        "m": pl.Series([Decimal("1.10"), None, Decimal("-2.5")], dtype=pl.Decimal(20, 2)),
        "y": [b"a", None, b"\xff"],
        "nothing": pl.Series([None] * 3, dtype=pl.Null),
        "null": pl.Series([None] * 3, dtype=pl.Int64),
        "empty": pl.Series([[]] * 3, dtype=pl.List(pl.Null)),
        "empty_ints": pl.Series([[], None, []], dtype=pl.List(pl.Int64)),
        "nulls": pl.Series([[None], [], None], dtype=pl.List(pl.Null)),
        "l": pl.Series([[1, 2], [], None], dtype=pl.List(pl.Int64)),
        "o": pl.Series([{"x": 1}, {"x": None}, None], dtype=pl.Struct({"x": pl.Int64})),
        "hollow": pl.Series([{"w": None}] * 3, dtype=pl.Struct({"w": pl.Null})),
        "fieldless": pl.Series([{}] * 3, dtype=pl.Struct({})),
        "rows": pl.Series([[], [], []], dtype=pl.List(pl.Struct({"x": pl.Null}))),
    }
)
PATHS = ["$" + name for name in ODD.columns] + ["$o.x", "$hollow.w", "$fieldless.w", "$rows.x", "$no"]


def answer(engine: str, plan: Plan, frame: pl.DataFrame) -> Any:
    """The documents in any order; None where the engine declines, "error" for an error of ours."""
    try:
        return loose(get_engine(engine).collect(plan, {"t": Table(frame=frame)}).documents)
    except XRepoUnsupportedError:
        return None
    except XRepoError as error:
        assert "failed in DuckDB" not in error.message
        return "error"


def loose(value: Any) -> Any:
    """A value whose arrays, sets among them, are compared in any order."""
    if isinstance(value, dict):
        return {name: loose(item) for name, item in value.items()}
    return (
        sorted(map(loose, value), key=lambda item: repr(plain(item)))
        if isinstance(value, list)
        else plain(value)
    )


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("height", [0, 3])
@pytest.mark.parametrize(
    "key",
    [
        {"$arrayElemAt": ["$empty", 0]},
        {"$last": "$empty"},
        "$hollow.w",
        "$nothing",
        {"$cond": ["$s", "$hollow.w", "$no"]},
        {"$cond": ["$l", "$rows.x", "$no"]},
        {"k": {"$arrayElemAt": ["$empty", 0]}},
    ],
)
def test_keys_without_a_type(key: Any, height: int, engine: str) -> None:
    plan = parse_pipeline([{"$group": {"_id": key, "n": {"$sum": 1}}}], Scan("t"))
    assert answer(engine, plan, ODD.head(height)) in (None, answer("document", plan, ODD.head(height)))


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    "fields",
    [
        {"v": {"b": {"c": "$i"}}},
        {"v.b.c": {"$literal": 5}, "v.b.d": 1},
        {"i.b.c": "$s"},
        {"o.new.c": "$i", "o.x": 1},
        {"hollow.new.c": "$i", "hollow.w": 1},
        {"v": {"a": "$i", "b": {"c": "$s"}}, "_id": 0},
    ],
)
def test_computed_fields_far_below_a_projection(fields: dict[str, Any], engine: str) -> None:
    plan = parse_pipeline([{"$project": fields}], Scan("t"))
    assert answer(engine, plan, ODD) in (None, answer("document", plan, ODD))


@pytest.mark.parametrize("constant", [1, 2.5, True, "a", [1], None])
@pytest.mark.parametrize("output", ["$shift", "$locf"])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_window_operators_of_a_constant(engine: str, output: str, constant: Any) -> None:
    given = {"$literal": constant}
    made: Any = {output: {"output": given, "by": 1} if output == "$shift" else given}
    plan = parse_pipeline([{"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"v": made}}}], Scan("t"))
    frame = ODD.select("_id", "i")
    assert answer(engine, plan, frame) in (None, answer("document", plan, frame))


@pytest.mark.parametrize("given", [{"$binarySize": "$no"}, {"$tsSecond": "$no"}, {"$abs": "$no"}])
def test_the_deviation_of_nothing_in_groups(given: Any) -> None:
    plan = parse_pipeline([{"$group": {"_id": "$s", "v": {"$stdDevPop": given}}}], Scan("t"))
    assert answer("polars", plan, ODD) == answer("document", plan, ODD)


def _expression(chance: random.Random, op: str, depth: int = 0) -> Any:
    """The operator over odd columns, and now and then over another operator of them."""

    def part() -> Any:
        if depth or chance.random() < 0.75:
            return chance.choice([*PATHS, 0, {"$literal": "a"}, None])
        return _expression(chance, chance.choice(_OPERATORS), 1)

    signature = EXPRESSIONS[op]
    if not signature.options:
        count = max(signature.least, min(signature.most, 2))
        return {op: [part() for _ in range(count)]}
    fixed = {"unit": "day", "to": "date", "field": "x", "sortBy": 1, "method": "approximate", "p": [0.5]}
    return {op: {name: fixed.get(name) or part() for name in signature.required}}


_OPERATORS = sorted(set(EXPRESSIONS) - {"$rand", "$switch", "$dateFromParts", "$getField", "$zip"})
_SIMPLE = sorted(op for op in ACCUMULATORS if ACCUMULATORS[op].least)


def _pipeline(chance: random.Random, op: str) -> Pipeline:
    value, column = _expression(chance, op), chance.choice(ODD.columns)
    stages: list[dict[str, Any]] = [
        {"$project": {"v": value}},
        {"$set": {chance.choice(["v", "o.x", "fieldless.w", "v.b.c"]): value}},
        {"$group": {"_id": value, "v": {chance.choice(_SIMPLE): "$" + column}}},
        {"$group": {"_id": "$" + column, "v": {chance.choice(_SIMPLE): value}}},
        {"$match": {"$expr": value}},
        {"$sortByCount": value},
        {"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"v": {"$shift": {"output": value, "by": 1}}}}},
        {"$facet": {"a": [{"$group": {"_id": value, "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]}},
    ]
    return [chance.choice(stages)]


@pytest.mark.parametrize("op", _OPERATORS)
def test_no_engine_raises_anything_of_its_own(op: str) -> None:
    chance = random.Random(op)
    for _ in range(12):
        plan = parse_pipeline(_pipeline(chance, op), Scan("t"))
        frame = ODD.head(chance.choice([0, 1, 3]))
        exact = answer("document", plan, frame)
        for engine in ("polars", "duckdb"):
            found = answer(engine, plan, frame)
            if isinstance(found, list) and isinstance(exact, list):
                assert found == exact


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_fields_below_what_is_not_there_are_computed_by_every_engine(engine: str) -> None:
    plan = parse_pipeline([{"$project": {"v.b.c": "$i", "_id": 0}}], Scan("t"))
    rows = get_engine(engine).collect(plan, {"t": Table(frame=ODD.select("_id", "i"))}).documents
    assert rows == [{"v": {"b": {"c": i}}} for i in (1, -2, None)]


def test_shifted_constants_are_those_of_the_rows_that_they_come_from() -> None:
    output = {"v": {"$shift": {"output": {"$literal": "x"}, "by": 1, "default": "end"}}}
    plan = parse_pipeline([{"$setWindowFields": {"sortBy": {"_id": 1}, "output": output}}], Scan("t"))
    table = get_engine("polars").collect(plan, {"t": Table(frame=ODD.select("_id", "i"))})
    assert [row["v"] for row in table.documents] == ["x", "x", "end"]


@pytest.mark.parametrize("engine", ["document", "polars", "duckdb"])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"$toDate": "$d"}, datetime(2024, 2, 29, tzinfo=UTC)),
        ({"$toDate": date(2024, 3, 1)}, datetime(2024, 3, 1, tzinfo=UTC)),
        ({"$convert": {"input": "$d", "to": "date"}}, datetime(2024, 2, 29, tzinfo=UTC)),
        ({"$convert": {"input": "$d", "to": {"type": 9}}}, datetime(2024, 2, 29, tzinfo=UTC)),
        ({"$dateTrunc": {"date": "$d", "unit": "month"}}, datetime(2024, 2, 1, tzinfo=UTC)),
        ({"$dateAdd": {"startDate": "$d", "unit": "day", "amount": 1}}, datetime(2024, 3, 1, tzinfo=UTC)),
        (
            {"$dateSubtract": {"startDate": "$d", "unit": "day", "amount": 29}},
            datetime(2024, 1, 31, tzinfo=UTC),
        ),
        ({"$add": ["$d", 0]}, datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_what_makes_dates_of_days_makes_moments(engine: str, expression: Any, expected: datetime) -> None:
    plan = parse_pipeline([{"$project": {"_id": 0, "v": expression}}], Scan("t"))
    table = Table(frame=ODD.select("_id", "d").head(1))
    if (reason := get_engine(engine).supports(plan, {"t": table})) is not None:
        pytest.skip(reason)
    (row,) = get_engine(engine).collect(plan, {"t": table}).documents
    assert type(row["v"]) is datetime
    assert row["v"] == expected
