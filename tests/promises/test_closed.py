"""Promise A1: without a rule that holds for the caller there is nothing, or a refusal, whatever is called."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr
from tests.resources.sources import PEOPLE
from xrepo_nb.core.errors import XRepoError

EVERYTHING = [p for p in xr.Permission if p is not xr.Permission.ADMIN]
BOSS = xr.Identity("boss", roles={"boss"})
NEW = {"id": 99, "name": "new", "n": 1}

CALLS: dict[str, Any] = {
    "list": lambda r, u: r.list(user_id=u),
    "read": lambda r, u: r.read(1, u),
    "exists": lambda r, u: r.exists(1, u),
    "find_one": lambda r, u: r.find_one({"id": 1}, u),
    "count": lambda r, u: r.count(user_id=u),
    "distinct": lambda r, u: r.distinct("name", user_id=u),
    "aggregate": lambda r, u: r.aggregate([{"$group": {"_id": "$name"}}], u),
    "facet": lambda r, u: r.aggregate([{"$unionWith": "people"}], u, repos={"people": r}),
    "frame": lambda r, u: r.frame(user_id=u),
    "to_arrow": lambda r, u: r.to_arrow(user_id=u),
    "to_pandas": lambda r, u: r.to_pandas(user_id=u),
    "stream": lambda r, u: streamed(r, u),
    "create": lambda r, u: r.create(NEW, u),
    "update": lambda r, u: r.update(1, {"n": 5}, u),
    "delete": lambda r, u: r.delete(1, False, u),
    "soft_delete": lambda r, u: r.delete(1, True, u),
    "restore": lambda r, u: r.restore(1, u),
    "bulk_create": lambda r, u: r.bulk_create([NEW], u),
    "bulk_update": lambda r, u: r.bulk_update([(1, {"n": 5})], u),
    "bulk_delete": lambda r, u: r.bulk_delete([1], False, u),
    "merge": lambda r, u: r.aggregate([{"$set": {"n": 5}}, {"$merge": "people"}], u, repos={"people": r}),
}


async def streamed(repo: xr.XRepo[Any], user: Any) -> list[Any]:
    return [row async for row in repo.stream(user_id=user)]


def rule(**conditions: Any) -> xr.ACLRule:
    return xr.ACLRule(role="staff", permissions=EVERYTHING, conditions=conditions)


STAFF = xr.Identity("ann", roles={"staff"})
CASES: dict[str, tuple[list[xr.ACLRule], Any]] = {
    "nobody": ([rule()], None),
    "an unknown role": ([rule()], xr.Identity("eve", roles={"guest"})),
    "an unknown user": ([rule()], "nobody-knows"),
    "no permission": ([xr.ACLRule(role="staff", permissions=[])], STAFF),
    "restrictive only": ([xr.ACLRule(role="staff", permissions=EVERYTHING, kind="restrictive")], STAFF),
    "a missing attribute": ([rule(rows={"name": "$$user.team"})], STAFF),
    "an attribute that is no scalar": (
        [rule(rows={"name": "$$user.team"})],
        xr.Identity("ann", roles={"staff"}, attributes={"team": {"$ne": None}}),
    ),
    "a rule that fails": (
        [rule(rows={"$expr": {"$gt": [{"$divide": ["$id", {"$subtract": ["$id", "$id"]}]}, 0]}})],
        STAFF,
    ),
    "a rule that holds for no row": ([rule(rows={"id": -1})], STAFF),
}


@pytest.mark.parametrize("case", CASES)
async def test_nothing_or_a_refusal(governed: Any, case: str) -> None:
    rules, user = CASES[case]
    repo = await governed([*rules, xr.ACLRule(role="boss", permissions=["admin"])])
    for name, call in CALLS.items():
        try:
            found = await call(repo, user)
        except XRepoError:
            continue
        assert is_nothing(found), f"{name} gave something to {case}"
    with xr.acting_as(user if isinstance(user, xr.Identity) else None):
        glimpse = repo.peek()
        assert glimpse is None or len(glimpse) == 0
    rows = await repo.list(sort="id", user_id=BOSS)
    assert [{name: row[name] for name in PEOPLE[0]} for row in rows] == PEOPLE


def is_nothing(found: Any) -> bool:
    if hasattr(found, "num_rows"):
        return bool(found.num_rows == 0)
    if isinstance(found, pl.DataFrame) or hasattr(found, "empty"):
        return len(found) == 0
    return found in (None, False, 0, [])
