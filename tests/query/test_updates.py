"""Updates: operators, positions, array filters, pipelines."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.parsing import parse_update
from xrepo_nb.query.plan import AddFields, Input, SortKey
from xrepo_nb.query.predicates import Compare
from xrepo_nb.query.updates import (
    AddToSet,
    Arithmetic,
    Bit,
    CurrentDate,
    FieldUpdate,
    PipelineUpdate,
    Pop,
    Pull,
    PullAll,
    Push,
    Rename,
    Replacement,
    SetValue,
    UnsetField,
)

A = ("a",)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"$set": {"a.b": {"x": 1}}}, SetValue(("a", "b"), {"x": 1})),
        ({"$setOnInsert": {"a": 1}}, SetValue(A, 1, on_insert=True)),
        ({"$unset": {"a": ""}}, UnsetField(A)),
        ({"$rename": {"a": "b.c"}}, Rename(A, ("b", "c"))),
        ({"$inc": {"a": -2}}, Arithmetic(A, "$inc", -2)),
        ({"$max": {"a": "x"}}, Arithmetic(A, "$max", "x")),
        ({"$currentDate": {"a": {"$type": "timestamp"}}}, CurrentDate(A, True)),
        ({"$bit": {"a": {"or": 4, "and": 6}}}, Bit(A, (("or", 4), ("and", 6)))),
        ({"$push": {"a": 1}}, Push(A, (1,))),
        (
            {"$push": {"a": {"$each": [1, 2], "$sort": {"b": -1}, "$slice": -3, "$position": 0}}},
            Push(A, (1, 2), 0, -3, (SortKey(("b",), True),)),
        ),
        ({"$addToSet": {"a": {"$each": [1, 2]}}}, AddToSet(A, (1, 2))),
        ({"$pop": {"a": -1}}, Pop(A, first=True)),
        ({"$pullAll": {"a": [1]}}, PullAll(A, (1,))),
        ({"$pull": {"a": 1}}, PullAll(A, (1,))),
        ({"$pull": {"a": {"$gt": 1}}}, Pull(A, Compare((), "$gt", 1), True)),
        ({"$pull": {"a": {"b": 1}}}, Pull(A, Compare(("b",), "$eq", 1), False)),
        ({"$set": {"a.$.b": 1}}, SetValue(("a", "$", "b"), 1)),
        ({"$set": {"a.$[].b": 1}}, SetValue(("a", "$[]", "b"), 1)),
    ],
)
def test_operators(given: Any, expected: Any) -> None:
    assert parse_update(given) == FieldUpdate((expected,))


def test_replacements_and_pipelines() -> None:
    assert parse_update({"a": 1}) == Replacement({"a": 1})
    found = parse_update([{"$set": {"a": 1}}])
    assert isinstance(found, PipelineUpdate)
    assert isinstance(found.plan, AddFields) and found.plan.input == Input()


def test_array_filters_belong_to_their_names() -> None:
    found = parse_update({"$set": {"a.$[x].b": 1}}, [{"x.c": {"$gt": 3}}])
    assert found == FieldUpdate((SetValue(("a", "$[x]", "b"), 1),), (("x", Compare(("x", "c"), "$gt", 3)),))


@pytest.mark.parametrize(
    ("given", "filters"),
    [
        ({"$set": {"a": 1}, "b": 2}, None),
        ({"$sett": {"a": 1}}, None),
        ({"$set": 3}, None),
        ({"$set": {"": 1}}, None),
        ({"$set": {"a..b": 1}}, None),
        ({"$set": {"$a": 1}}, None),
        ({"$set": {"$[].a": 1}}, None),
        ({"$set": {"a.$.b.$": 1}}, None),
        ({"$set": {"a": 1}, "$inc": {"a": 1}}, None),
        ({"$set": {"a": 1, "a.b": 1}}, None),
        ({"$rename": {"a": "a"}}, None),
        ({"$rename": {"a": 3}}, None),
        ({"$inc": {"a": "1"}}, None),
        ({"$mul": {"a": None}}, None),
        ({"$pop": {"a": 2}}, None),
        ({"$bit": {"a": {"nand": 1}}}, None),
        ({"$bit": {"a": {"or": 1.5}}}, None),
        ({"$push": {"a": {"$each": 1}}}, None),
        ({"$push": {"a": {"$each": [], "$sorted": 1}}}, None),
        ({"$pullAll": {"a": 1}}, None),
        ({"$currentDate": {"a": "now"}}, None),
        ({"$set": {"a.$[x]": 1}}, None),
        ({"$set": {"a": 1}}, [{"x": 1}]),
        ({"$set": {"a.$[x]": 1}}, [{"x": 1}, {"x": 2}]),
        ({"$set": {"a.$[x]": 1}}, [{"x": 1, "y": 1}]),
        ({"$set": {"a.$[X]": 1}}, [{"X": 1}]),
        ([], None),
        ([{"$match": {}}], None),
        (None, None),
    ],
)
def test_malformed_updates_are_refused(given: Any, filters: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_update(given, filters)
