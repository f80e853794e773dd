"""Types of values and conversions between them."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from asking import value
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from xrepo_nb.core.errors import XRepoQueryError

MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 6000, tzinfo=dt.UTC)
ID = ObjectId("507f191e810c19729de860ea")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (1, "int"),
        (2**31, "long"),
        (Int64(1), "long"),
        (1.0, "double"),
        (Decimal(1), "decimal"),
        (Decimal128("1"), "decimal"),
        ("a", "string"),
        ({}, "object"),
        ([], "array"),
        (b"", "binData"),
        (Binary(b"", 5), "binData"),
        (uuid.UUID(int=0), "binData"),
        (ID, "objectId"),
        (True, "bool"),
        (MOMENT, "date"),
        (dt.date(2024, 1, 1), "date"),
        (None, "null"),
        (re.compile("a"), "regex"),
        (Regex("a"), "regex"),
        (Timestamp(1, 1), "timestamp"),
        (Code("a"), "javascript"),
        (Code("a", {}), "javascriptWithScope"),
        (MinKey(), "minKey"),
        (MaxKey(), "maxKey"),
    ],
)
def test_type_names(given: Any, name: str) -> None:
    assert value({"$type": "$x"}, {"x": given}) == name


def test_missing_has_a_type() -> None:
    assert value({"$type": "$x"}) == "missing"


@pytest.mark.parametrize(
    ("op", "given", "expected"),
    [
        ("$toBool", "", True),
        ("$toBool", 0.0, False),
        ("$toBool", MOMENT, True),
        ("$toInt", 3.9, 3),
        ("$toInt", "-7", -7),
        ("$toInt", True, 1),
        ("$toLong", MOMENT, 1704164645006),
        ("$toLong", Decimal("5.9"), 5),
        ("$toDouble", "1e3", 1000.0),
        ("$toDouble", MOMENT, 1704164645006.0),
        ("$toDecimal", 0.1, Decimal("0.1")),
        ("$toDecimal", "1.50", Decimal("1.50")),
        ("$toString", 2.0, "2"),
        ("$toString", 0.1, "0.1"),
        ("$toString", 1e300, "1e+300"),
        ("$toString", True, "true"),
        ("$toString", MOMENT, "2024-01-02T03:04:05.006Z"),
        ("$toString", ID, "507f191e810c19729de860ea"),
        ("$toString", Decimal128("1.10"), "1.10"),
        ("$toDate", "2024-01-02T03:04:05.006Z", MOMENT),
        ("$toDate", Int64(1704164645006), MOMENT),
        ("$toDate", ID, ID.generation_time),
        ("$toObjectId", "507f191e810c19729de860ea", ID),
        ("$toUUID", str(uuid.UUID(int=7)), uuid.UUID(int=7)),
        ("$tsSecond", Timestamp(7, 2), 7),
        ("$tsIncrement", Timestamp(7, 2), 2),
    ],
)  # fmt: skip
def test_conversions(op: str, given: Any, expected: Any) -> None:
    assert value({op: "$x"}, {"x": given}) == expected
    assert value({op: None}) is None


@pytest.mark.parametrize(
    ("op", "given"),
    [
        ("$toInt", "1.5"),
        ("$toInt", " 1"),
        ("$toInt", "0x1F"),
        ("$toInt", 2**31),
        ("$toInt", float("nan")),
        ("$toInt", MOMENT),
        ("$toInt", []),
        ("$toLong", 2.0**63),
        ("$toDouble", "1e999"),
        ("$toDouble", Decimal("1e400")),
        ("$toDecimal", "one"),
        ("$toDate", 5),
        ("$toDate", "tomorrow"),
        ("$toObjectId", "507f"),
        ("$toObjectId", 1),
        ("$toString", {}),
        ("$toString", re.compile("a")),
        ("$toUUID", "x"),
        ("$tsSecond", MOMENT),
    ],
)
def test_refused_conversions(op: str, given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value({op: "$x"}, {"x": given})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"input": "x", "to": "int", "onError": -1}, -1),
        ({"input": None, "to": "int", "onNull": 0}, 0),
        ({"input": "1", "to": None}, None),
        ({"input": "1", "to": 16}, 1),
        ({"input": "ff", "to": "int", "base": 16}, 255),
        ({"input": 255, "to": "string", "base": 2}, "11111111"),
        ({"input": "aGk=", "to": "binData", "format": "base64"}, b"hi"),
        ({"input": "6869", "to": "binData", "format": "hex"}, b"hi"),
        ({"input": "hi", "to": {"type": "binData", "subtype": 0}, "format": "utf8"}, b"hi"),
        ({"input": b"hi", "to": "string", "format": "base64url"}, "aGk"),
        ({"input": b"hi", "to": "string", "format": "hex"}, "6869"),
        ({"input": 258, "to": "binData", "byteOrder": "big"}, b"\0\0\1\2"),
        ({"input": b"\2\1", "to": "int"}, 258),
    ],
)
def test_convert(options: Any, expected: Any) -> None:
    assert value({"$convert": options}) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"input": 1, "to": "nothing", "onError": 0},
        {"input": 1, "to": 1.5, "onError": 0},
        {"input": "a", "to": "binData"},
        {"input": "a", "to": "binData", "format": "rot13", "onError": 0},
        {"input": {}, "to": "object"},
        {"input": None, "to": "nope"},
        {"input": None, "to": 999},
        {"input": "YWJj", "to": {"type": "binData", "subtype": "x"}, "format": "base64"},
        {"input": "YWJj", "to": {"type": "binData", "subtype": 100}, "format": "base64"},
        {"input": "YWJj", "to": {"type": "binData", "subtype": 1000}, "format": "base64"},
    ],
)
def test_convert_refuses(options: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value({"$convert": options})


def test_binary_data_becomes_text_by_itself() -> None:
    assert value({"$toString": "$x"}, {"x": Binary(b"abc", 0)}) == "YWJj"


def test_every_value_has_a_hashed_index_key_null_and_missing_one() -> None:
    assert value({"$toHashedIndexKey": "string to hash"}) == 763543691661428748
    assert value({"$toHashedIndexKey": None}) == value({"$toHashedIndexKey": "$x"}) == 2338878944348059895
