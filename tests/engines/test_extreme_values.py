"""Extreme constants in filters and updates give an answer or our own error, the same on all engines."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from bson import Regex

import xrepo_nb as xr
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoError, XRepoQueryError, XRepoValidationError
from xrepo_nb.engines.document import apply_update
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_update
from xrepo_nb.query.plan import Scan
from xrepo_nb.query.typing import output_schema
from xrepo_nb.schema.table import Table

EAST, WEST = dt.timezone(dt.timedelta(hours=14)), dt.timezone(-dt.timedelta(hours=14))
ROWS = pl.DataFrame(
    {
        "n": [1, 2],
        "a": ["a" * 40 + "!", "b"],
        "d": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 2,
        "f": [1.5, 2.5],
        "m": [Decimal("1.5"), Decimal("2")],
    }
)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    "given",
    [
        {"n": Decimal("sNaN")},
        {"n": 10**5000},
        {"n": {"$in": [10**5000, 1]}},
        {"f": {"$lt": 10**400}},
        {"n": {"$gt": Decimal("1E+6000")}},
        {"d": {"$gt": dt.datetime(1, 1, 1, tzinfo=EAST)}},
        {"d": {"$lt": dt.datetime(9999, 12, 31, 23, tzinfo=WEST)}},
        {"a": "\ud800"},
        {"a": {"$in": ["\ud800", "b"]}},
        {"a": {"$in": [Regex("^B$", "i"), Regex("^B$", "i"), re.compile("x")]}},
        {"m": {"$in": [Decimal("sNaN"), Decimal("1.5")]}},
        {"m": {"$in": [Decimal("NaN"), Decimal("Infinity"), 2]}},
        {"m": {"$lt": Decimal("Infinity")}},
        {"m": {"$lt": 10**40}},
        {"m": {"$gte": Decimal("1E-50")}},
        {"m": {"$lt": Decimal("123456789012345678901234567890.123456789")}},
        {"a": {"$regex": "(" * 5000 + ")" * 5000}},
        {"a": {"$regex": "a{999999999}"}},
        {"a": {"$regex": "(a+)+$"}},
    ],
)
def test_filters(engine: str, given: dict[str, Any]) -> None:
    plan, inputs = parse_pipeline([{"$match": given}], Scan("t")), {"t": Table(frame=ROWS)}
    exact = answer("document", plan, inputs)
    found = answer(engine, plan, inputs)
    assert found == exact or found == "XRepoUnsupportedError"


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("op", ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
@pytest.mark.parametrize(
    ("field", "constant"),
    [
        ("a", "\ud800"),
        ("d", dt.datetime(9999, 12, 31, 23, tzinfo=WEST)),
        ("f", math.nan),
        ("g", math.nan),
        ("n", 10**400),
        ("m", Decimal("sNaN")),
    ],
)
def test_comparisons_with_a_constant(engine: str, op: str, field: str, constant: Any) -> None:
    inputs = {"t": Table(frame=ROWS.with_columns(g=pl.Series([None, math.nan])))}
    for args in ([f"${field}", {"$literal": constant}], [{"$literal": constant}, f"${field}"]):
        plan = parse_pipeline([{"$project": {"v": {op: args}}}], Scan("t"))
        found = answer(engine, plan, inputs)
        assert found == answer("document", plan, inputs) or found == "XRepoUnsupportedError"


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("wrong", [["a"], {"a": 1}, True, 1.5, 0], ids=repr)
@pytest.mark.parametrize(
    "write",
    [
        lambda wrong: {"$dateAdd": {"startDate": "$d", "unit": wrong, "amount": 1}},
        lambda wrong: {"$dateAdd": {"startDate": "$d", "unit": "day", "amount": wrong}},
        lambda wrong: {"$dateTrunc": {"date": "$d", "unit": wrong}},
        lambda wrong: {"$dateTrunc": {"date": "$d", "unit": "day", "binSize": wrong}},
        lambda wrong: {"$hour": {"date": "$d", "timezone": wrong}},
        lambda wrong: {"$dateToString": {"date": "$d", "format": wrong}},
        lambda wrong: {"$filter": {"input": [1, 2], "cond": True, "limit": wrong}},
        lambda wrong: {"$convert": {"input": "$n", "to": wrong}},
        lambda wrong: {"$convert": {"input": "$n", "to": {"type": wrong}}},
        lambda wrong: {"$regexMatch": {"input": "$a", "regex": "b", "options": wrong}},
    ],
)
def test_constants_of_a_wrong_type(engine: str, wrong: Any, write: Callable[[Any], Any]) -> None:
    given = write({"$literal": wrong})
    plan, inputs = parse_pipeline([{"$project": {"v": given}}], Scan("t")), {"t": Table(frame=ROWS)}
    assert output_schema(plan, {"t": inputs["t"].schema}).names == ("v",)
    found = answer(engine, plan, inputs)
    assert found == answer("document", plan, inputs) or found == "XRepoUnsupportedError"


def answer(engine: str, plan: Any, inputs: Any) -> Any:
    try:
        return get_engine(engine).collect(plan, inputs).documents
    except XRepoError as error:
        return type(error).__name__


@pytest.mark.parametrize(
    "size",
    [Decimal("1E+6000"), Decimal("1E+99999999"), 10**5000, float("inf")],
    ids=["6000", "far", "int", "infinite"],
)
def test_whole_numbers_out_of_range(size: Any) -> None:
    with pytest.raises(XRepoQueryError, match=r"\$size takes"):
        parse_filter({"l": {"$size": size}})


@pytest.mark.parametrize("change", [{"$inc": {"n": 10**400}}, {"$mul": {"n": 10**5000}}], ids=["inc", "mul"])
def test_arithmetic_beyond_doubles(change: dict[str, Any]) -> None:
    with pytest.raises(XRepoQueryError, match="range of doubles"):
        apply_update([{"n": 2}], parse_filter({}), parse_update(change), multi=True)


def test_an_update_pipeline_that_doubles(change_settings: Callable[..., None]) -> None:
    change_settings(query_timeout=0.5)
    update = parse_update([{"$set": {"o": ["$o", "$o"]}}] * 40)
    with pytest.raises(XRepoQueryError, match=r"longer than 0\.5 s"):
        apply_update([{"o": 1}], parse_filter({}), update, multi=True)


async def test_records_that_hold_themselves_or_have_odd_names() -> None:
    repo = await xr.open([{"id": 1, "o": {"x": 1}}], name="things")
    endless: dict[str, Any] = {}
    endless["o"] = endless
    with pytest.raises(XRepoValidationError, match="nested deeper"):
        await repo.update(1, endless)
    with pytest.raises(XRepoConfigurationError, match="names of fields are text"):
        await repo.update(1, {1: 2})
