"""Promises A2, A3 and A7 for writes: a change reaches only rows that its caller may read, computes only with
values that he sees, and gives back no others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.resources.sources import SOURCES
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoError, XRepoValidationError

ROWS = [
    {"id": 1, "team": "eu", "note": "a", "pay": 41, "version": 7},
    {"id": 2, "team": "us", "note": "b", "pay": 42, "version": 8},
]
BOSS = xr.ACLRule(role="boss", permissions=["admin"])
EVE = xr.Identity("eve", roles={"boss"})
ANN = xr.Identity("ann", roles={"staff"})


def rule(*permissions: str, **conditions: Any) -> xr.ACLRule:
    return xr.ACLRule(role="staff", permissions=list(permissions), conditions=conditions)


async def people(*rules: xr.ACLRule, **more: Any) -> xr.XRepo[Any]:
    rows = [dict(row) for row in ROWS]
    return await xr.open(
        rows, name="people", rules=[*rules, BOSS], primary_key="id", model=False, register=False, **more
    )


NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = ("read", "list", "create", "update", "delete")
UNREAD = {
    "masked": [rule(*ALL, masks={"pay": 0})],
    "hidden to reads": [rule("read", "list", fields={"deny": ["pay"]}), rule("create", "update", "delete")],
}
PEEKING: list[Any] = [
    [{"$set": {"note": {"$toString": "$pay"}}}],
    [{"$set": {"note": {"$cond": [{"$gt": ["$pay", 40]}, "rich", "poor"]}}}],
    [{"$replaceWith": {"id": 1, "note": "$pay"}}],
    {"$rename": {"pay": "note"}},
    {"$inc": {"pay": 1}},
    {"$max": {"pay": 41}},
    {"$min": {"pay": 41}},
    {"$unset": {"pay": ""}},
]


@pytest.mark.parametrize("case", UNREAD)
@pytest.mark.parametrize("update", PEEKING, ids=str)
async def test_an_update_tells_nothing_of_values_that_its_caller_does_not_see(case: str, update: Any) -> None:
    told = []
    for pay in (41, 7):
        repo = await people(*UNREAD[case])
        await repo.update(1, {"pay": pay}, EVE)
        try:
            told.append(repr(await repo.update(1, update, ANN)))
        except XRepoError as error:
            told.append(str(error))
        log = [entry.model_dump(exclude={"timestamp"}) for entry in await repo.get_audit_log(user_id=ANN)]
        told[-1] += repr([await repo.read(1, ANN), log])
        assert (await repo.read(1, EVE))["pay"] == pay
    assert told[0] == told[1]


@pytest.mark.parametrize("case", UNREAD)
@pytest.mark.parametrize("given", [{"pay": 5}, {"$set": {"pay": 5}}, {"pay": 41}], ids=str)
async def test_a_value_may_be_given_to_what_is_not_seen(case: str, given: Any) -> None:
    repo = await people(*UNREAD[case])
    assert "41" not in repr(await repo.update(1, given, ANN))
    assert (await repo.read(1, EVE))["pay"] == given.get("pay", 5)
    (entry,) = await repo.get_audit_log(user_id=ANN)
    assert entry.metadata["rows"] == 1, "whether the value was the same already is not told"


async def test_what_is_not_seen_is_refused_by_an_operator() -> None:
    repo = await people(*UNREAD["masked"])
    with pytest.raises(XRepoValidationError, match="do not see its value"):
        await repo.update(1, {"$inc": {"pay": 1}}, ANN)


async def test_what_a_write_does_not_name_below_a_masked_field_stays() -> None:
    rows = [{"id": 1, "a": {"b": 1, "c": 2}}]
    repo = await xr.open(
        rows, name="deep", rules=[rule(*ALL, masks={"a.b": 0}), BOSS], model=False, register=False
    )
    assert await repo.update(1, {"a": {"c": 3}}, ANN) == {"id": 1, "a": {"c": 3}}
    assert await repo.read(1, EVE) == {"id": 1, "a": {"b": 1, "c": 3}}


MERGED = {"into": "people", "on": "id", "whenNotMatched": "discard"}
TOUCHES: dict[str, Any] = {
    "update": lambda r: r.update(2, {"note": "x"}, ANN),
    "into sight": lambda r: r.update(2, {"team": "eu"}, ANN),
    "bulk_update": lambda r: r.bulk_update([(2, {"note": "x"})], ANN),
    "delete": lambda r: r.delete(2, False, ANN),
    "soft delete": lambda r: r.delete(2, True, ANN),
    "bulk_delete": lambda r: r.bulk_delete([2], True, ANN),
    "restore": lambda r: r.restore(2, ANN),
    "merge": lambda r: r.aggregate(
        [{"$set": {"id": 2, "note": "x"}}, {"$merge": MERGED}],
        ANN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("touch", TOUCHES)
async def test_no_write_touches_a_row_that_its_caller_may_not_read(touch: str) -> None:
    repo = await people(rule("read", "list", rows={"team": "eu"}), rule("create", "update", "delete"))
    found = await TOUCHES[touch](repo)
    assert not found or found == [], found
    assert await repo.list(sort="id", user_id=EVE) == ROWS


async def test_who_may_only_update_reads_nothing_by_it() -> None:
    repo = await people(rule("update"))
    assert await repo.update(1, {"note": "x"}, ANN) == {"id": 1}
    for peeking in PEEKING:
        with pytest.raises(XRepoValidationError, match="do not see its value"):
            await repo.update(1, peeking, ANN)
    assert await repo.read(1, EVE) == ROWS[0] | {"note": "x"}


@pytest.mark.parametrize(
    "conditions", [{"fields": {"deny": ["version"]}}, {"masks": {"version": 0}}], ids=str
)
async def test_a_version_that_is_not_seen_is_not_told(conditions: Any) -> None:
    repo = await people(rule(*ALL, **conditions))
    for version in (7, 3, 0):
        with pytest.raises(XRepoConfigurationError, match="keeps no versions"):
            await repo.update(1, {"note": "x"}, ANN, version=version)


BY_ID: dict[str, Any] = {
    "read": lambda r, i: r.read(i, ANN),
    "exists": lambda r, i: r.exists(i, ANN),
    "update": lambda r, i: r.update(i, {"note": "x"}, ANN),
    "delete": lambda r, i: r.delete(i, user_id=ANN),
    "restore": lambda r, i: r.restore(i, ANN),
    "bulk_update": lambda r, i: r.bulk_update([(i, {"note": "x"})], ANN),
    "bulk_delete": lambda r, i: r.bulk_delete([i], user_id=ANN),
    "merge": lambda r, i: r.aggregate(
        [{"$set": {"note": "x"}}, {"$merge": {"into": "people", "on": "team"}}], ANN
    ),
}


@pytest.mark.parametrize("conditions", [{"fields": {"deny": ["id"]}}, {"masks": {"id": 0}}], ids=str)
@pytest.mark.parametrize("use", BY_ID)
async def test_an_id_that_is_not_seen_finds_nothing(use: str, conditions: Any) -> None:
    repo = await people(rule(*ALL, **conditions))
    for record_id in (1, 9):
        with pytest.raises(XRepoConfigurationError, match="have no id"):
            await BY_ID[use](repo, record_id)
    assert await repo.list(sort="id", user_id=EVE) == ROWS


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "memory"])
async def test_connected_writes_reach_as_far(kind: str, tmp_path: Path) -> None:
    resource = await asyncio.to_thread(SOURCES[kind].make, tmp_path)
    rules = [rule("read", "list", rows={"id": 2}, masks={"n": 0}), rule("update", "delete"), BOSS]
    repo = await xr.open(
        resource,
        collection="people",
        name="people",
        rules=rules,
        primary_key="id",
        model=False,
        register=False,
    )
    before = await repo.list(sort="id", user_id=EVE)
    assert await repo.update(3, {"name": "x"}, ANN) is None
    assert await repo.delete(3, False, ANN) is False
    piped = await repo.update(2, [{"$set": {"name": {"$toString": "$n"}}}], ANN)
    assert piped["name"] is None and "n" not in piped
    after = await repo.list(sort="id", user_id=EVE)
    assert [row for row in after if row["id"] != 2] == [row for row in before if row["id"] != 2]
    await resource.close()


async def test_merge_puts_no_mask_in_the_place_of_a_value() -> None:
    repo = await people(rule(*ALL, masks={"pay": 0}))
    stage = {"into": "people", "on": "id", "whenMatched": [{"$set": {"note": "merged"}}]}
    await repo.aggregate([{"$match": {"id": 1}}, {"$project": {"id": 1}}, {"$merge": stage}], ANN)
    found = await repo.read(1, EVE)
    assert (found["note"], found["pay"]) == ("merged", 41)


MARKINGS: list[Any] = [
    lambda r: r.update(1, {"deleted_at": NOW}, ANN),
    lambda r: r.update(1, [{"$set": {"deleted_at": "$$NOW"}}], ANN),
    lambda r: r.update(1, {"$rename": {"note": "deleted_at"}}, ANN),
    lambda r: r.bulk_update([(1, {"deleted_at": NOW})], ANN),
    lambda r: r.aggregate([{"$match": {"id": 1}}, {"$set": {"deleted_at": NOW}}, {"$merge": MERGED}], ANN),
]


@pytest.mark.parametrize("delete", [[], [rule("delete", rows={"team": "us"})]], ids=["none", "others"])
@pytest.mark.parametrize("mark", MARKINGS)
async def test_no_update_is_a_deletion_for_who_may_not_delete(mark: Any, delete: list[xr.ACLRule]) -> None:
    repo = await people(rule("read", "list", "create", "update"), *delete)
    with pytest.raises(xr.XRepoPermissionError, match="may not delete"):
        await mark(repo)
    assert await repo.list(sort="id", user_id=EVE) == ROWS
