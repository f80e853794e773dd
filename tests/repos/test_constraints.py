"""Constraints and indexes that a repo's metadata declares."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb import MaterializedRepo, RepoMetadata, XRepoConfigurationError, XRepoConflictError
from xrepo_nb.core.errors import XRepoValidationError

ROWS = [
    {"id": 1, "email": "ann@x", "city": "Oslo", "age": 34},
    {"id": 2, "email": "bo@x", "city": "Rome", "age": 28},
    {"id": 3, "email": None, "city": "Rome", "age": 41},
]
CONSTRAINTS: list[dict[str, Any]] = [
    {"check": {"age__gte": 18}, "name": "adult"},
    {"unique": "email"},
    {"unique": ["city", "age"], "name": "one of an age"},
]


def metadata(**more: Any) -> RepoMetadata:
    return RepoMetadata(name="people", **{"constraints": CONSTRAINTS, **more})


@pytest.fixture(params=["rows", "memory", "duckdb"])
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The rows as a repo of its own, over a source in memory, and over a table."""
    if request.param == "rows":
        return MaterializedRepo(data=ROWS, metadata=metadata())
    if request.param == "memory":
        source: Any = xr.ResourceFactory.create("memory", data=ROWS, collection="people")
    else:
        table = "CREATE TABLE people (id BIGINT PRIMARY KEY, email VARCHAR, city VARCHAR, age BIGINT)"
        path = database(tmp_path / "p.duckdb", table, people=[row.values() for row in ROWS])
        source = xr.ResourceFactory.create("duckdb", file_path=path)
    return await xr.open(source, name="people", metadata=metadata(), model=False, register=False)


async def test_a_check_is_asked_of_every_record_written(people: Any) -> None:
    young = {"id": 9, "email": "y@x", "city": "Bern", "age": 17}
    with pytest.raises(XRepoValidationError, match="fails the check adult"):
        await people.create(young)
    with pytest.raises(XRepoValidationError, match="adult"):
        await people.update(1, {"age": 17})
    with pytest.raises(XRepoValidationError, match="record 1 of 2.*adult"):
        await people.bulk_create([young | {"age": 18}, young | {"id": 10}])
    made = await people.bulk_create([young | {"age": 18}, young | {"id": 10}], on_error="skip")
    assert made.outcomes == ("applied", "failed")
    assert await people.count() == 4


async def test_what_is_unique_is_taken_once(people: Any) -> None:
    new = {"id": 9, "email": "bo@x", "city": "Bern", "age": 20}
    for write in (
        people.create(new),
        people.update(1, {"email": "bo@x"}),
        people.create(new | {"email": "n@x", "city": "Oslo", "age": 34}),
        people.bulk_create([new | {"email": "n@x"}, new | {"id": 10, "email": "n@x", "age": 21}]),
        people.bulk_update([(1, {"email": "same@x"}), (3, {"email": "same@x"})]),
    ):
        with pytest.raises(XRepoConflictError, match="another record has this (email|city, age) already"):
            await write
    assert await people.list(sort="id") == ROWS
    await people.update(1, {"email": "ann@x", "age": 35})
    await people.create(new | {"email": None})
    assert await people.count({"email": None}) == 2


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (1, 1.0, True), (1, True, False), ([1, 2], [1.0, 2], True), ([1], [True], False),
        ({"x": 1}, {"x": 1.0}, True), ({"x": 1, "y": 2}, {"y": 2, "x": 1}, False), (math.nan, math.nan, True),
    ],
)  # fmt: skip
async def test_values_are_the_same_where_a_filter_says_so(first: Any, second: Any, same: bool) -> None:
    unique = RepoMetadata(name="values", constraints=[{"unique": "v"}])
    repo = MaterializedRepo(data=[{"id": 0, "v": "text"}, {"id": 1, "v": first}], metadata=unique)
    assert await repo.count({"v": second}) == same
    if not same:
        await repo.create({"id": 2, "v": second})
    with pytest.raises(XRepoConflictError, match="has this v already"):
        await repo.create({"id": 3, "v": second})


