"""Splitting a plan into what a source runs and what is left."""

from __future__ import annotations

from typing import Any

from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Join, Scan
from xrepo_nb.query.splitting import split
from xrepo_nb.resources.base import Capabilities

T = Scan("t")
SOURCE = Capabilities(
    filters=frozenset({"Compare", "In", "And", "Truth"}),
    stages=frozenset({"Match", "Project", "Sort", "Limit", "Group"}),
    expressions=frozenset({"$add"}),
    accumulators=frozenset({"$sum"}),
)


def plan(*stages: Any) -> Any:
    return parse_pipeline(list(stages), T)


def test_everything_may_be_native() -> None:
    whole = plan({"$match": {"a": 1}}, {"$group": {"_id": "$b", "n": {"$sum": {"$add": ["$a", 1]}}}})
    found = split(whole, SOURCE)
    assert (found.native, found.residual, found.reasons) == (whole, T, ())


def test_the_longest_prefix_is_native_and_the_rest_says_why_not() -> None:
    found = split(plan({"$sort": {"a": 1}}, {"$limit": 5}, {"$unwind": "$b"}, {"$limit": 2}), SOURCE)
    assert found.native == plan({"$sort": {"a": 1}}, {"$limit": 5})
    assert found.residual == plan({"$unwind": "$b"}, {"$limit": 2})
    assert found.reasons == (("Unwind", "the source has no Unwind"), ("Limit", "it stands above Unwind"))


def test_a_conjunction_is_parted() -> None:
    found = split(plan({"$match": {"a": 1, "b": {"$size": 2}, "c": {"$in": [1]}}}, {"$limit": 3}), SOURCE)
    assert found.native == plan({"$match": {"$and": [{"a": 1}, {"c": {"$in": [1]}}]}})
    assert found.residual == plan({"$match": {"b": {"$size": 2}}}, {"$limit": 3})
    assert found.reasons[0] == ("Match", "the source does not evaluate Size")


def test_conditions_side_by_side_need_no_and() -> None:
    plain = Capabilities(filters=frozenset({"Compare", "Or"}), stages=frozenset({"Match", "Limit"}))
    whole = plan({"$match": {"a": 1, "b": 2}}, {"$limit": 3})
    assert split(whole, plain).native == whole
    nested = plan({"$match": {"$or": [{"a": 1, "b": 2}, {"c": 3}]}})
    assert split(nested, plain).reasons == (("Match", "the source does not evaluate And"),)


def test_what_may_fail_does_not_go_before_what_shields_it() -> None:
    shielded = plan({"$match": {"b": {"$size": 2}, "a": 1, "$expr": {"$add": ["$a", 1]}}})
    found = split(shielded, SOURCE)
    assert found.native == plan({"$match": {"a": 1}})
    assert found.residual == plan({"$match": {"b": {"$size": 2}, "$expr": {"$add": ["$a", 1]}}})


def test_operators_inside_stages_count() -> None:
    found = split(plan({"$group": {"_id": None, "n": {"$avg": "$a"}}}), SOURCE)
    assert found.native == T and found.reasons == (("Group", "the source has no accumulator $avg"),)
    found = split(plan({"$project": {"x": {"$add": [{"$abs": "$a"}, 1]}}}), SOURCE)
    assert found.reasons == (("Project", "the source does not evaluate $abs"),)
    found = split(plan({"$project": {"x": {"y": ["$a"]}}}), SOURCE)
    assert found.reasons == (("Project", "the source does not evaluate array"),)
    found = split(plan({"$match": {"$expr": {"$eq": ["$a", "$$NOW"]}}}), SOURCE)
    assert found.reasons == (("Match", "the source does not evaluate $eq"),)


def test_a_source_without_filters_takes_none() -> None:
    found = split(plan({"$match": {"a": 1}}), Capabilities())
    assert (found.native, found.residual) == (T, plan({"$match": {"a": 1}}))


def test_other_plans_are_not_the_sources_own() -> None:
    lookup = {"from": "u", "localField": "a", "foreignField": "b", "as": "c"}
    every = Capabilities(stages=frozenset({"Lookup"}))
    assert split(plan({"$lookup": lookup}), every).reasons == (("Lookup", "Lookup reads more than one plan"),)
    join = Join(T, Scan("u"), (("a", "b"),))
    assert split(join, SOURCE).residual == join
