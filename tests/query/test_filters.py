"""Filters in MongoDB's and in Django's style."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import bson.regex
import pytest

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.query.expressions import Call, FieldRef, Literal
from xrepo_nb.query.parsing import parse_equal, parse_filter
from xrepo_nb.query.predicates import (
    EVERYTHING,
    All,
    And,
    Bits,
    Compare,
    ElemMatch,
    Exists,
    HasType,
    In,
    Mod,
    Not,
    Or,
    Regex,
    Size,
    Truth,
)

A = ("a",)


def eq(path: tuple[str, ...], value: Any) -> Compare:
    return Compare(path, "$eq", value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, EVERYTHING),
        ({}, EVERYTHING),
        ({"$comment": "why"}, EVERYTHING),
        ({"a": 1}, eq(A, 1)),
        ({"a.b": None}, eq(("a", "b"), None)),
        ({"a": {"x": 1}}, eq(A, {"x": 1})),
        ({"a": {}}, eq(A, {})),
        ({"a": [1, 2]}, eq(A, [1, 2])),
        ({"a": {"$gt": 1, "$lte": 5}}, And((Compare(A, "$gt", 1), Compare(A, "$lte", 5)))),
        ({"a": 1, "b": 2}, And((eq(A, 1), eq(("b",), 2)))),
        ({"a": {"$ne": 1}}, Not(eq(A, 1))),
        ({"a": {"$in": [1, None]}}, In(A, (1, None))),
        ({"a": {"$nin": []}}, Not(In(A, ()))),
        ({"a": {"$not": {"$gt": 3}}}, Not(Compare(A, "$gt", 3))),
        ({"$nor": [{"a": 1}]}, Not(Or((eq(A, 1),)))),
        ({"a": re.compile("^x", re.I)}, Regex(A, "^x", "i")),
        ({"a": {"$regex": "x", "$options": "mi"}}, Regex(A, "x", "im")),
        ({"a": {"$not": re.compile("x")}}, Not(Regex(A, "x"))),
        ({"a": {"$exists": 0}}, Exists(A, False)),
        ({"a": {"$type": ["int", 2, "int"]}}, HasType(A, ("int", "string"))),
        ({"a": {"$mod": [4, -1.7]}}, Mod(A, 4, -1)),
        ({"a": {"$size": 2.0}}, Size(A, 2)),
        ({"a": {"$all": [1, 2]}}, All(A, (eq(A, 1), eq(A, 2)))),
        ({"a": {"$elemMatch": {"$gt": 1}}}, ElemMatch(A, Compare((), "$gt", 1), True)),
        ({"a": {"$elemMatch": {"b": 1}}}, ElemMatch(A, eq(("b",), 1), False)),
        ({"a": {"$elemMatch": {"$or": [{"b": 1}]}}}, ElemMatch(A, Or((eq(("b",), 1),)), False)),
        ({"a": {"$bitsAllSet": [0, 3]}}, Bits(A, "$bitsAllSet", 9)),
        ({"a": {"$bitsAnyClear": b"\x01\x01"}}, Bits(A, "$bitsAnyClear", 257)),
        ({"$expr": {"$gt": ["$a", 1]}}, Truth(Call("$gt", (FieldRef(A), Literal(1))))),
    ],
)
def test_mongodb_style(given: Any, expected: Any) -> None:
    assert parse_filter(given) == expected


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"a__exact": 1}, {"a": 1}),
        ({"a__ne": 1}, {"a": {"$ne": 1}}),
        ({"a__gte": 3, "b__lt": 4}, {"a": {"$gte": 3}, "b": {"$lt": 4}}),
        ({"a__in": [1, 2]}, {"a": {"$in": [1, 2]}}),
        ({"a__nin": (1, 2)}, {"a": {"$nin": [1, 2]}}),
        ({"a__isnull": True}, {"a": None}),
        ({"a__isnull": False}, {"a": {"$ne": None}}),
        ({"a__exists": True}, {"a": {"$exists": True}}),
        ({"a__range": [1, 5]}, {"$and": [{"a": {"$gte": 1}}, {"a": {"$lte": 5}}]}),
        ({"a__contains": "x.y"}, {"a": {"$regex": r"x\.y"}}),
        ({"a__istartswith": "x"}, {"a": {"$regex": "^x", "$options": "i"}}),
        ({"a__regex": "^x+"}, {"a": {"$regex": "^x+"}}),
        ({"a__b__c": 1}, {"a.b.c": 1}),
        ({"a__b__in": [1]}, {"a.b": {"$in": [1]}}),
        ({"a__b": {"$gt": 1}}, {"a.b": {"$gt": 1}}),
        ({"a.b__gt": 1}, {"a.b": {"$gt": 1}}),
        ({"_id__in": [1]}, {"_id": {"$in": [1]}}),
    ],
)
def test_django_style_says_the_same(given: Any, same: Any) -> None:
    assert parse_filter(given) == parse_filter(same)


def test_underscores_that_belong_to_the_name_stay() -> None:
    assert parse_filter({"__v": 1}) == eq(("__v",), 1)
    assert parse_filter({"a__b": 1}, fields=["a__b"]) == eq(("a__b",), 1)
    assert parse_filter({"a__b__gt": 1}, fields=["a__b"]) == Compare(("a__b",), "$gt", 1)


def test_the_value_of_a_lookup_is_data() -> None:
    with pytest.raises(XRepoQueryError, match="plain data"):
        parse_filter({"name__exact": {"$ne": None}})


def test_values_from_outside_are_never_operators() -> None:
    assert parse_equal({"name": "x", "tags": [1]}) == And((eq(("name",), "x"), eq(("tags",), [1])))
    with pytest.raises(XRepoQueryError, match=r"\$ne"):
        parse_equal({"name": {"$ne": None}})


def test_what_the_caller_changes_later_does_not_reach_the_predicate() -> None:
    values = [1, [2]]
    predicate = parse_filter({"a": values, "b": {"$in": values}})
    values[1].append(3)  # type: ignore[attr-defined]
    assert predicate == And((eq(A, [1, [2]]), In(("b",), (1, [2]))))


@pytest.mark.parametrize(
    ("given", "place", "hint"),
    [
        ({"age": {"$gtt": 3}}, "filter.age.$gtt", "'$gt'"),
        ({"$an": [{"a": 1}]}, "filter.$an", "'$and'"),
        ({"$or": [{"a": 1}, {"b": {"$sized": 3}}]}, "filter.$or[1].b.$sized", "'$size'"),
        ({"$gt": 3}, "filter.$gt", "field"),
        ({"$where": "sleep(1)"}, "filter.$where", "expression operators"),
        ({"a": {"$near": [0, 0]}}, "filter.a.$near", "geographic"),
        ({"$expr": {"$function": {}}}, "filter.$expr.$function", "expression operators"),
    ],
)
def test_an_error_names_the_place_and_the_way_out(given: Any, place: str, hint: str) -> None:
    with pytest.raises(XRepoQueryError) as caught:
        parse_filter(given)
    assert caught.value.at == place
    assert caught.value.hint is not None and hint in caught.value.hint


@pytest.mark.parametrize(
    "given",
    [
        {"$and": []},
        {"$or": {"a": 1}},
        {"a": {"$eq": {"$undefined": True}}},
        {"a": {"$in": [{"$undefined": True}]}},
        {"$or": [1]},
        {"a": {"$in": 3}},
        {"a": {"$in": [{"$gt": 1}]}},
        {"a": {"$mod": [0, 1]}},
        {"a": {"$mod": [1]}},
        {"a": {"$size": -1}},
        {"a": {"$size": 1.5}},
        {"a": {"$type": "integer"}},
        {"a": {"$type": 99}},
        {"a": {"$type": []}},
        {"a": {"$options": "i"}},
        {"a": {"$regex": "x", "$options": "q"}},
        {"a": {"$regex": 3}},
        {"a": {"$not": 3}},
        {"a": {"$not": {}}},
        {"a": {"$all": [{"$gt": 1}]}},
        {"a": {"$elemMatch": 3}},
        {"a": {"$bitsAllSet": -1}},
        {"a": {"$bitsAllSet": [-1]}},
        {"a": {"$gt": 1, "b": 2}},
        {"a": {"$gt": re.compile("x")}},
        {"a": {"$in": ["y", re.compile(b"x")]}},
        {"a__in": [re.compile(b"x")]},
        {"$jsonSchema": {"typo": 1}},
        {"$jsonSchema": {"type": "integer"}},
        {"$jsonSchema": {"enum": [1, {"a": 1}, {"a": 1.0}]}},
        {"$jsonSchema": {"enum": [bson.regex.Regex("x"), {"a": 1}, bson.regex.Regex("x")]}},
        {"$jsonSchema": {"enum": [Decimal("sNaN"), math.nan]}},
        {"$sampleRate": 10**400},
        {"$sampleRate": 2},
        {"a__in": 3},
        {"a__range": [1]},
        {"a__isnull": 1},
        {"a": {1, 2}},
        {3: 1},
        "name = 'x'",
    ],
)
def test_malformed_filters_are_refused(given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_filter(given)


def test_depth_is_bounded() -> None:
    deep: Any = {"a": 1}
    for _ in range(5000):
        deep = {"$and": [deep]}
    with pytest.raises(XRepoLimitError, match="levels"):
        parse_filter(deep)


def test_depth_within_the_bound_is_fine() -> None:
    deep: Any = {"a": 1}
    for _ in range(49):
        deep = {"$and": [deep]}
    assert list(parse_filter(deep).walk())[-1] == parse_filter({"a": 1})


def test_long_patterns_and_far_bits_are_bounded() -> None:
    with pytest.raises(XRepoLimitError):
        parse_filter({"a": {"$regex": "x" * 40_000}})
    with pytest.raises(XRepoLimitError):
        parse_filter({"a": {"$in": [re.compile("x" * 40_000)]}})
    with pytest.raises(XRepoLimitError):
        parse_filter({"a": {"$bitsAllSet": [2**40]}})
    with pytest.raises(XRepoLimitError):
        parse_filter({".".join("a" * 500): 1})
    with pytest.raises(XRepoLimitError):
        parse_filter({"a" * 10_000: 1})


def test_messages_stay_short_whatever_was_asked() -> None:
    for given in ({"$" + "a" * 1_000_000: 1}, {"a" * 1_000_000: 1}, {"a": {"$" + "a" * 1_000_000: 1}}):
        with pytest.raises(XRepoQueryError) as caught:
            parse_filter(given)
        assert len(str(caught.value)) < 2000


def test_a_large_in_is_taken_as_it_is() -> None:
    predicate = parse_filter({"a": {"$in": list(range(200_000))}})
    assert isinstance(predicate, In) and len(predicate.values) == 200_000


def test_a_pipeline_in_place_of_a_filter_is_told_where_it_goes() -> None:
    with pytest.raises(XRepoQueryError, match=r"not array.*pipeline=\[\.\.\.\]"):
        parse_filter([{"$match": {"a": 1}}])


@pytest.mark.parametrize(
    "values",
    [
        [1, True, "1", None],
        [bson.regex.Regex("x"), bson.regex.Regex("x", "i"), re.compile("x")],
        [[1], {"0": 1}],
    ],
)
def test_an_enum_takes_values_of_every_type_that_differ(values: Any) -> None:
    assert parse_filter({"$jsonSchema": {"enum": values}}) is not None
