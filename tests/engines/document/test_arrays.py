"""Arrays, sets and documents as values."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from asking import value

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.core.missing import MISSING

NAN = float("nan")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"$arrayElemAt": [[1, 2], -1]}, 2),
        ({"$arrayElemAt": [[1, 2], 1.0]}, 2),
        ({"$arrayElemAt": [None, 0]}, None),
        ({"$first": [[]]}, MISSING),
        ({"$last": "$no"}, None),
        ({"$firstN": {"n": 2, "input": [1, None, 3]}}, [1, None]),
        ({"$lastN": {"n": 9, "input": [1, 2]}}, [1, 2]),
        ({"$maxN": {"n": 2, "input": [1, None, "a", 3]}}, ["a", 3]),
        ({"$minN": {"n": 2, "input": [3, None, 1.5]}}, [1.5, 3]),
        ({"$concatArrays": [[1], [], [2]]}, [1, 2]),
        ({"$concatArrays": [[1], None]}, None),
        ({"$in": [1.0, [1]]}, True),
        ({"$in": [None, [1]]}, False),
        ({"$indexOfArray": [[1, 2, 1], 1, 1]}, 2),
        ({"$indexOfArray": [["$x"], None]}, 0),
        ({"$isArray": [[1]]}, True),
        ({"$reverseArray": [[1, 2]]}, [2, 1]),
        ({"$range": [0, 5, 2]}, [0, 2, 4]),
        ({"$range": [5, 0]}, []),
        ({"$slice": [[1, 2, 3], -2]}, [2, 3]),
        ({"$slice": [[1, 2, 3], -5, 2]}, [1, 2]),
        ({"$slice": [[1, 2, 3], 0]}, []),
        ({"$sortArray": {"input": [3, None, "a", 1.5], "sortBy": -1}}, ["a", 3, 1.5, None]),
        ({"$sortArray": {"input": [{"a": 2}, {}, {"a": 1}], "sortBy": {"a": 1}}}, [{}, {"a": 1}, {"a": 2}]),
        ({"$sortArray": {"input": [[2], [1, 5]], "sortBy": 1}}, [[1, 5], [2]]),
        ({"$zip": {"inputs": [[1, 2], ["a"]]}}, [[1, "a"]]),
        ({"$zip": {"inputs": [[1, 2], ["a"]], "useLongestLength": True}}, [[1, "a"], [2, None]]),
        ({"$zip": {"inputs": [[1], []], "useLongestLength": True, "defaults": [0, "z"]}}, [[1, "z"]]),
        ({"$zip": {"inputs": [None, [1]]}}, None),
        ({"$map": {"input": [1, 2], "in": {"$multiply": ["$$this", 2]}}}, [2, 4]),
        ({"$map": {"input": [1], "in": "$no"}}, [None]),
        ({"$filter": {"input": [1, 2, 3, 4], "cond": {"$gt": ["$$this", 1]}, "limit": 2}}, [2, 3]),
        ({"$filter": {"input": [1], "as": "x", "cond": {"$lt": ["$$x", 2]}, "limit": None}}, [1]),
        ({"$reduce": {"input": [1, 2], "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 3),
        ({"$reduce": {"input": [], "initialValue": 7, "in": "$$this"}}, 7),
        ({"$setUnion": [[3, 1], [1.0, 2]]}, [1, 2, 3]),
        ({"$setIntersection": [[1, 2, 2], [2, 3]]}, [2]),
        ({"$setDifference": [[3, 1, 3], [1]]}, [3]),
        ({"$setEquals": [[1, 2, 2], [2, 1], [1.0, 2]]}, True),
        ({"$setEquals": [[1], [2], None]}, False),
        ({"$setIsSubset": [[], [1]]}, True),
        ({"$setUnion": [[1], None]}, None),
        ({"$allElementsTrue": [[1, "", []]]}, True),
        ({"$anyElementTrue": [[0, None, False]]}, False),
        ({"$mergeObjects": [{"a": 1}, None, {"a": 2, "b": 3}]}, {"a": 2, "b": 3}),
        ({"$mergeObjects": []}, {}),
        ({"$objectToArray": {"a": 1}}, [{"k": "a", "v": 1}]),
        ({"$arrayToObject": [[["a", 1], ["a", 2]]]}, {"a": 2}),
        ({"$arrayToObject": [[{"k": "x", "v": None}]]}, {"x": None}),
        ({"$getField": {"field": "a.b", "input": {"$literal": {"a.b": 1}}}}, 1),
        ({"$getField": {"field": "a", "input": 5}}, MISSING),
        ({"$setField": {"field": {"$literal": "$x"}, "input": {}, "value": 1}}, {"$x": 1}),
        ({"$setField": {"field": "a", "input": {"a": 1}, "value": "$$REMOVE"}}, {}),
        ({"$unsetField": {"field": "a", "input": None}}, None),
        ({"$bsonSize": {"a": 1}}, 12),
        ({"$binarySize": "é"}, 2),
        ({"$size": [[1, 2]]}, 2),
        ({"$let": {"vars": {"a": 1, "b": {"$add": [1, 1]}}, "in": {"$add": ["$$a", "$$b"]}}}, 3),
    ],
)  # fmt: skip
def test_values(expression: Any, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        {"$arrayElemAt": ["a", 0]},
        {"$arrayElemAt": [[1], 0.5]},
        {"$first": 1},
        {"$firstN": {"n": 0, "input": [1]}},
        {"$firstN": {"n": 1, "input": None}},
        {"$concatArrays": [[1], 2]},
        {"$in": [1, 1]},
        {"$indexOfArray": [1, 1]},
        {"$range": [0, 10, 0]},
        {"$range": [0, 1.5]},
        {"$size": None},
        {"$slice": [[1], 1, 0]},
        {"$sortArray": {"input": 1, "sortBy": 1}},
        {"$zip": {"inputs": [1]}},
        {"$zip": {"inputs": []}},
        {"$map": {"input": 1, "in": 1}},
        {"$filter": {"input": [1], "cond": True, "limit": 0}},
        {"$reduce": {"input": "a", "initialValue": 0, "in": 1}},
        {"$setUnion": [[1], 2]},
        {"$setEquals": [[1], None]},
        {"$setIsSubset": [None, [1]]},
        {"$allElementsTrue": [None]},
        {"$mergeObjects": [{"a": 1}, 2]},
        {"$objectToArray": 1},
        {"$arrayToObject": [[["a", 1], {"k": "b", "v": 1}]]},
        {"$arrayToObject": [[[1, 1]]]},
        {"$setField": {"field": "a", "input": 5, "value": 1}},
        {"$bsonSize": 1},
        {"$binarySize": 1},
    ],
)
def test_wrong_arguments_are_refused(expression: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(expression)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, Decimal(1)),
        (0.0, -0.0),
        (NAN, NAN),
        (NAN, Decimal("NaN")),
        ([1], [1.0]),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_equal_values_are_one_in_sets(left: Any, right: Any) -> None:
    document = {"a": left, "b": right}
    assert value({"$eq": ["$a", "$b"]}, document)
    assert len(value({"$setUnion": [["$a"], ["$b"]]}, document)) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        ("1", 1),
        (None, MISSING),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (0.1, Decimal("0.1")),
    ],
)
def test_different_values_stay_different(left: Any, right: Any) -> None:
    assert not value({"$eq": ["$$x", "$$y"]}, x=left, y=right)


def test_order_over_types() -> None:
    ascending = [MISSING, None, NAN, -1, 0.5, Decimal(1), "", "a", {}, {"a": 1}, [], [1], b"", False, True]
    for low, high in pairwise(ascending):
        assert value({"$lt": ["$$x", "$$y"]}, x=low, y=high), (low, high)
        assert value({"$cmp": ["$$y", "$$x"]}, x=low, y=high) == 1


def test_paths_read_arrays_of_documents_without_positions() -> None:
    document = {"a": [{"b": 1}, {"c": 2}, {"b": [3]}, 4, [{"b": 5}]]}
    assert value("$a.b", document) == [1, [3]]
    assert value("$a.0", document) == []


def test_results_do_not_share_containers_with_constants() -> None:
    from xrepo_nb.engines.document import compile_expression
    from xrepo_nb.query.parsing import parse_expression

    evaluate = compile_expression(parse_expression({"$literal": {"a": [1]}}))
    evaluate({}, {})["a"].append(2)
    assert evaluate({}, {}) == {"a": [1]}


def test_ranges_are_bounded() -> None:
    with pytest.raises(XRepoLimitError):
        value({"$range": [0, 2**31 - 1]})


@pytest.mark.parametrize(
    "expression",
    [
        {"$indexOfArray": [[1, 2], 2, 0, None]},
        {"$indexOfBytes": ["abc", "c", 0, None]},
        {"$indexOfCP": ["abc", "c", 0, None]},
        {"$zip": {"inputs": [2, None]}},
    ],
)
def test_a_null_end_is_refused_and_so_is_what_stands_before_a_null(expression: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(expression)
