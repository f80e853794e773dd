"""Promises A4, A5, A6 and A10: rules mean the same on every source, at every depth, for whoever asks now."""

from __future__ import annotations

from typing import Any

import pytest

import xrepo_nb as xr
from tests.resources.sources import PEOPLE
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.document import compile_predicate
from xrepo_nb.query.parsing import parse_filter

ANN = xr.Identity("ann", roles={"staff"}, attributes={"name": "Ada", "least": 1, "codes": "7"})
BOSS = xr.ACLRule(role="boss", permissions=["admin"])
NAMES = list(PEOPLE[0])

ROWS: list[dict[str, Any]] = [
    {"name": "Ada"}, {"name": {"$ne": "Ada"}}, {"name": None}, {"name": {"$ne": None}}, {"name": ""},
    {"name": {"$in": ["ada", None]}}, {"name": {"$nin": ["ada", None]}},
    {"name": {"$regex": "^ada", "$options": "i"}},
    {"name": {"$gt": "Ada"}}, {"name": {"$not": {"$gt": "Ada"}}}, {"score": {"$gte": 2}}, {"score": 2},
    {"score": {"$lt": 0.5}}, {"n": {"$gt": 2**53}}, {"n": 0}, {"n": {"$exists": True}}, {"active": True},
    {"active": {"$ne": True}}, {"active": None}, {"code": "7"}, {"code": "007"}, {"code": {"$lte": "1"}},
    {"$or": [{"n": {"$lt": 0}}, {"$nor": [{"active": True}, {"score": None}]}]},
    {"$expr": {"$gt": ["$n", "$score"]}}, {"name": {"$regex": "%"}}, {"code": {"$size": 1}},
    {"name": "$$user.name"}, {"n": {"$gte": "$$user.least"}}, {"code": {"$in": ["$$user.codes", "0"]}},
]  # fmt: skip
MINE = {"$$user.name": "Ada", "$$user.least": 1, "$$user.codes": "7"}


def replaced(given: Any) -> Any:
    """The filter with the attributes of Ann in the place of variables."""
    if isinstance(given, dict):
        return {name: replaced(value) for name, value in given.items()}
    if isinstance(given, list):
        return [replaced(item) for item in given]
    return MINE.get(given, given) if isinstance(given, str) else given


async def test_a_rule_selects_the_rows_that_the_interpreter_does(governed: Any) -> None:
    repo = await governed([BOSS])
    for rows in ROWS:
        rule = xr.ACLRule(role="staff", permissions=["list", "read"], conditions={"rows": rows})
        repo.set_rules([rule, BOSS], xr.Identity("eve", roles={"boss"}))
        holds = compile_predicate(parse_filter(replaced(rows)))
        expected = [row["id"] for row in PEOPLE if holds(row)]
        assert [row["id"] for row in await repo.list(sort="id", user_id=ANN)] == expected, rows
        assert await repo.count(user_id=ANN) == len(expected)
        assert [i for i in range(1, 8) if await repo.exists(i, ANN)] == expected, rows


BAIT: list[Any] = [
    {"$expr": {"$gt": [{"$divide": [1, "$score"]}, 0]}},
    {"$expr": {"$gt": [{"$toInt": "$code"}, 0]}},
    {"$expr": {"$gt": [{"$sqrt": "$n"}, 0]}},
]


@pytest.mark.parametrize("bait", BAIT, ids=str)
async def test_a_question_never_runs_on_hidden_rows(governed: Any, bait: Any) -> None:
    """On them it would fail."""
    seen = xr.ACLRule(role="staff", permissions=["list"], conditions={"rows": {"id": 2}})
    repo = await governed([seen, BOSS])
    holds = int(compile_predicate(parse_filter(bait))(PEOPLE[1]))
    assert await repo.count(bait, ANN) == holds
    counted = [{"$match": bait}, {"$group": {"_id": None, "n": {"$sum": 1}}}]
    assert await repo.aggregate(counted, ANN) == [{"_id": None, "n": holds}] * holds
    computed = [{"$sort": {"id": 1}}, {"$project": {"x": bait["$expr"], "_id": 0}}]
    assert await repo.aggregate(computed, ANN) == [{"x": bool(holds)}]
    with pytest.raises(XRepoError):
        await repo.count(bait, xr.Identity("eve", roles={"boss"}))


SECRETS = ("007", "x y", "-0.5", "-3", "9007199254740993")


@pytest.mark.parametrize("bait", BAIT, ids=str)
async def test_an_error_shows_no_value(governed: Any, bait: Any) -> None:
    repo = await governed([])
    with pytest.raises(XRepoError) as caught:
        await repo.count(bait)
    told = str(caught.value) + repr(caught.value.__dict__)
    assert not [secret for secret in SECRETS if secret in told]


FOLLOWED = {"from": "people", "startWith": "$id", "connectFromField": "id", "connectToField": "id", "as": "c"}
NESTED: list[list[dict[str, Any]]] = [
    [{"$facet": {"a": [{"$unionWith": {"coll": "people", "pipeline": [
        {"$lookup": {"from": "people", "pipeline": [], "as": "deep"}}]}}]}}],
    [{"$lookup": {"from": "people", "as": "a", "pipeline": [
        {"$lookup": {"from": "people", "as": "b", "pipeline": [{"$graphLookup": FOLLOWED}]}}]}}],
    [{"$unionWith": {"coll": "people", "pipeline": [{"$facet": {"b": [{"$unionWith": "people"}]}}]}}],
]  # fmt: skip


@pytest.mark.parametrize("pipeline", NESTED, ids=["facet", "lookup", "union"])
async def test_rules_hold_at_every_depth(governed: Any, pipeline: Any) -> None:
    rule = xr.ACLRule(
        role="staff", permissions=["list"], conditions={"rows": {"id": 6}, "fields": {"deny": ["code"]}}
    )
    repo = await governed([rule, BOSS])
    other = xr.MaterializedRepo(data=[{"_id": 1}], name="other")
    found = repr(await other.aggregate(pipeline, ANN, repos={"people": repo}))
    assert "Ada Lovelace" in found
    assert "code" not in found and "Zoë" not in found and "1.0" not in found
    with pytest.raises(xr.XRepoPermissionError):
        await other.aggregate(pipeline, "nobody", repos={"people": repo})


async def test_what_is_kept_is_kept_for_one_policy(governed: Any) -> None:
    """Caches and views go by attributes and by the rules in force."""
    rule = xr.ACLRule(role="staff", permissions=["list"], conditions={"rows": {"name": "$$user.name"}})
    repo = await governed([rule, BOSS])
    view = await xr.join("twice", {"a": repo, "b": [{"id": 1}, {"id": 2}]}, on="id", register=False)
    lower = xr.Identity("ann", roles={"staff"}, attributes={"name": "ada"})
    for _ in range(2):
        assert [[r["id"] for r in await view.list(user_id=who)] for who in (ANN, lower)] == [[1], [2]]
        assert [[r["id"] for r in await repo.list(user_id=who)] for who in (ANN, lower)] == [[1], [2]]
    repo.set_rules([BOSS], xr.Identity("eve", roles={"boss"}))
    for call in (view.list(user_id=ANN), repo.list(user_id=ANN)):
        with pytest.raises(xr.XRepoPermissionError):
            await call
