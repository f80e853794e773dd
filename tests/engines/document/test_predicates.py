"""Matching: paths into arrays, null and missing, brackets of types."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from asking import matches
from bson import Code, Int64, MaxKey, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS

from xrepo_nb.engines.document import compile_predicate, values
from xrepo_nb.query.parsing import parse_filter

NAN = float("nan")
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("filter", "document", "expected"),
    [
        # equality
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1}, {"a": Decimal(1)}, True),
        ({"a": 1}, {"a": Int64(1)}, True),
        ({"a": NAN}, {"a": NAN}, True),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": [1, None]}, True),
        ({"a": None}, {"a": []}, False),
        ({"a": {"$ne": None}}, {"a": 0}, True),
        ({"a": [1, 2]}, {"a": [1, 2]}, True),
        ({"a": [1, 2]}, {"a": [[1, 2]]}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, False),
        ({"a": {}}, {"a": {"x": 1}}, False),
        ({"a": NOON}, {"a": NOON.replace(tzinfo=None)}, True),
        ({"a": uuid.UUID(int=1)}, {"a": uuid.UUID(int=1)}, True),
        # paths
        ({"a.b": 1}, {"a": {"b": 1}}, True),
        ({"a.b": 1}, {"a": [{"b": 2}, {"b": [0, 1]}]}, True),
        ({"a.b": 1}, {"a": [[{"b": 1}]]}, False),
        ({"a.0": 1}, {"a": [1, 2]}, True),
        ({"a.1.b": 3}, {"a": [{"b": 1}, {"b": 3}]}, True),
        ({"a.0": 1}, {"a": {"0": 1}}, True),
        ({"a.00": 1}, {"a": [1]}, False),
        ({"$jsonSchema": {"properties": {"a": {"maximum": 5}}}}, {"a": NAN}, False),
        ({"a.0": 1}, {"a": [{"0": 1}]}, True),
        ({"a.0.b": 1}, {"a": [[{"b": 1}]]}, True),
        ({"a.b": None}, {"a": [{"b": 1}, {}]}, True),
        ({"a.b": None}, {"a": 5}, True),
        ({"a.b": None}, {"a": [5]}, False),
        ({"a.b": None}, {"a": []}, False),
        ({"a.b": {"$exists": False}}, {"a": [5]}, True),
        # order
        ({"a": {"$gt": 1}}, {"a": "z"}, False),
        ({"a": {"$gt": 1}}, {"a": [0, 2]}, True),
        ({"a": {"$gt": "a"}}, {"a": "b"}, True),
        ({"a": {"$lt": 5}}, {"a": NAN}, False),
        ({"a": {"$lte": NAN}}, {"a": NAN}, True),
        ({"a": {"$gte": NAN}}, {"a": 1}, False),
        ({"a": {"$gte": None}}, {}, True),
        ({"a": {"$gt": None}}, {"a": 1}, False),
        ({"a": {"$gt": [1]}}, {"a": [2]}, True),
        ({"a": {"$lt": {"x": 2}}}, {"a": {"x": 1}}, True),
        ({"a": {"$gt": MinKey()}}, {"a": "x"}, True),
        ({"a": {"$lt": MaxKey()}}, {}, True),
        ({"a": {"$gte": True}}, {"a": True}, True),
        ({"a": {"$gt": NOON}}, {"a": NOON + dt.timedelta(seconds=1)}, True),
        ({"a": {"$gt": 1, "$lt": 3}}, {"a": [0, 4]}, True),
        ({"a": {"$lte": NOON}}, {"a": DatetimeMS(-(10**15))}, True),
        ({"a": {"$gt": DatetimeMS(10**15)}}, {"a": NOON}, False),
        ({"a": {"$gte": DatetimeMS(10**15)}}, {"a": DatetimeMS(10**15)}, True),
        ({"a": "x"}, {"a": Code("x")}, False),
        # membership
        ({"a": {"$in": [1, "x"]}}, {"a": ["x"]}, True),
        ({"a": {"$in": [None]}}, {}, True),
        ({"a": {"$in": []}}, {"a": 1}, False),
        ({"a": {"$in": [1]}}, {"a": True}, False),
        ({"a": {"$in": [1]}}, {"a": 1.0}, True),
        ({"a": {"$nin": [1]}}, {"a": [1, 2]}, False),
        ({"a": {"$nin": [1]}}, {}, True),
        # element
        ({"a": {"$exists": True}}, {"a": None}, True),
        ({"a": {"$type": "number"}}, {"a": Decimal(1)}, True),
        ({"a": {"$type": "array"}}, {"a": [1]}, True),
        ({"a": {"$type": ["string", "null"]}}, {"a": [None]}, True),
        ({"a": {"$type": "objectId"}}, {"a": ObjectId()}, True),
        ({"a": {"$type": "null"}}, {}, False),
        # arrays
        ({"a": {"$size": 2}}, {"a": [1, [2]]}, True),
        ({"a": {"$size": 1}}, {"a": [[1, 2]]}, True),
        ({"a": {"$size": 2}}, {"a": [[1, 2]]}, False),
        ({"a": {"$all": [1, 2]}}, {"a": [2, 1, 3]}, True),
        ({"a": {"$all": [1]}}, {"a": 1}, True),
        ({"a": {"$all": []}}, {"a": []}, False),
        ({"a": {"$all": [[1]]}}, {"a": [[1]]}, True),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": [0, 4]}, False),
        ({"a": {"$elemMatch": {"x": 1, "y": 2}}}, {"a": [{"x": 1, "y": 2}]}, True),
        ({"a": {"$elemMatch": {"x": 1, "y": 2}}}, {"a": [{"x": 1}, {"y": 2}]}, False),
        ({"a": {"$elemMatch": {"$in": [2]}}}, {"a": 2}, False),
        ({"a": {"$elemMatch": {"0": 7}}}, {"a": [[7]]}, True),
        ({"a": {"$not": {"$elemMatch": {"$gt": 1}}}}, {"a": [1]}, True),
        # numbers
        ({"a": {"$mod": [4, 1]}}, {"a": 5.9}, True),
        ({"a": {"$mod": [4, -1]}}, {"a": -5}, True),
        ({"a": {"$mod": [4, 0]}}, {"a": "8"}, False),
        ({"a": {"$mod": [4, 0]}}, {"a": NAN}, False),
        ({"a": {"$bitsAllSet": 5}}, {"a": 7}, True),
        ({"a": {"$bitsAllSet": [0, 2]}}, {"a": 4}, False),
        ({"a": {"$bitsAnyClear": [0]}}, {"a": -2}, True),
        ({"a": {"$bitsAllClear": 1}}, {"a": 2.5}, False),
        ({"a": {"$bitsAnySet": b"\x01"}}, {"a": b"\x03"}, True),
        # logic
        ({"$or": [{"a": 1}, {"b": 2}]}, {"b": 2}, True),
        ({"$nor": [{"a": 1}, {"b": 2}]}, {"b": 2}, False),
        ({"a": {"$not": {"$gt": 1}}}, {}, True),
        ({"$expr": {"$gt": ["$a", "$b"]}}, {"a": 2, "b": 1}, True),
        ({"$expr": "$a"}, {"a": 0}, False),
    ],
)
def test_matching(filter: Any, document: Any, expected: bool) -> None:
    assert matches(filter, document) is expected


@pytest.mark.parametrize(
    ("schema", "document", "expected"),
    [
        ({"required": ["a"]}, {"a": None}, True),
        ({"required": ["a"]}, {}, False),
        ({"properties": {"a": {"bsonType": "int"}}}, {"a": 2**40}, False),
        ({"properties": {"a": {"bsonType": ["int", "null"]}}}, {"a": None}, True),
        ({"properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": True}}}, {"a": 1}, False),
        ({"properties": {"a": {"minimum": 1}}}, {"a": "x"}, True),
        ({"properties": {"a": {"multipleOf": 0.5}}}, {"a": 1.5}, True),
        ({"properties": {"a": {"minLength": 2, "maxLength": 3}}}, {"a": "😀a"}, True),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": "yx"}, False),
        ({"properties": {"a": {"enum": [{"x": 1, "y": 2}]}}}, {"a": {"y": 2, "x": 1}}, True),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]}, False),
        (
            {"properties": {"a": {"items": [{"type": "string"}], "additionalItems": False}}},
            {"a": ["x", 1]},
            False,
        ),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [1, 1.0]}, False),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1, "b": 2}, False),
        ({"patternProperties": {"^n_": {"type": "number"}}}, {"n_x": "1"}, False),
        (
            {"patternProperties": {"^n_": {}}, "additionalProperties": {"type": "string"}},
            {"n_x": 1, "b": 2},
            False,
        ),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, False),
        ({"dependencies": {"a": {"required": ["b"]}}}, {"b": 1}, True),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}, True),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 1}, False),
        ({"allOf": [{"required": ["a"]}, {"not": {"required": ["b"]}}]}, {"a": 1}, True),
        ({"minProperties": 2}, {"a": 1}, False),
    ],
)
def test_json_schema(schema: Any, document: Any, expected: bool) -> None:
    assert matches({"$jsonSchema": schema}, document) is expected


def test_a_large_in_is_one_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Any] = []
    hash_key = values.hash_key
    monkeypatch.setattr(values, "hash_key", lambda value: (looked_at.append(value), hash_key(value))[1])
    test = compile_predicate(parse_filter({"a": {"$in": [n / 2 for n in range(1001)]}}))
    looked_at.clear()
    assert sum(test({"a": n / 2}) for n in range(900, 1100)) == 101
    assert len(looked_at) == 200


def test_variables_are_read_at_each_call() -> None:

    scope = {"low": 1}
    test = compile_predicate(parse_filter({"$expr": {"$gt": ["$a", "$$low"]}}, variables=scope), scope)
    assert test({"a": 2})
    scope["low"] = 5
    assert not test({"a": 2})
