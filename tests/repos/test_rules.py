"""Access rules on the one road: no method, join, view, cache or statistic goes round them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import Identity, MaterializedRepo, RepoMetadata, XRepoConfigurationError, XRepoPermissionError
from xrepo_nb.schema.inference import infer

PEOPLE = [
    {"_id": 1, "name": "Ann", "region": "EU", "salary": 10},
    {"_id": 2, "name": "Bo", "region": "US", "salary": 20},
    {"_id": 3, "name": "Cy", "region": "EU", "salary": 30},
]
RULES: list[dict[str, Any]] = [
    {
        "role": "eu",
        "permissions": ["create", "read", "update", "delete", "list"],
        "conditions": {"rows": {"region": "EU"}, "fields": {"deny": ["salary"]}},
    },
    {"role": "reader", "permissions": ["list"]},
    {"role": "boss", "permissions": ["admin"]},
    {
        "role": "masked",
        "permissions": ["read", "list"],
        "conditions": {"masks": {"name": "***"}},
    },
]
EU, READER, BOSS = Identity("eve", {"eu"}), Identity("rob", {"reader"}), Identity("ann", {"boss"})
MASKED = Identity("mo", {"masked"})


def people(**more: Any) -> MaterializedRepo[Any]:
    metadata = RepoMetadata(name="people", acl_rules=[xr.ACLRule(**rule) for rule in RULES], **more)
    return MaterializedRepo(data=[dict(p) for p in PEOPLE], metadata=metadata)


HIDDEN_USES: list[Any] = [
    lambda r, u: r.list({"salary": 10}, user_id=u),
    lambda r, u: r.list({"$or": [{"name": "x"}, {"$nor": [{"salary": 10}]}]}, user_id=u),
    lambda r, u: r.list({"$expr": {"$gt": ["$salary", 1]}}, user_id=u),
    lambda r, u: r.list(sort="salary", user_id=u),
    lambda r, u: r.count({"salary__gt": 1}, user_id=u),
    lambda r, u: r.find_one({"salary": 10}, user_id=u),
    lambda r, u: r.distinct("salary", user_id=u),
    lambda r, u: r.frame(fields=["salary"], user_id=u),
    lambda r, u: r.aggregate([{"$group": {"_id": "$salary"}}], user_id=u),
    lambda r, u: r.aggregate([{"$project": {"x": "$$ROOT.salary"}}], user_id=u),
    lambda r, u: r.explain({"salary": 10}, user_id=u),
]


@pytest.mark.parametrize("use", HIDDEN_USES)
async def test_a_hidden_field_is_one_that_does_not_exist(use: Any) -> None:
    with pytest.raises(XRepoConfigurationError) as hidden:
        await use(people(), EU)
    other = MaterializedRepo(
        data=[{k: v for k, v in p.items() if k != "salary"} for p in PEOPLE], name="people"
    )
    with pytest.raises(XRepoConfigurationError) as absent:
        await use(other, EU)
    assert str(hidden.value) == str(absent.value)


async def test_every_read_sees_only_its_rows_and_fields() -> None:
    repo = people(cache_enabled=True)
    assert await repo.list(user_id=BOSS) != await repo.list(user_id=EU)
    rows = await repo.list(user_id=EU)
    assert rows == [{k: v for k, v in p.items() if k != "salary"} for p in PEOPLE if p["region"] == "EU"]
    assert rows.total == 2 == await repo.count(user_id=EU)
    assert await repo.read(1, EU) == rows[0]
    assert await repo.read(2, EU) is None and not await repo.exists(2, EU)
    assert await repo.distinct("name", user_id=EU) == ["Ann", "Cy"]
    assert (await repo.frame(user_id=EU)).columns == ["_id", "name", "region"]
    assert [row["name"] async for row in repo.stream(user_id=EU)] == ["Ann", "Cy"]
    assert await repo.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}], user_id=EU) == [
        {"_id": None, "n": 2}
    ]
    stats = await repo.get_statistics(user_id=EU)
    assert (stats.total_count, set(stats.field_cardinalities)) == (2, {"_id", "name", "region"})
    with xr.acting_as(EU):
        assert repo.schema.names == ("_id", "name", "region")
        glimpse = repo.peek()
        assert glimpse is not None and glimpse.documents == rows
        assert repo.data == rows
        assert repo.statistics.total_count == 2
        assert repo.report is None
    assert repo.schema.names == ()


async def test_no_role_no_rows() -> None:
    repo = people()
    calls: list[Any] = [
        repo.list(), repo.read(1), repo.exists(1), repo.count(), repo.find_one({}), repo.distinct("name"),
        repo.aggregate([]), repo.frame(), repo.explain(), repo.get_statistics(), repo.refresh(),
        repo.create({"_id": 9}), repo.update(1, {"name": "x"}), repo.delete(1), repo.restore(1),
        repo.bulk_create([{"_id": 9}]), repo.bulk_update([(1, {"name": "x"})]), repo.bulk_delete([1]),
        repo.to_pandas(), repo.to_arrow(), repo.to_polars(),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(XRepoPermissionError):
            await call
    with pytest.raises(XRepoPermissionError):
        _ = [row async for row in repo.stream()]
    assert repo.peek() is None
    with pytest.raises(XRepoPermissionError):
        repo.set_rules([])
    assert {entry.outcome for entry in repo.audit} == {"denied"}
    assert await repo.count(user_id=BOSS) == 3


async def test_writes_pass_using_and_check() -> None:
    repo = people()
    with pytest.raises(XRepoPermissionError, match="may not leave such a record"):
        await repo.create({"_id": 9, "name": "x", "region": "US"}, EU)
    with pytest.raises(xr.XRepoValidationError, match="unknown field 'salary'"):
        await repo.create({"_id": 9, "name": "x", "region": "EU", "salary": 1}, EU)
    assert await repo.update(2, {"name": "x"}, EU) is None
    assert await repo.delete(2, user_id=EU) is False
    with pytest.raises(XRepoPermissionError):
        await repo.update(1, {"region": "US"}, EU)
    with pytest.raises(xr.XRepoValidationError):
        await repo.update(1, {"salary": 1}, EU)
    changed = await repo.update(1, {"$set": {"name": "Anna"}}, EU)
    assert changed == {"_id": 1, "name": "Anna", "region": "EU"}
    assert (await repo.read(1, BOSS))["salary"] == 10
    piped = await repo.update(1, [{"$set": {"name": {"$ifNull": ["$salary", "none"]}}}], EU)
    assert piped["name"] == "none"
    with pytest.raises(XRepoPermissionError):
        await repo.bulk_create([{"_id": 10, "region": "EU"}, {"_id": 11, "region": "US"}], EU)
    assert await repo.count(user_id=BOSS) == 3
    with pytest.raises(XRepoPermissionError):
        await repo.create({"_id": 9}, READER)


async def test_masks_show_something_else() -> None:
    repo = people()
    assert {row["name"] for row in await repo.list(user_id=MASKED)} == {"***"}
    assert (await repo.read(1, MASKED))["name"] == "***"
    assert await repo.count({"name": "Ann"}, user_id=MASKED) == 0


async def test_models_are_cut_down_to_what_is_shown() -> None:
    class Person(xr.XObjPrototype):
        name: str
        region: str
        salary: int

    metadata = RepoMetadata(name="people", acl_rules=[xr.ACLRule(**rule) for rule in RULES])
    rows = [{k: v for k, v in p.items() if k != "_id"} for p in PEOPLE]
    repo: MaterializedRepo[Person] = MaterializedRepo(
        None, rows, Person, metadata=metadata, primary_key="name"
    )
    seen = await repo.list(user_id=EU)
    assert [type(row).__name__ for row in seen] == ["Person", "Person"]
    assert seen[0].model_dump() == {"name": "Ann", "region": "EU"}
    assert (await repo.read("Ann", EU)).model_dump() == {"name": "Ann", "region": "EU"}


@pytest.mark.parametrize("materialize", [True, False])
async def test_views_and_lookups_read_through_the_rules(materialize: bool) -> None:
    repo = people()
    regions = MaterializedRepo(
        data=[{"region": "EU", "head": "X"}, {"region": "US", "head": "Y"}], name="regions"
    )
    view = await xr.join(
        "staff", {"people": repo, "regions": regions}, on="region", how="inner", materialize=materialize,
        register=False,
    )  # fmt: skip
    assert [row["people_name"] for row in await view.list(user_id=EU)] == ["Ann", "Cy"]
    assert {row["people_salary"] for row in await view.list(user_id=BOSS)} == {10, 20, 30}
    with pytest.raises(XRepoConfigurationError, match="unknown field 'people_salary'"):
        await view.list({"people_salary": 10}, user_id=EU)
    with pytest.raises(XRepoPermissionError):
        await view.list()
    with xr.acting_as(EU):
        assert "people_salary" not in view.schema.names
    lookup = {"$lookup": {"from": "people", "localField": "region", "foreignField": "region", "as": "who"}}
    found = await regions.aggregate([lookup], user_id=EU, repos={"people": repo})
    assert [[p.get("salary") for p in row["who"]] for row in found] == [[None, None], []]
    with pytest.raises(XRepoPermissionError):
        await regions.aggregate([{"$unionWith": "people"}], repos={"people": repo})
    with pytest.raises(XRepoPermissionError):
        await regions.aggregate([{"$out": "people"}], user_id=READER, repos={"people": repo})


async def test_revoking_acts_at_once() -> None:
    repo = people(cache_enabled=True)
    view = await xr.join("both", {"people": repo, "same": people()}, on="_id", register=False)
    assert len(await repo.list(user_id=EU)) == 2 == await view.count(user_id=EU)
    repo.set_rules([rule for rule in RULES if rule["role"] != "eu"], user_id=BOSS)
    for call in (repo.list(user_id=EU), view.list(user_id=EU)):
        with pytest.raises(XRepoPermissionError):
            await call


async def test_the_log_is_for_those_who_may_read_it() -> None:
    repo = people()
    await repo.list(user_id=EU)
    await repo.list(user_id=BOSS)
    assert [e.user_id for e in await repo.get_audit_log(user_id=BOSS)] == ["eve", "ann"]
    assert [e.user_id for e in await repo.get_audit_log(user_id=EU)] == ["eve"]


async def test_masks_on_records_of_a_generated_model() -> None:
    rule = xr.ACLRule(
        role="*",
        permissions=["list", "read"],
        conditions={"masks": {"name": {"$substrCP": ["$name", 0, 1]}, "n": "?"}},
    )
    repo = await xr.open([{"id": 1, "name": "Ann", "n": 1}], name="masked", rules=[rule], register=False)
    assert (await repo.list())[0].model_dump() == {"id": 1, "name": "A", "n": "?"}
    assert (await repo.read(1)).name == "A"


async def test_writes_name_no_hidden_field_and_set_none() -> None:
    rows = [{"id": 1, "name": "Ann", "pay": 5, "at": {"city": "B", "zip": "1"}}]
    rule = xr.ACLRule(
        role="*",
        permissions=["read", "create", "update"],
        conditions={"fields": {"deny": ["pay", "at.zip"]}},
    )
    schema = infer(rows).schema
    repo = await xr.open(rows, name="people", schema=schema, rules=[rule], register=False)
    with pytest.raises(xr.XRepoValidationError, match="fields that you cannot see") as caught:
        await repo.create({"id": 2, "name": "Bo", "at": {"city": "C"}})
    assert "pay" not in str(caught.value) and "zip" not in str(caught.value)
    for name, data in {"at.zip": {"at": {"city": "C", "zip": "2"}}, "pay": {"pay": 1}}.items():
        for attempt in (repo.create({"id": 2, "name": "Bo"} | data), repo.update(1, data)):
            with pytest.raises(xr.XRepoValidationError, match=f"unknown field '{name}'"):
                await attempt
    with pytest.raises(xr.XRepoValidationError, match=r"unknown field 'at\.zip'"):
        await repo.update(1, {"at.zip": "2"})
    assert (await repo.update(1, {"at.city": "D"})).at == {"city": "D"}


@pytest.mark.parametrize("pay", [{}, {"pay": 7}, {"pay": "much"}])
async def test_what_hidden_fields_hold_asks_nothing_of_a_new_record(pay: dict[str, Any]) -> None:
    rows = [{"id": 1, "name": "Ann", "pay": 5}, {"id": 2, "name": "Bo"} | pay]
    rule = xr.ACLRule(role="*", permissions=["list", "create"], conditions={"fields": {"deny": ["pay"]}})
    repo = await xr.open(rows, name="people", rules=[rule], register=False)
    assert repr(await repo.create({"id": 3, "name": "Cy"})) == "Person(id=3, name='Cy')"
    with pytest.raises(xr.XRepoValidationError):
        await repo.create({"id": 4, "name": 5})


async def test_a_view_whose_key_is_hidden_shows_itself_empty() -> None:
    rules = [xr.ACLRule(role="staff", permissions=["list"])]
    people = await xr.open([{"id": 1, "city": "B"}], name="people", rules=rules, register=False)
    cities = await xr.open([{"city": "B", "size": 3}], name="cities", register=False)
    view = await xr.join("named", {"people": people, "cities": cities}, on="city", register=False)
    assert view.schema.names == () and view.peek() is None
    assert "named" in repr(view) and "size" not in repr(view)
    with xr.acting_as(xr.Identity("ann", roles={"staff"})):
        assert await view.count() == 1
        assert view.schema.names == ("people_id", "city", "cities_size")


@pytest.mark.parametrize("analyze", [False, True])
async def test_explain_tells_nothing_of_what_is_hidden(analyze: bool) -> None:
    rows = [{"id": 1, "dept": "eu", "pay": 777}, {"id": 2, "dept": "us", "pay": 880_077_088}]
    narrow = xr.ACLRule(
        role="staff",
        permissions=["list"],
        conditions={"rows": {"pay": {"$lt": 800_077_008}}, "fields": {"deny": ["pay"]}},
    )
    repo = await xr.open(
        rows, name="people", rules=[narrow, xr.ACLRule(role="boss", permissions=["admin"])], register=False
    )
    ann, eve = xr.Identity("ann", roles={"staff"}), xr.Identity("eve", roles={"boss", "staff"})
    found = await repo.explain({"dept": "eu"}, user_id=ann, analyze=analyze)
    told = f"{found} {found!r}"
    assert "pay" not in told and "800077008" not in told
    assert "{dept: {$eq: 'eu'}}" in told and "as the rules leave it" in told
    if analyze:
        assert "1 row " in str(found)
    assert "pay" in str(await repo.explain({"pay": 777}, user_id=eve))
    with pytest.raises(xr.XRepoQueryError, match="unknown field 'pay'"):
        await repo.explain({"pay": 777}, user_id=ann)


async def test_statistics_count_no_changes_to_rows_of_others() -> None:
    rules = [
        xr.ACLRule(role="boss", permissions=["admin"]),
        xr.ACLRule(role="staff", permissions=["list", "create"], conditions={"rows": {"dept": "eu"}}),
    ]
    repo = await xr.open([{"id": 1, "dept": "eu"}], name="people", rules=rules, register=False)
    ann, eve = xr.Identity("ann", roles={"staff"}), xr.Identity("eve", roles={"boss"})
    await repo.bulk_create([{"id": 2, "dept": "us"}, {"id": 3, "dept": "us"}], user_id=eve)
    assert (await repo.get_statistics(ann)).created_today == 0
    await repo.create({"id": 4, "dept": "eu"}, user_id=ann)
    assert (await repo.get_statistics(ann)).created_today == 1
    assert (await repo.get_statistics(eve)).created_today == 3
    with xr.acting_as(ann):
        assert (repo.statistics.created_today, repo.statistics.total_count) == (1, 2)


async def test_a_view_made_of_hidden_fields_names_none() -> None:
    rules = [
        xr.ACLRule(role="boss", permissions=["admin"]),
        xr.ACLRule(role="staff", permissions=["list"], conditions={"fields": {"deny": ["pay"]}}),
    ]
    people = await xr.open([{"id": 1, "dept": "eu", "pay": 5}], name="people", rules=rules, register=False)
    config = {"group_by": ["dept"], "aggregations": {"s": {"op": "sum", "field": "pay"}}}
    totals = await xr.XRepoFactory.create_aggregate_repo("totals", [people], config)
    ann, eve = xr.Identity("ann", roles={"staff"}), xr.Identity("eve", roles={"boss"})
    assert await totals.list(user_id=eve) == [{"dept": "eu", "s": 5}]
    with pytest.raises(XRepoPermissionError, match="ann may not list in totals") as caught:
        await totals.list(user_id=ann)
    assert "pay" not in str(caught.value)
    with xr.acting_as(ann):
        assert totals.schema.names == () and totals.peek() is None


async def test_rules_take_iso_text_for_times_in_reads_and_writes() -> None:
    rows = [
        {"id": 1, "at": datetime(2024, 1, 1, tzinfo=UTC)},
        {"id": 2, "at": datetime(2025, 1, 1, tzinfo=UTC)},
    ]
    rule = xr.ACLRule(
        role="*", permissions=["list", "create"], conditions={"rows": {"at": {"$gte": "2024-06-01"}}}
    )
    repo = await xr.open(rows, name="events", rules=[rule], register=False)
    assert await repo.distinct("id") == [2]
    await repo.create({"id": 3, "at": datetime(2026, 1, 1, tzinfo=UTC)})
    with pytest.raises(XRepoPermissionError, match="may not leave such a record"):
        await repo.create({"id": 4, "at": datetime(2023, 1, 1, tzinfo=UTC)})
    assert await repo.distinct("id") == [2, 3]


async def test_a_caller_is_an_identity_or_an_id() -> None:
    repo: Any = MaterializedRepo(data=[{"id": 1}])
    with pytest.raises(XRepoConfigurationError, match="a caller is an Identity or a user id, not an int"):
        await repo.count(user_id=5)


async def test_a_view_tells_each_caller_its_own_counts() -> None:
    regions = MaterializedRepo(data=[{"region": "EU"}, {"region": "US"}], name="regions")
    with xr.acting_as(BOSS):
        view = await xr.join("v", {"people": people(), "regions": regions}, on="region", register=False)
        await view.get_statistics()
        assert view.statistics.total_count == 3
    with xr.acting_as(EU):
        assert view.statistics.total_count == 0 and not view.statistics.field_cardinalities
        await view.get_statistics()
        assert view.statistics.total_count == 2
    with xr.acting_as(READER):
        whole = (await view.frame()).estimated_size()
        own = (await view.get_statistics(user_id=EU)).storage_size_bytes
    assert own == (await view.frame(user_id=EU)).estimated_size() < whole


async def test_a_view_is_refreshed_for_the_caller_that_is_named() -> None:
    regions = MaterializedRepo(data=[{"region": "EU", "_id": 1}], name="regions")
    view = await xr.join("v", {"people": people(), "regions": regions}, on="region", register=False)
    await view.refresh(user_id=READER)
    assert await view.count(user_id=READER) == 3
    with pytest.raises(XRepoPermissionError):
        await view.refresh()
