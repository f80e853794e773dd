"""Odd constants and values in expressions give an answer or our own error, the same on all engines."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from xrepo_nb.core.errors import XRepoError, XRepoQueryError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.query.typing import output_schema
from xrepo_nb.schema.table import Table

EAST, WEST = dt.timezone(dt.timedelta(hours=14)), dt.timezone(-dt.timedelta(hours=14))
CONSTANTS = {
    "null": None, "true": True, "2**31": 2**31, "-2**31-1": -(2**31) - 1, "2**53+1": 2**53 + 1,
    "2**63-1": 2**63 - 1, "-2**63": -(2**63), "2**63": 2**63, "10**400": 10**400, "-0.0": -0.0,
    "nan": math.nan, "inf": math.inf, "1e300": 1e300, "decimal": Decimal("1.5"), "sNaN": Decimal("sNaN"),
    "Infinity": Decimal("Infinity"), "1E+6000": Decimal("1E+6000"), "1E-6000": Decimal("1E-6000"),
    "datetime.min": dt.datetime.min, "datetime.max": dt.datetime.max,
    "before all": dt.datetime(1, 1, 1, tzinfo=EAST), "after all": dt.datetime(9999, 12, 31, 23, tzinfo=WEST),
    "duration": dt.timedelta(days=1), "timedelta.max": dt.timedelta.max, "timedelta.min": dt.timedelta.min,
    "date": dt.date.max, "time": dt.time(23, 59, 59, 999_999), "zoned time": dt.time(1, tzinfo=dt.UTC),
    "uuid": UUID(int=1), "bytes": b"\xff\x00", "surrogate": "\ud800", "nul": "\0", "empty text": "",
    "empty list": [], "nested list": [[]], "empty object": {}, "nested object": {"x": {}},
    "list with null": [1, None], "list of surrogates": ["\ud800"], "named by a surrogate": {"\ud800": 1},
    "named by a nul": {"\0": 1}, "pattern": re.compile("a", re.I), "bson pattern": Regex("a", "i"),
    "objectid": ObjectId("0123456789abcdef01234567"), "int64": Int64(2**62), "decimal128": Decimal128("NaN"),
    "timestamp": Timestamp(1, 1), "minkey": MinKey(), "maxkey": MaxKey(), "binary": Binary(b"a", 5),
    "code": Code("x"),
}  # fmt: skip
ROWS = [
    {
        "i": 1, "f": 1.5, "s": "é", "b": True, "d": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
        "td": dt.timedelta(days=1), "t": dt.time(1), "dd": dt.date(2024, 2, 29), "m": Decimal("1.5"),
        "u": UUID(int=2), "y": b"a", "o": {"x": 1}, "l": [1, 2, 3],
    },
    dict.fromkeys(("i", "f", "s", "b", "d", "td", "t", "dd", "m", "u", "y", "o", "l")),
]  # fmt: skip
TABLE = Table(frame=Table(documents=ROWS).frame, schema=Table(documents=ROWS).schema)

SLOT = "a constant"
"""Where the constant stands in an expression."""
EXPRESSIONS: list[Any] = [
    *({op: [f"${name}", SLOT]} for op in ("$ifNull", "$eq", "$lt", "$max") for name in ROWS[0]),
    {"$ifNull": ["$td", "$m", SLOT]},
    *({op: [f"${name}", SLOT]} for op in ("$add", "$subtract", "$multiply", "$mod") for name in "ifd"),
    *({op: ["$l", SLOT]} for op in ("$arrayElemAt", "$slice", "$concatArrays", "$indexOfArray", "$setUnion")),
    {"$filter": {"input": "$no", "cond": True, "limit": SLOT}},
    {"$avg": [["$td", SLOT]]},
    {"$stdDevPop": [["$i", SLOT]]},
    {"$slice": ["$l", SLOT, 2]},
    {"$slice": ["$l", 0, SLOT]},
    {"$substrCP": ["$s", SLOT, 1]},
    {"$substrCP": ["$s", 0, SLOT]},
    {"$concat": ["$s", SLOT]},
    {"$replaceAll": {"input": "$s", "find": SLOT, "replacement": "b"}},
    {"$in": ["$i", SLOT]},
    {"$cond": [SLOT, "$i", SLOT]},
    {"$switch": {"branches": [{"case": "$b", "then": SLOT}], "default": "$td"}},
    {"$and": ["$i", SLOT]},
    *(
        {op: {"startDate": "$d", "unit": unit, "amount": SLOT}}
        for op in ("$dateAdd", "$dateSubtract")
        for unit in ("year", "day", "millisecond")
    ),
    {"$dateDiff": {"startDate": "$d", "endDate": SLOT, "unit": "day"}},
    {"$dateTrunc": {"date": SLOT, "unit": "month"}},
    {"$dateToString": {"date": SLOT, "timezone": "-14:00"}},
    {"$dateToString": {"date": "$d", "format": SLOT}},
    *({op: SLOT} for op in ("$toDouble", "$toLong", "$toString", "$toDate", "$abs", "$binarySize", "$type")),
    *({op: SLOT} for op in ("$strLenBytes", "$toHashedIndexKey", "$size", "$year", "$not", "$isNumber")),
    {"$convert": {"input": "$i", "to": SLOT}},
    {"$setField": {"field": SLOT, "input": "$o", "value": 1}},
    {"$map": {"input": "$l", "in": {"$ifNull": ["$$this", SLOT]}}},
    [SLOT, "$i"],
    {"x": SLOT},
]  # fmt: skip


def filled(expression: Any, constant: Any) -> Any:
    """The expression with the constant in its place."""
    if expression is SLOT:
        return {"$literal": constant}
    if isinstance(expression, dict):
        return {name: filled(item, constant) for name, item in expression.items()}
    return [filled(item, constant) for item in expression] if isinstance(expression, list) else expression


def answer(engine: str, expression: Any, table: Table) -> Any:
    """The values, or the kind of error; None where the engine declines."""
    try:
        plan = parse_pipeline([{"$project": {"_id": 0, "v": expression}}], Scan("t"))
        output_schema(plan, {"t": table.schema})
        chosen, inputs = get_engine(engine), {"t": table}
        if engine != "document" and chosen.supports(plan, inputs) is not None:
            return None
        return [comparable(row) for row in chosen.collect(plan, inputs).documents]
    except XRepoError as error:
        return type(error)


def comparable(value: Any) -> Any:
    """A value to compare by: numbers by value, NaN equal to itself, moments in milliseconds of UTC."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [comparable(item) for item in value]
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return "moment", (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if type(value).__name__ == "DatetimeMS":
        return "moment", int(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number and value == value else (type(value).__name__, repr(value))


@pytest.mark.parametrize("constant", CONSTANTS)
def test_constants(constant: str) -> None:
    wrong = []
    for expression in EXPRESSIONS:
        given = filled(expression, CONSTANTS[constant])
        exact = answer("document", given, TABLE)
        for engine in ("polars", "duckdb"):
            found = answer(engine, given, TABLE)
            if found is not None and found != exact:
                wrong.append((engine, given, found, exact))
    assert wrong == []


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("count", [2**31, -(2**31), 2**53 + 1, -(2**53), 2**62, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("year", [1, 2024, 9999])
def test_dates_moved_by_a_field(engine: str, count: int, year: int) -> None:
    rows = [{"d": dt.datetime(year, 12, 31, tzinfo=dt.UTC), "n": count}, {"d": None, "n": 1}]
    table = Table(frame=Table(documents=rows).frame, schema=Table(documents=rows).schema)
    moves: list[Any] = [{"$add": ["$d", "$n"]}, {"$subtract": ["$d", "$n"]}]
    for unit in ("year", "quarter", "month", "week", "day", "hour", "millisecond"):
        moves.append({"$dateAdd": {"startDate": "$d", "unit": unit, "amount": "$n"}})
        moves.append({"$year": moves[-1]})
    for move in moves:
        found = answer(engine, move, table)
        assert found is None or found == answer("document", move, table), move


def test_an_operand_that_may_fail_is_computed_though_its_type_tells_its_truth() -> None:
    given = {"$and": ["$i", {"$ltrim": {"input": "$f"}}]}
    assert answer("document", given, TABLE) is XRepoQueryError
    assert answer("polars", given, TABLE) is XRepoQueryError


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("bound", [3, 2**31, -(2**53), 2**63 - 1])
def test_ranges_between_fields(engine: str, bound: int) -> None:
    table = Table(frame=Table(documents=[{"n": bound}]).frame, schema=Table(documents=[{"n": bound}]).schema)
    given = {"$range": ["$n", "$n"]}
    found = answer(engine, given, table)
    assert found is None or found == answer("document", given, table)
