"""Rules of optimisation: what moves, and what must stay where it is."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Join, Match, Plan, Project, Scan, Unwind
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

T = Scan("t")


def plan(stages: list[Any]) -> Plan:
    return parse_pipeline(stages, T)


M = {"$match": {"b": 2}}
LOOKUP = {"$lookup": {"from": "u", "pipeline": [{"$unset": "w"}], "as": "c"}}
BOTH = {"$match": {"$and": [{"a": 1}, {"b": 2}]}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Filters move down and meet.
        ([{"$match": {"a": 1}}, M], [BOTH]),
        ([{"$sort": {"a": 1}}, M], [M, {"$sort": {"a": 1}}]),
        ([{"$addFields": {"x": 1}}, M], [M, {"$addFields": {"x": 1}}]),
        (
            [{"$match": {"a": 1}}, {"$addFields": {"x": "$c.d"}}, {"$match": {"x": 1, "b": 2}}],
            [BOTH, {"$addFields": {"x": "$c.d"}}, {"$match": {"x": 1}}],
        ),
        ([{"$unset": "c"}, M], [M, {"$unset": "c"}]),
        ([{"$project": {"b": 1, "x": {"$abs": "$c"}}}, M], [M, {"$project": {"b": 1, "x": {"$abs": "$c"}}}]),
        ([{"$project": {"c": 0}}, M], [M, {"$project": {"c": 0}}]),
        ([{"$unwind": "$c"}, M], [M, {"$unwind": "$c"}]),
        (
            [{"$lookup": {"from": "u", "localField": "a", "foreignField": "k", "as": "c"}}, M],
            [M, {"$lookup": {"from": "u", "localField": "a", "foreignField": "k", "as": "c"}}],
        ),
        (
            [{"$unionWith": "u"}, M],
            [M, {"$unionWith": {"coll": "u", "pipeline": [M]}}],
        ),
        # Past pure renames, under the old name.
        (
            [{"$project": {"x": "$b"}}, {"$match": {"x.y": 2}}],
            [{"$match": {"b.y": 2}}, {"$project": {"x": "$b"}}],
        ),
        (
            [{"$replaceWith": {"x": "$b", "y": 1}}, {"$match": {"x": 2}}],
            [M, {"$replaceWith": {"x": "$b", "y": 1}}],
        ),
        # Past a group and a window, by their key.
        (
            [{"$group": {"_id": "$b", "n": {"$sum": 1}}}, {"$match": {"_id": 2, "n": 3}}],
            [M, {"$group": {"_id": "$b", "n": {"$sum": 1}}}, {"$match": {"n": 3}}],
        ),
        # Into a lookup whose rows are laid out.
        (
            [LOOKUP, {"$unwind": "$c"}, {"$match": {"c.v": 2, "a": 1}}],
            [
                {"$match": {"a": 1}},
                {"$lookup": {"from": "u", "pipeline": [{"$match": {"v": 2}}, {"$unset": "w"}], "as": "c"}},
                {"$unwind": "$c"},
            ],
        ),
        # Limits move down, skips and sorts add up.
        ([{"$limit": 5}, {"$limit": 3}], [{"$limit": 3}]),
        ([{"$skip": 2}, {"$skip": 3}], [{"$skip": 5}]),
        ([{"$skip": 2}, {"$limit": 3}], [{"$limit": 5}, {"$skip": 2}]),
        (
            [{"$sort": {"a": 1}}, {"$project": {"a": 1}}, {"$limit": 3}],
            [{"$sort": {"a": 1}}, {"$limit": 3}, {"$project": {"a": 1}}],
        ),
        ([{"$sort": {"a": -1}}, {"$sort": {"b": 1, "a": -1}}], [{"$sort": {"b": 1, "a": -1}}]),
        (
            [{"$unionWith": "u"}, {"$limit": 3}],
            [{"$limit": 3}, {"$unionWith": {"coll": "u", "pipeline": [{"$limit": 3}]}}, {"$limit": 3}],
        ),
        # Stages without effect go, constants are worked out.
        ([{"$match": {}}, {"$skip": 0}], []),
        ([{"$addFields": {"a": "$a"}}], []),
        ([{"$match": {"$expr": {"$and": [True, {"$gt": ["$a", {"$add": [1, 2]}]}]}}}],
         [{"$match": {"$expr": {"$and": [{"$gt": ["$a", 3]}]}}}]),
        ([{"$addFields": {"x": {"$cond": [True, "$a", {"$ln": 0}]}}}], [{"$addFields": {"x": "$a"}}]),
        ([{"$match": {"$or": [{"a": 1}, {"a": 2}]}}], [{"$match": {"a": {"$in": [1, 2]}}}]),
        (
            [{"$match": {"$or": [{"a": 1}, {"b": 2}, {"c": {"$gt": 3}}, {"a": {"$in": [4, 5]}}, {"b": 6}]}}],
            [{"$match": {"$or": [{"a": {"$in": [1, 4, 5]}}, {"b": {"$in": [2, 6]}}, {"c": {"$gt": 3}}]}}],
        ),
        (
            [{"$match": {"$or": [{"a": 1}, {"b": 2, "c": 3}, {"a": 4}]}}],
            [{"$match": {"$or": [{"a": {"$in": [1, 4]}}, {"b": 2, "c": 3}]}}],
        ),
        ([{"$match": {"$or": [{"a": 1}, {}]}}], []),
        ([{"$match": {"a": {"$in": []}}}], [{"$match": {"$alwaysFalse": 1}}]),
        ([{"$match": {"a": {"$nin": []}}}], []),
    ],
)  # fmt: skip
def test_better_plans(before: list[Any], after: list[Any]) -> None:
    assert optimize(plan(before)) == plan(after)


FAILS = {"$match": {"$expr": {"$divide": [1, "$b"]}}}


@pytest.mark.parametrize(
    "stages",
    [
        [{"$limit": 3}, M],
        [{"$skip": 3}, M],
        [{"$addFields": {"b": 1}}, M],
        [{"$addFields": {"b.c": 1}}, M],
        [{"$addFields": {"x": "$a.b"}}, {"$match": {"x": 1}}],
        [{"$project": {"a": 1}}, M],
        [{"$project": {"b.c": 1}}, {"$match": {"b.c": 1}}],
        [{"$unset": "b.c"}, M],
        [{"$unwind": "$b"}, M],
        [{"$unwind": {"path": "$a", "includeArrayIndex": "b"}}, M],
        [{"$lookup": {"from": "u", "localField": "a", "foreignField": "k", "as": "b"}}, M],
        [{"$group": {"_id": "$a.b"}}, {"$match": {"_id": 1}}],
        [{"$group": {"_id": "$b"}}, {"$match": {"_id": {"$exists": True}}}],
        [{"$group": {"_id": "$b"}}, {"$match": {"_id": {"$type": "int"}}}],
        [{"$redact": "$$KEEP"}, M],
        [{"$facet": {"b": [{"$limit": 1}]}}, M],
        [{"$sample": {"size": 3}}, M],
        [LOOKUP, {"$unwind": {"path": "$c", "preserveNullAndEmptyArrays": True}}, {"$match": {"c.v": None}}],
        [LOOKUP, {"$match": {"c.v": 1}}],
        [{"$match": {"a": 1}}, FAILS],
        [{"$match": {"$or": [{"a": 1}, {"b": 2}, FAILS["$match"], {"a": 3}, {"b": 4}]}}],
        [{"$match": {"$or": [{"a": 1}, {"a": {"$gt": 3}}, {"b": 4}]}}],
        [{"$unwind": "$a"}, FAILS],
        [{"$unwind": "$a"}, {"$match": {"$sampleRate": 0.5}}],
        [{"$match": {"a": 1}}, {"$match": {"$expr": {"$gt": [{"$toInt": "$b"}, 1]}}}],
        [{"$sort": {"a": 1}}, {"$group": {"_id": "$b", "x": {"$first": "$a"}}}],
        [{"$unwind": "$a"}, {"$limit": 3}],
        [{"$sort": {"a": 1}}, {"$sort": {"b": -1}}],
        [{"$sort": {"a": -1}}, {"$sort": {"a": 1}}],
    ],
)  # fmt: skip
def test_what_must_stay_stays(stages: list[Any]) -> None:
    assert optimize(plan(stages)) == plan(stages)


def schema(names: str) -> Schema:
    return Schema(tuple(Field(name, DataType("int")) for name in names.split()))


LEFT = Project(Scan("l"), ((("k",), True), (("l_a",), True), (("_id",), False)), True)
RIGHT = Project(Scan("r"), ((("k",), True), (("r_a",), True), (("_id",), False)), True)
SIDES = {"l": schema("k l_a"), "r": schema("k r_a")}


def over(condition: Any, side: Plan) -> Plan:
    return optimize(Match(side, parse_filter(condition)))


@pytest.mark.parametrize(
    ("how", "condition", "left", "right"),
    [
        ("left", {"l_a": 1}, {"l_a": 1}, None),
        ("left", {"k": 1}, {"k": 1}, None),
        ("left", {"r_a": None}, None, None),
        ("left", {"r_a": {"$ne": 1}}, None, None),
        ("left", {"r_a": {"$in": [1, None]}}, None, None),
        ("inner", {"l_a": 1}, {"l_a": 1}, None),
        ("inner", {"r_a": 1}, None, {"r_a": 1}),
        ("right", {"r_a": 1}, None, {"r_a": 1}),
        ("right", {"l_a": 1}, None, None),
        ("outer", {"l_a": None}, None, None),
        ("outer", {"k": 1}, None, None),
        ("outer", {"r_a": 1}, None, None),
        ("semi", {"l_a": 1}, {"l_a": 1}, None),
        ("asof", {"r_a": 1}, None, None),
    ],
)
def test_filters_go_to_the_side_of_a_join_that_alone_decides(
    how: str, condition: Any, left: Any, right: Any
) -> None:
    view = Join(LEFT, RIGHT, (("k", "k"),), how=how)
    found = optimize(Match(view, parse_filter(condition)), SIDES)
    expected: Plan = Join(
        over(left, LEFT) if left else LEFT, over(right, RIGHT) if right else RIGHT, (("k", "k"),), how=how
    )
    if not (left or right):
        expected = Match(expected, parse_filter(condition))
    assert found == expected


@pytest.mark.parametrize(
    ("how", "condition", "narrower"),
    [
        ("left", {"r_a": 1}, "inner"),
        ("left", {"r_a": {"$in": [1, 2]}}, "inner"),
        ("left", {"$or": [{"r_a": {"$gt": 1}}, {"r_a": {"$regex": "x"}}]}, "inner"),
        ("outer", {"l_a": {"$lte": 1}}, "left"),
    ],
)
def test_a_condition_that_drops_rows_without_partner_narrows_the_join(
    how: str, condition: Any, narrower: str
) -> None:
    view = Join(LEFT, RIGHT, (("k", "k"),), how=how)
    found = optimize(Match(view, parse_filter(condition)), SIDES)
    left, right = (LEFT, over(condition, RIGHT)) if how == "left" else (over(condition, LEFT), RIGHT)
    assert found == Join(left, right, (("k", "k"),), narrower)


@pytest.mark.parametrize(
    ("condition", "kept"), [({"r.n": 5}, False), ({"r.n": None}, True), ({"r.n": {"$ne": 5}}, True)]
)
def test_a_condition_on_looked_up_rows_drops_what_found_none(condition: Any, kept: bool) -> None:
    lookup = {"from": "r", "localField": "k", "foreignField": "k", "as": "r"}
    unwind = {"path": "$r", "preserveNullAndEmptyArrays": True}
    plan = parse_pipeline([{"$lookup": lookup}, {"$unwind": unwind}, {"$match": condition}], Scan("l"))
    found = optimize(plan)
    assert isinstance(found, Match) is kept
    unwound = next(node for node in found.walk() if isinstance(node, Unwind))
    assert unwound.preserve_empty is kept


def test_a_side_that_must_be_unique_is_not_filtered_before_it_is_checked() -> None:
    view = Match(Join(LEFT, RIGHT, (("k", "k"),), "inner", "one_to_one"), parse_filter({"l_a": 1}))
    assert optimize(view, SIDES) == view


WIDE = {"t": schema("_id a b c d"), "u": schema("k v w")}


def kept(*names: str, hide_id: bool = True) -> Plan:
    fields = [((name,), True) for name in names]
    return Project(T, (*fields, *([(("_id",), False)] if hide_id else [])), True)


@pytest.mark.parametrize(
    ("stages", "names"),
    [
        ([{"$group": {"_id": "$a", "n": {"$sum": "$b"}}}], "a b"),
        ([{"$match": {"c": 1}}, {"$group": {"_id": "$a"}}], "a c"),
        ([{"$count": "n"}], "_id"),
        ([{"$addFields": {"x": "$a"}}, {"$group": {"_id": "$x"}}], "a"),
        ([{"$sort": {"b": 1}}, {"$replaceWith": {"x": "$a"}}], "a b"),
        (
            [{"$group": {"_id": None, "x": {"$top": {"sortBy": {"c": 1}, "output": "$a"}}}}],
            "a c",
        ),
        ([{"$facet": {"x": [{"$group": {"_id": "$a"}}], "y": [{"$sortByCount": "$b"}]}}], "a b"),
    ],
)
def test_unread_columns_are_left_at_the_scan(stages: list[Any], names: str) -> None:
    found = optimize(plan(stages), WIDE)
    scans = [node for node in found.walk() if isinstance(node, Project) and node.input == T]
    assert scans == [kept(*names.split(), hide_id="_id" not in names)]


@pytest.mark.parametrize(
    "stages",
    [
        [{"$match": {"a": 1}}],
        [{"$sort": {"a": 1}}, {"$limit": 3}],
        [{"$group": {"_id": None, "all": {"$push": "$$ROOT"}}}],
        [{"$facet": {"x": []}}],
        [{"$redact": "$$KEEP"}, {"$count": "n"}],
    ],
)
def test_all_columns_are_read_when_all_are_needed(stages: list[Any]) -> None:
    assert optimize(plan(stages), WIDE) == plan(stages)


def test_the_other_side_of_a_lookup_is_narrowed_too() -> None:
    steps = [{"$match": {"v": 1}}, {"$project": {"_id": 0, "k": 1}}]
    lookup = {"from": "u", "localField": "a", "foreignField": "k", "pipeline": steps, "as": "x"}
    found = optimize(plan([{"$lookup": lookup}]), WIDE)
    assert Project(Scan("u"), ((("k",), True), (("v",), True)), True) in list(found.walk())


def test_scans_that_are_not_worth_it_stay_whole() -> None:
    stages = [{"$group": {"_id": "$a"}}]
    assert optimize(plan(stages), WIDE, narrow=["u"]) == plan(stages)
    assert optimize(plan(stages), WIDE, narrow=["t"]) != plan(stages)
