"""Rules about fields that are not there: refused where that is known, closed where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.resources.memory import MemoryResource

ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "name": "Ann",
        "age": 34,
        "home": {"city": "Oslo", "zip": "1"},
        "orders": [{"price": 1, "lines": [{"sku": "a"}]}],
        "any": {"x": 1},
        "empty": None,
    },
    {
        "id": 2,
        "name": "Bob",
        "age": 27,
        "home": {"city": "Bern", "zip": "2"},
        "orders": [{"price": 2, "lines": []}],
        "any": "text",
        "empty": None,
    },
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"fields": ["id", "agee"]}, "age"),
    ({"fields": {"deny": ["agee"]}}, "age"),
    ({"fields": {"deny": ["home.ctiy"]}}, "home.city"),
    ({"fields": {"allow": ["orders.prize"]}}, "orders.price"),
    ({"fields": {"deny": ["orders.lines.skuu"]}}, "orders.lines.sku"),
    ({"masks": {"nmae": "***"}}, "name"),
    ({"masks": {"name": {"$concat": ["$nmae", "x"]}}}, "name"),
    ({"rows": {"agee": {"$gt": 1}}}, "age"),
    ({"rows": {"agee__gt": 1}}, "age"),
    ({"rows": {"$or": [{"id": 1}, {"$nor": [{"agee": 1}]}]}}, "age"),
    ({"rows": {"$expr": {"$gt": ["$agee", 1]}}}, "age"),
    ({"rows": {"nmae": "$$user.name"}}, "name"),
    ({"rows": {"nmae": {"$in": "$$user.names"}}}, "name"),
    ({"rows": {"$expr": {"$eq": ["$nmae", "$$user.name"]}}}, "name"),
    ({"rows": {"orders": {"$elemMatch": {"prize": 1}}}}, "price"),
    ({"check": {"agee": 1}}, "age"),
]
RIGHT: list[dict[str, Any]] = [
    {"fields": ["id", "home.city", "orders.price", "orders.lines.sku", "any.whatever", "empty.below"]},
    {"fields": {"deny": ["any.x.y", "deleted_at"]}},
    {"masks": {"age": 0, "home.city": "x"}},
    {"rows": {"age": "$$user.age", "name": {"$in": "$$user.names"}, "orders.0.price": {"$gt": 0}}},
    {"rows": {"name": {"$regex": "$$user.pattern"}}, "check": {"any": 1}},
]


def rule(conditions: dict[str, Any], **more: Any) -> xr.ACLRule:
    return xr.ACLRule(role="r", permissions=["list", "read"], conditions=conditions, **more)


@pytest.mark.parametrize(("conditions", "near"), WRONG)
def test_an_unknown_field_is_refused_with_the_nearest(conditions: dict[str, Any], near: str) -> None:
    metadata = xr.RepoMetadata(name="people", acl_rules=[rule(conditions)])
    with pytest.raises(
        XRepoConfigurationError, match=rf"role 'r'.*unknown field.*there are: .*mean '{near}'"
    ):
        xr.MaterializedRepo(data=ROWS, metadata=metadata)


@pytest.mark.parametrize("conditions", RIGHT)
def test_what_is_there_or_may_be_is_taken(conditions: dict[str, Any]) -> None:
    repo = xr.MaterializedRepo(data=ROWS, name="people")
    repo.set_rules([rule(conditions)])
    assert repo._acl_manager is not None and len(repo._acl_manager.rules) == 1


async def test_rules_that_are_refused_leave_those_in_force() -> None:
    repo = xr.MaterializedRepo(data=ROWS, name="people")
    boss, one = xr.Identity("b", {"boss"}), xr.Identity("o", {"r"})
    repo.set_rules([xr.ACLRule(role="boss", permissions=["admin"]), rule({"rows": {"id": 1}})])
    for wrong in ({"rows": {"idd": 1}}, {"rows": {"id": {"$gtt": 1}}}):
        with pytest.raises(XRepoConfigurationError):
            repo.set_rules([rule(wrong)], boss)
    assert (await repo.count(user_id=one), await repo.count(user_id=boss)) == (1, 2)
    assert repo.metadata.acl_rules[0].role == "boss"


async def test_every_way_of_opening_refuses(tmp_path: Path) -> None:
    rules = [rule({"fields": {"deny": ["nmae"]}})]
    (tmp_path / "a.csv").write_text("id,name\n1,Ann\n")
    database(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    for target in (tmp_path / "a.csv", tmp_path / "a.db", [{"id": 1, "name": "Ann"}]):
        for materialized in (None, True):
            with pytest.raises(XRepoConfigurationError, match="mean 'name'"):
                await xr.open(target, materialized=materialized, rules=rules, register=False)
        repo = await xr.open(target, register=False)
        with pytest.raises(XRepoConfigurationError, match="mean 'name'"):
            repo.set_rules(rules)


async def test_a_view_knows_its_own_names() -> None:
    people = xr.MaterializedRepo(data=[{"id": 1, "name": "Ann"}], name="people")
    orders = xr.MaterializedRepo(data=[{"id": 1, "price": 5}], name="orders")
    view = await xr.join("both", {"people": people, "orders": orders}, on="id", register=False)
    for wrong in ("price", "orders_prize", "people_id"):
        with pytest.raises(XRepoConfigurationError, match="unknown field"):
            view.set_rules([rule({"fields": {"deny": [wrong]}})])
        metadata = xr.RepoMetadata(name="both", acl_rules=[rule({"rows": {wrong: 5}})])
        with pytest.raises(XRepoConfigurationError, match="unknown field"):
            await xr.join(
                "both", {"people": people, "orders": orders}, "id", metadata=metadata, register=False
            )
    view.set_rules([rule({"fields": {"deny": ["orders_price"]}, "rows": {"id": 1, "people_name": "Ann"}})])
    assert await view.list(user_id=xr.Identity("o", {"r"})) == [{"id": 1, "people_name": "Ann"}]


async def test_where_nobody_can_tell_nothing_is_refused_and_nothing_shown() -> None:
    one = xr.Identity("o", {"r"}, {"tenant": "a"})
    rules = [rule({"rows": {"tenant": "$$user.tenant"}, "fields": {"deny": ["secret"]}})]
    empty = await xr.open([], name="empty", rules=rules, register=False)
    schemaless = await xr.open(
        MemoryResource([{"id": 1}]), materialized=False, model=False, rules=rules, register=False
    )
    view = await xr.join("two", {"empty": empty, "more": schemaless}, register=False)
    view.set_rules([rule({"rows": {"whatever": 1}})])
    for repo in (empty, schemaless):
        assert await repo.list(user_id=one) == []
    assert await view.list(user_id=one) == []


async def test_a_field_that_vanishes_leaves_its_rule_closed() -> None:
    repo = xr.MaterializedRepo(data=[{"_id": 1, "team": "a"}], name="people", primary_key="_id")
    repo.set_rules([xr.ACLRule(role="boss", permissions=["admin"]), rule({"rows": {"team": "a"}})])
    boss, one = xr.Identity("b", {"boss"}), xr.Identity("o", {"r"})
    assert await repo.count(user_id=one) == 1
    await repo.update(1, {"$unset": {"team": ""}}, boss)
    assert (await repo.list(user_id=one), await repo.count(user_id=boss)) == ([], 1)


async def test_a_name_with_two_underscores_is_the_name_that_it_is() -> None:
    repo = xr.MaterializedRepo(data=[{"_id": 1, "a__b": 1}, {"_id": 2, "a__b": 2}], name="odd")
    repo.set_rules([rule({"rows": {"a__b": 1}})])
    assert [row["_id"] for row in await repo.list(user_id=xr.Identity("o", {"r"}))] == [1]