async def test_the_rest_of_a_bulk_may_be_kept(people: Any) -> None:
    new = {"email": "n@x", "city": "Bern", "age": 20}
    records = [{"id": 9, **new}, {"id": 10, **new}, {"id": 11, **new, "email": "bo@x", "age": 30},
               {"id": 12, **new, "email": "m@x", "age": 40}]  # fmt: skip
    made = await people.bulk_create(records, on_error="skip")
    assert made.outcomes == ("applied", "failed", "failed", "applied")
    assert set(made.errors.values()) == {"another record has this email already"}
    assert [record["id"] for record in made] == [9, 12]


async def test_values_may_be_exchanged_in_one_bulk(people: Any) -> None:
    await people.bulk_update([(1, {"email": "bo@x"}), (2, {"email": "ann@x"})])
    assert await people.list({"id__lte": 2}, sort="id") == [
        ROWS[0] | {"email": "bo@x"}, ROWS[1] | {"email": "ann@x"},
    ]  # fmt: skip


async def test_of_tasks_at_once_one_is_first(people: Any) -> None:
    new = {"email": "n@x", "city": "Bern"}
    writes = [people.create({"id": 10 + n, "age": 20 + n, **new}) for n in range(8)]
    done = await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(isinstance(outcome, XRepoConflictError) for outcome in done) == [False] + [True] * 7


async def test_out_keeps_them_too() -> None:
    target = MaterializedRepo(data=ROWS, metadata=metadata())
    source = MaterializedRepo(data=ROWS, name="source", primary_key="id")
    for change in ({"age": 3}, {"email": "x"}):
        with pytest.raises(XRepoValidationError, match=r"adult|this email"):
            await source.aggregate([{"$set": change}, {"$out": "people"}], repos={"people": target})
    assert await target.count() == 3


async def test_a_hidden_field_is_not_named() -> None:
    rule = xr.ACLRule(role="*", permissions=list(xr.Permission), conditions={"fields": {"deny": ["email"]}})
    constraints = [{"unique": "email"}, {"check": {"email": {"$ne": None}}, "name": "email is given"}]
    repo = MaterializedRepo(data=ROWS[:2], metadata=metadata(constraints=constraints, acl_rules=[rule]))
    with pytest.raises(XRepoValidationError) as caught:
        await repo.create({"id": 9, "city": "Bern", "age": 20})
    assert "email" not in str(caught.value)
    assert [index.name for index in repo.schema.indexes] == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"constraints": [{"unique": "emial"}]}, "unknown field 'emial'.*did you mean 'email'"),
        ({"constraints": [{"check": {"agee": 1}}]}, "unknown field 'agee'.*did you mean 'age'"),
        ({"constraints": [{"check": {"age": {"$gtt": 1}}}]}, r"constraints\[0\]\.check.*did you mean '\$gt'"),
        ({"constraints": [{"uniqe": "email"}]}, "neither a check nor unique.*write"),
        ({"constraints": [{"unique": "email", "check": {}}]}, "neither a check nor unique"),
        ({"constraints": [{"unique": []}]}, "name of a field, or a list of names"),
        ({"indexes": [["city", "agee"]]}, "unknown field 'agee'"),
        ({"indexes": [[]]}, "name of a field, or a list of names"),
    ],
)  # fmt: skip
def test_one_that_makes_no_sense_is_refused_when_the_repo_is_made(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=says):
        MaterializedRepo(data=ROWS, metadata=metadata(**wrong))


async def test_declared_indexes_stand_in_schema_and_statistics() -> None:
    repo = MaterializedRepo(data=ROWS, metadata=metadata(indexes=[["city", "age"], ["email"]]))
    assert [(i.name, i.fields, i.unique) for i in repo.schema.indexes] == [
        ("city_age", ("city", "age"), False), ("email", ("email",), False),
        ("constraints[1]", ("email",), True), ("one of an age", ("city", "age"), True),
    ]  # fmt: skip
    assert (await repo.get_statistics()).index_stats["city_age"] == {
        "fields": ["city", "age"],
        "unique": False,
    }
