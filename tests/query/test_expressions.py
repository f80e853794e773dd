"""Expressions and stages: normal forms, places of errors, what is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.query.check import check_fields
from xrepo_nb.query.expressions import ArrayExpr, Call, DocumentExpr, FieldRef, Let, Literal, Variable
from xrepo_nb.query.fingerprint import fingerprint
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_expression, parse_pipeline, parse_projection, parse_sort
from xrepo_nb.query.plan import (
    Accumulator,
    AddFields,
    Documents,
    FirstMatch,
    Group,
    Input,
    Limit,
    Lookup,
    Match,
    Project,
    Scan,
    SliceOf,
    Sort,
    SortKey,
    UnionWith,
    Unset,
    Unwind,
)
from xrepo_nb.query.predicates import EVERYTHING, Compare
from xrepo_nb.query.text import describe
from xrepo_nb.query.typing import output_schema
from xrepo_nb.query.unparsing import unparse

T = Scan("t")


def ref(path: str) -> FieldRef:
    return FieldRef(tuple(path.split(".")))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("$a.b", ref("a.b")),
        ("text", Literal("text")),
        (None, Literal(None)),
        ("$$ROOT", Variable("ROOT")),
        ("$$CURRENT.a", ref("a")),
        ([1, "$a"], ArrayExpr((Literal(1), ref("a")))),
        ([1, 2], Literal([1, 2])),
        ({"x": 1, "y": "$a"}, DocumentExpr((("x", Literal(1)), ("y", ref("a"))))),
        ({"$literal": "$a"}, Literal("$a")),
        ({"$abs": "$a"}, Call("$abs", (ref("a"),))),
        ({"$abs": ["$a"]}, Call("$abs", (ref("a"),))),
        (
            {"$cond": {"else": 2, "if": "$a", "then": 1}},
            Call("$cond", (ref("a"), Literal(1), Literal(2))),
        ),
        (
            {"$switch": {"branches": [{"case": "$a", "then": 1}], "default": 0}},
            Call("$switch", (ref("a"), Literal(1)), (("default", Literal(0)),)),
        ),
        (
            {"$map": {"in": "$$this.x", "input": "$a"}},
            Call(
                "$map",
                (),
                (("input", ref("a")), ("as", Literal("this")), ("in", Variable("this", ("x",)))),
            ),
        ),
        ({"$year": "$d"}, Call("$year", (), (("date", ref("d")),))),
        (
            {"$year": {"timezone": "UTC", "date": "$d"}},
            Call("$year", (), (("date", ref("d")), ("timezone", Literal("UTC")))),
        ),
        (
            {"$getField": "a.b"},
            Call("$getField", (), (("field", Literal("a.b")), ("input", Variable("CURRENT")))),
        ),
        (
            {"$regexMatch": {"input": "$a", "regex": re.compile("x", re.I)}},
            Call(
                "$regexMatch",
                (),
                (("input", ref("a")), ("regex", Literal("x")), ("options", Literal("i"))),
            ),
        ),
        (
            {"$let": {"vars": {"x": "$a"}, "in": "$$x"}},
            Let((("x", ref("a")),), Variable("x")),
        ),
        (
            {"$sortArray": {"input": "$a", "sortBy": {"b": -1}}},
            Call("$sortArray", (), (("input", ref("a")), ("sortBy", Literal({"b": -1})))),
        ),
    ],
)
def test_normal_forms(given: Any, expected: Any) -> None:
    assert parse_expression(given) == expected


def test_a_rebound_current_is_what_plain_fields_mean() -> None:
    found = parse_expression({"$let": {"vars": {"CURRENT": "$a"}, "in": "$b"}})
    assert found == Let((("CURRENT", ref("a")),), Variable("CURRENT", ("b",)))


@pytest.mark.parametrize(
    "given",
    [
        {"$abs": [1, 2]},
        {"$divide": [1]},
        {"$ifNull": ["$a"]},
        {"$cond": [1, 2]},
        {"$cond": {"if": 1, "then": 2}},
        {"$switch": {"branches": []}},
        {"$map": {"input": "$a"}},
        {"$map": {"input": "$a", "as": "X", "in": 1}},
        {"$filter": {"input": "$a", "cond": True, "as": "b-c"}},
        {"$let": {"vars": {"x": 1}}},
        {"$add": [1], "$abs": 1},
        {"a.b": 1},
        {"$a": 1},
        "$",
        "$a..b",
        "$a.",
        "$a.$b",
        "$$",
        "$$nobody",
        "$$DESCEND",
        {"$dateAdd": {"startDate": "$a", "unit": "day"}},
        {"$dateFromParts": {"month": 1}},
        {"$dateFromParts": {"year": 1, "isoWeek": 1}},
        {"$zip": {"inputs": []}},
        {"$zip": {"inputs": [["a"]], "defaults": [1]}},
        {"$sortArray": {"input": "$a", "sortBy": 2}},
        {"$percentile": {"input": "$a", "p": [2], "method": "approximate"}},
        {"$median": {"input": "$a", "method": "exact"}},
        {"$rand": 1},
        {"$regexMatch": {"input": "$a", "regex": "x", "options": "g"}},
        {"$year": {"date": "$a", "zone": "UTC"}},
        {"$year": {}},
        {"$setField": {"field": "$a", "input": "$$ROOT", "value": 1}},
        {"$function": {"body": "x", "args": [], "lang": "js"}},
        {"$meta": "textScore"},
        {"$getField": {"field": "a"}},
        {"$setField": {"field": {"$concat": ["a", "$b"]}, "input": "$$ROOT", "value": 1}},
        {"$unsetField": {"field": {"$add": [1, 2]}, "input": "$$ROOT"}},
        {"$percentile": {"input": "$a", "p": "$p", "method": "approximate"}},
    ],
)
def test_malformed_expressions_are_refused(given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_expression(given)


def test_count_is_a_group_and_sort_by_count_a_sorted_one() -> None:
    one = Accumulator("n", "$sum", (Literal(1),))
    count = Project(Group(T, Literal(None), (one,)), ((("_id",), False),), inclusive=False)
    assert parse_pipeline([{"$count": "n"}], T) == count
    by_city = Group(T, ref("city"), (Accumulator("count", "$sum", (Literal(1),)),))
    assert parse_pipeline([{"$sortByCount": "$city"}], T) == Sort(by_city, (SortKey(("count",), True),))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ({"$unset": "a.b"}, Unset(T, (("a", "b"),))),
        ({"$unwind": "$a"}, Unwind(T, ("a",))),
        (
            {"$unwind": {"path": "$a", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": True}},
            Unwind(T, ("a",), ("i",), True),
        ),
        ({"$set": {"a": {"b": 1}}}, AddFields(T, ((("a", "b"), Literal(1)),))),
        (
            {"$lookup": {"from": "u", "localField": "a", "foreignField": "b", "as": "c"}},
            Lookup(T, Scan("u"), ("c",), ("a",), ("b",)),
        ),
        (
            {"$lookup": {"from": "u", "let": {"x": "$a"}, "pipeline": [{"$limit": 1}], "as": "c"}},
            Lookup(T, Scan("u"), ("c",), let=(("x", ref("a")),), pipeline=Limit(Input(), 1)),
        ),
        ({"$unionWith": "u"}, UnionWith(T, Scan("u"))),
        (
            {"$unionWith": {"pipeline": [{"$documents": [{"a": 1}]}]}},
            UnionWith(T, Documents(Literal([{"a": 1}]))),
        ),
        ({"$project": {"a": 1, "b.c": True}}, Project(T, ((("a",), True), (("b", "c"), True)), True)),
        ({"$project": {"_id": 0, "a": 0}}, Project(T, ((("_id",), False), (("a",), False)), False)),
        ({"$project": {"x": "$a"}}, Project(T, ((("x",), ref("a")),), True)),
    ],
)
def test_stages(stage: Any, expected: Any) -> None:
    assert parse_pipeline([stage], T) == expected


SUM = {"$add": [1, 2]}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"$bucket": {"groupBy": "$a", "boundaries": [0, SUM], "default": {"$concat": ["a", "b"]}}},
         {"$bucket": {"groupBy": "$a", "boundaries": [0, 3], "default": "ab"}}),
        ({"$bucket": {"groupBy": "$a", "boundaries": [
            {"$toDate": "2024-01-01"}, {"$dateFromParts": {"year": 2024, "month": 2}}]}},
         {"$bucket": {"groupBy": "$a", "boundaries": [
             datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)]}}),
        ({"$setWindowFields": {"sortBy": {"a": 1}, "output": {
            "s": {"$shift": {"output": "$b", "by": 1, "default": SUM}}}}},
         {"$setWindowFields": {"sortBy": {"a": 1}, "output": {
             "s": {"$shift": {"output": "$b", "by": 1, "default": 3}}}}}),
        ({"$setWindowFields": {"sortBy": {"a": 1}, "output": {
            "s": {"$sum": "$b", "window": {"documents": [{"$subtract": [0, 1]}, SUM]}}}}},
         {"$setWindowFields": {"sortBy": {"a": 1}, "output": {
             "s": {"$sum": "$b", "window": {"documents": [-1, 3]}}}}}),
        ({"$setWindowFields": {"output": {"s": {"$minMaxScaler": {"input": "$b", "min": 1, "max": SUM}}}}},
         {"$setWindowFields": {"output": {"s": {"$minMaxScaler": {"input": "$b", "min": 1, "max": 3}}}}}),
        ({"$group": {"_id": None, "p": {"$percentile": {
            "input": "$a", "p": [{"$divide": [1, 2]}], "method": "approximate"}}}},
         {"$group": {"_id": None, "p": {"$percentile": {
             "input": "$a", "p": [0.5], "method": "approximate"}}}}),
        ({"$set": {"a": {"$setField": {"field": {"$concat": ["a", ".b"]}, "input": "$$ROOT", "value": 1}}}},
         {"$set": {"a": {"$setField": {"field": "a.b", "input": "$$ROOT", "value": 1}}}}),
        ({"$bucket": {"groupBy": "$a", "boundaries": [0, {"$let": {"vars": {"v": 3}, "in": "$$v"}}, {
            "$reduce": {"input": [4, 5], "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}]}},
         {"$bucket": {"groupBy": "$a", "boundaries": [0, 3, 9]}}),
        ({"$group": {"_id": None, "p": {"$percentile": {"input": "$a", "method": "approximate", "p": {
            "$map": {"input": [25, 50], "as": "x", "in": {"$divide": ["$$x", 100]}}}}}}},
         {"$group": {"_id": None, "p": {"$percentile": {
             "input": "$a", "method": "approximate", "p": [0.25, 0.5]}}}}),
    ],
)  # fmt: skip
def test_constant_options_may_be_expressions(given: Any, plain: Any) -> None:
    assert parse_pipeline([given], T) == parse_pipeline([plain], T)


@pytest.mark.parametrize(
    "boundary",
    [
        {"$let": {"vars": {"v": "$a"}, "in": 3}},
        {"$let": {"vars": {"v": 3}, "in": "$$ROOT"}},
        {"$reduce": {"input": [1], "initialValue": "$a", "in": "$$this"}},
        {"$size": {"$map": {"input": [1], "in": {"$add": ["$$this", "$a"]}}}},
        {"$size": {"$filter": {"input": "$a", "cond": "$$this"}}},
    ],
)
def test_options_that_depend_on_a_document_are_not_constant(boundary: Any) -> None:
    with pytest.raises(XRepoQueryError, match="must be constant"):
        parse_pipeline([{"$bucket": {"groupBy": "$a", "boundaries": [0, boundary, 9]}}], T)


def test_stages_know_their_place_but_are_not_told_apart_by_it() -> None:
    plan = parse_pipeline([{"$match": {"a": 1}}], T)
    assert isinstance(plan, Match) and plan.at == "pipeline[0].$match"
    assert plan == Match(T, Compare(("a",), "$eq", 1))


@pytest.mark.parametrize(
    ("stages", "place", "hint"),
    [
        ([{"$group": {"_id": None, "total": {"$summ": 1}}}], "pipeline[0].$group.total.$summ", "'$sum'"),
        ([{"$limit": 1}, {"$mach": {}}], "pipeline[1].$mach", "'$match'"),
        (
            [{"$project": {"x": {"$add": [1, {"$multply": [1, 2]}]}}}],
            "pipeline[0].$project.x.$add[1].$multply",
            "'$multiply'",
        ),
        ([{"$facet": {"f": [{"$limt": 1}]}}], "pipeline[0].$facet.f[0].$limt", "'$limit'"),
        (
            [{"$lookup": {"from": "u", "pipeline": [{"$sort": {"a": 2}}], "as": "c"}}],
            "pipeline[0].$lookup.pipeline[0].$sort.a",
            None,
        ),
        (
            [{"$lookup": {"from": "u", "localfield": "a", "foreignField": "b", "as": "c"}}],
            "pipeline[0].$lookup.localfield",
            "'localField'",
        ),
        ([{"$collStats": {}}], "pipeline[0].$collStats", "server"),
    ],
)
def test_an_error_names_the_place_and_the_nearest_name(stages: Any, place: str, hint: str | None) -> None:
    with pytest.raises(XRepoQueryError) as caught:
        parse_pipeline(stages, T)
    assert caught.value.at == place
    if hint is not None:
        assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "stage",
    [
        {},
        {"$limit": 1, "$skip": 1},
        3,
        {"$limit": 0},
        {"$limit": "1"},
        {"$skip": -1},
        {"$sort": {}},
        {"$sort": {"a": 0}},
        {"$group": {"n": {"$sum": 1}}},
        {"$group": {"_id": None, "n": 1}},
        {"$group": {"_id": None, "n": {"$sum": [1, 2]}}},
        {"$group": {"_id": None, "a.b": {"$sum": 1}}},
        {"$project": {}},
        {"$project": {"a": 1, "b": 0}},
        {"$project": {"a": {}}},
        {"$project": {"a": 1, "a.b": 1}},
        {"$addFields": {}},
        {"$unset": []},
        {"$unwind": "a"},
        {"$count": "a.b"},
        {"$count": "_id"},
        {"$count": ""},
        {"$sortByCount": "city"},
        {"$replaceRoot": {"newRoot": 1}},
        {"$redact": 1},
        {"$sample": {"size": -1}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [2, 1]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, "x"]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [re.compile("b"), re.compile("a")]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [{"$literal": {"a": 2}}, {"$literal": {"a": 1}}]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, 5], "default": 3}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, "$b"]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, {"$rand": {}}]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [3, {"$add": [1, 2]}]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, {"$divide": [1, 0]}]}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, 5], "default": {"$add": [1, 2]}}},
        {"$bucket": {"groupBy": "$a", "boundaries": [1, Decimal("sNaN")]}},
        {"$sort": {"a": 10**400}},
        {"$densify": {"field": "a", "range": {"step": Decimal("sNaN"), "bounds": "full"}}},
        {"$bucketAuto": {"groupBy": "$a", "buckets": 0}},
        {"$bucketAuto": {"groupBy": "$a", "buckets": 2, "granularity": "R6"}},
        {"$densify": {"field": "a", "range": {"step": 0, "bounds": "full"}}},
        {"$densify": {"field": "a", "range": {"step": 1, "bounds": "partition"}}},
        {"$fill": {"output": {"a": {"method": "linear"}}}},
        {"$fill": {"output": {}}},
        {"$setWindowFields": {"output": {"r": {"$rank": {}}}}},
        {"$setWindowFields": {"sortBy": {"a": 1}, "output": {"r": {"$rank": {}, "window": {}}}}},
        {"$setWindowFields": {"output": {"r": {"$sum": 1, "window": {"documents": [1, -1]}}}}},
        {"$setWindowFields": {"sortBy": {"a": 1}, "output": {"s": {
            "$sum": 1, "window": {"range": ["$b", 1]}}}}},
        {"$setWindowFields": {"sortBy": {"a": 1}, "output": {"s": {"$shift": {
            "output": "$b", "by": 1, "default": "$b"}}}}},
        {"$setWindowFields": {"output": {"s": {"$minMaxScaler": {"input": "$b", "min": {"$add": [1, 1]}}}}}},
        {"$graphLookup": {"from": "u", "startWith": "$a"}},
        {"$lookup": {"from": "u", "localField": "a", "as": "c"}},
        {"$unionWith": {"pipeline": []}},
        {"$facet": {"f": [{"$facet": {}}]}},
        {"$facet": {"f": [{"$out": "x"}]}},
        {"$documents": [1]},
        {"$merge": {"into": "x", "whenMatched": "explode"}},
        {"$merge": {"into": "x", "let": {"new": "$b"}, "whenMatched": []}},
    ],
)  # fmt: skip
def test_malformed_stages_are_refused(stage: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_pipeline([stage], T)


def test_some_stages_stand_first_and_some_last() -> None:
    for stages in ([{"$out": "x"}, {"$limit": 1}], [{"$limit": 1}, {"$documents": []}]):
        with pytest.raises(XRepoQueryError):
            parse_pipeline(stages, T)


def test_names_with_underscores_are_known_after_the_stage_that_gives_them() -> None:
    for stage in (
        {"$group": {"_id": None, "a__b": {"$sum": 1}}},
        {"$project": {"a__b": "$x", "output": 1}},
        {"$unwind": {"path": "$x", "includeArrayIndex": "a__b"}},
        {"$setWindowFields": {"output": {"a__b": {"$sum": 1}}}},
        {"$lookup": {"from": "u", "pipeline": [], "as": "a__b"}},
    ):
        plan = parse_pipeline([stage, {"$match": {"a__b": 1, "c__d": 1}}], T)
        assert isinstance(plan, Match)
        paths = [getattr(item, "path", None) for item in plan.predicate.children()]
        assert paths == [("a__b",), ("c", "d")]
    plan = parse_pipeline([{"$match": {"a__b": 1}}], T, fields=["a__b"])
    assert plan == Match(T, Compare(("a__b",), "$eq", 1))


def test_a_pipeline_is_bounded() -> None:
    with pytest.raises(XRepoLimitError, match="1000"):
        parse_pipeline([{"$limit": 1}] * 1001, T)


def test_find_projections() -> None:
    assert parse_projection(None) == ((), False)
    assert parse_projection(["a", "b"]) == (((("a",), True), (("b",), True)), True)
    assert parse_projection({"_id": 0, "a": 1}) == (((("_id",), False), (("a",), True)), True)
    assert parse_projection({"a": {"$slice": [1, 2]}}) == (((("a",), SliceOf(("a",), 1, 2)),), False)
    found, inclusive = parse_projection({"a.$": 1}, Compare(("a",), "$eq", 1))
    assert inclusive and isinstance(found[0][1], FirstMatch) and found[0][1].positional
    found, inclusive = parse_projection({"a": {"$elemMatch": {"b": 1}}}, EVERYTHING)
    assert inclusive and isinstance(found[0][1], FirstMatch)


@pytest.mark.parametrize("given", [{"a": 1, "b": 0}, {"a.$": 1, "b.$": 1}, {"a.$": 0}, {"a": {"$slice": []}}])
def test_malformed_projections_are_refused(given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_projection(given, EVERYTHING)


@pytest.mark.parametrize("given", [{"a": 1, "b": -1}, [("a", 1), ("b", -1)], ["a", "-b"]])
def test_sorts(given: Any) -> None:
    assert parse_sort(given) == (SortKey(("a",)), SortKey(("b",), True))


@pytest.mark.parametrize(
    "given",
    [
        {"a": 2},
        {"a": "asc"},
        {"$natural": 2},
        {"$natural": -1, "a": 1},
        [("a",)],
        {"a": {"$meta": "textScore"}},
        3,
        ["a", "a"],
    ],
)
def test_malformed_sorts_are_refused(given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        parse_sort(given)


def test_the_longest_pipeline_and_the_deepest_expression_pass_through_everything() -> None:
    long = parse_pipeline([{"$addFields": {"a": 1}}, {"$match": {"b": 1}}] * 500, T)
    deep: Any = "$a"
    for _ in range(90):
        deep = {"$abs": deep}
    for plan in (long, parse_pipeline([{"$addFields": {"q": deep}}, {"$match": {"$expr": deep}}], T)):
        check_fields(plan, {})
        for use in (optimize, fingerprint, describe, unparse, lambda plan: output_schema(plan, {})):
            use(plan)
        assert plan.transform(lambda node: node) is plan
        assert plan.sources() == ("t",)
