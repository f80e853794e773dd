"""Whatever operators meet, they answer or raise an error of their own, soon."""

from __future__ import annotations

import datetime as dt
import random
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from xrepo_nb.core.errors import XRepoError, XRepoLimitError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import DocumentEngine, apply_update, compile_expression
from xrepo_nb.query.expressions import Call, Expr, FieldRef, Literal, Variable
from xrepo_nb.query.operators import ACCUMULATORS, EXPRESSIONS, Signature
from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_update
from xrepo_nb.query.plan import Accumulator, Group, Scan
from xrepo_nb.schema.table import Table

NAN, INFINITY = float("nan"), float("inf")
ODD: list[Any] = [
    None, MISSING, True, False, 0, 1, -1, 2, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 1.5,
    NAN, INFINITY, -INFINITY, 1e308, 5e-324,
    Decimal("1.5"), Decimal("NaN"), Decimal("Infinity"), Decimal("1E+6000"), Decimal("1E-6000"),
    Decimal128("2"), Int64(5),
    "", "a", "é😀", "(", "day", "week", "UTC", "Europe/Paris", "%Y-%m-%d", "2024-01-01",
    "binData", "int", "base64",
    [], [1, 2, 3], ["a", "b"], [None], [[1], [2]], [{"k": "a", "v": 1}], {}, {"a": 1},
    b"ab", Binary(b"x", 5), uuid.UUID(int=3), ObjectId("507f191e810c19729de860ea"),
    dt.datetime(2024, 2, 29, tzinfo=dt.UTC), dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC), dt.date(2024, 1, 1), dt.time(1, 2), dt.timedelta(1),
    DatetimeMS(10**15), DatetimeMS(-(10**15)),
    re.compile("a"), Regex("b", "i"), re.compile(b"a"), Regex(b"\xff"), "\ud800", Timestamp(1, 2),
    Code("x"), MinKey(), MaxKey(),
]  # fmt: skip
CONSTANTS = {"as": "x", "sortBy": {"a": 1}, "useLongestLength": True, "method": "approximate"}


def call(op: str, signature: Signature, chance: random.Random) -> Call:
    """The operator applied to variables `v0`, `v1` and so on."""
    if signature.options and op != "$switch":
        options: list[tuple[str, Expr]] = []
        for i, name in enumerate(signature.options):
            if name in signature.constants:
                options.append((name, Literal(CONSTANTS[name])))
            elif name in (*signature.required, "input") or chance.random() < 0.5:
                options.append((name, Variable(f"v{i}")))
        return Call(op, (), tuple(options), "at")
    count = max(signature.least, min(signature.most, 2))
    return Call(op, tuple(Variable(f"v{i}") for i in range(count)), (), "at")


@pytest.mark.parametrize("op", [op for op in EXPRESSIONS if op not in ("$map", "$filter", "$reduce")])
def test_expressions(op: str) -> None:
    chance = random.Random(op)
    for _ in range(120):
        variables = {f"v{i}": chance.choice(ODD) for i in range(12)}
        before = repr(variables)
        try:
            compile_expression(call(op, EXPRESSIONS[op], chance))({}, variables)
        except XRepoError:
            pass
        assert repr(variables) == before


@pytest.mark.parametrize("op", [op for op in ACCUMULATORS if not ACCUMULATORS[op].options])
def test_accumulators(op: str) -> None:
    chance = random.Random(op)
    args = (FieldRef(("a",)),) if ACCUMULATORS[op].least else ()
    plan = Group(Scan("t"), FieldRef(("k",)), (Accumulator("x", op, args),))
    assert all(is_harmless(plan, documents(chance)) for _ in range(60))


def documents(chance: random.Random) -> list[dict[str, Any]]:
    """A few documents of odd values."""
    found = [{name: chance.choice(ODD) for name in "akt"} for _ in range(chance.randint(0, 4))]
    return [{name: item for name, item in row.items() if item is not MISSING} for row in found]


def is_harmless(plan: Any, given: list[dict[str, Any]]) -> bool:
    """Whether the plan gives documents, or an error of our own, and leaves what it was given as it was."""
    before, rows = repr(given), []
    try:
        rows = list(DocumentEngine().collect(plan, {"t": Table(documents=given)}).documents)
    except XRepoError:
        pass
    return repr(given) == before and all(type(row) is dict for row in rows)


@pytest.mark.parametrize(
    "stage",
    [
        {"$sort": {"a": 1, "k": -1}},
        {"$unwind": "$a"},
        {"$bucketAuto": {"groupBy": "$a", "buckets": 2, "granularity": "E24"}},
        {"$densify": {"field": "a", "range": {"step": 1000.5, "bounds": "full"}}},
        {"$densify": {"field": "a", "range": {"step": 500, "unit": "year", "bounds": "full"}}},
        {"$fill": {"sortBy": {"t": 1}, "output": {"a": {"method": "linear"}}}},
        {"$lookup": {"from": "t", "localField": "a", "foreignField": "k", "as": "r"}},
        {
            "$setWindowFields": {
                "sortBy": {"t": 1},
                "output": {"x": {"$sum": "$a", "window": {"range": [-1, 1]}}},
            }
        },
        {
            "$setWindowFields": {
                "sortBy": {"t": 1},
                "output": {"x": {"$integral": {"input": "$a", "unit": "day"}}},
            }
        },
        {"$set": {"a.b": "$k", "k.c": "$$REMOVE"}},
        {"$match": {"a.0.b": {"$gte": 1}, "k": {"$not": {"$type": "array"}}}},
    ],
)
def test_stages(stage: Any) -> None:
    chance = random.Random(str(stage))
    plan = parse_pipeline([stage], Scan("t"))
    assert all(is_harmless(plan, documents(chance)) for _ in range(60))


@pytest.mark.parametrize(
    "op", ["$set", "$inc", "$mul", "$min", "$max", "$push", "$addToSet", "$pull", "$pullAll"]
)
def test_updates_leave_what_was_given(op: str) -> None:
    chance = random.Random(op)
    for _ in range(80):
        given, value = documents(chance), chance.choice(ODD)
        before = repr(given)
        try:
            update = parse_update(
                {op: {chance.choice(["a", "a.0", "a.b"]): [value] if op == "$pullAll" else value}}
            )
            apply_update(given, parse_filter({}), update, multi=True)
        except XRepoError:
            pass
        assert repr(given) == before


MANY = {"$range": [0, 1_000_000]}


@pytest.mark.parametrize(
    "endless",
    [
        {"$size": {"$setUnion": [MANY] * 50}},
        {"$size": {"$concatArrays": [MANY] * 50}},
    ],
)
def test_a_constant_that_takes_too_long_is_refused_when_it_is_read(endless: Any) -> None:
    with pytest.raises(XRepoLimitError, match="longer than 1 s"):
        parse_pipeline([{"$bucket": {"groupBy": "$a", "boundaries": [0, endless]}}], Scan("rows"))
