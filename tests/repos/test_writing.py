"""Writes: permission, validation, effect and record of it, one by one and in bulk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb import (
    MaterializedRepo,
    RepoMetadata,
    Schema,
    XObjPrototype,
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.repos.storage import Edit


class User(XObjPrototype):
    id: int = Field(alias="_id")
    name: str
    age: int | None = None
    city: str = "Oslo"


async def test_create_read_update_delete(users: MaterializedRepo[Any]) -> None:
    assert await users.create({"_id": 7, "name": "Eve", "age": 1, "city": "Rome"}) == await users.read(7)
    assert (await users.update(7, {"age": 2}))["age"] == 2
    assert await users.update(99, {"age": 2}) is None
    assert await users.delete(7) is True
    assert await users.delete(7) is False
    assert await users.read(7) is None and not await users.exists(7)
    assert "deleted_at" not in users.schema.names


async def test_a_table_is_written_through(table: Any) -> None:
    made = await table.create({"id": 9, "name": "Eve", "city": "Rome"})
    assert made["name"] == "Eve" and made["created_at"] and made["updated_at"]
    changed = await table.update(9, {"city": "Bern"})
    assert changed["city"] == "Bern" and changed["created_at"] == made["created_at"]
    assert (await table.update(9, {"$inc": {"version": 2}}))["version"] in (2, 3)
    assert await table.delete(9) is True
    assert await table.read(9) is None
    assert await table.count() == 4
    rows = await table.resource.query({"id": 9}, collection="users")
    assert rows[0]["deleted_at"] is not None
    assert await table.restore(9) is True
    assert (await table.read(9))["city"] == "Bern"
    assert await table.delete(9, soft=False) is True
    assert await table.resource.query({"id": 9}, collection="users") == []


async def test_ids_given_by_the_source(table: Any) -> None:
    made = await table.create({"name": "New"})
    assert isinstance(made["id"], int)
    assert (await table.read(made["id"]))["name"] == "New"


@pytest.mark.parametrize(
    ("change", "age"),
    [
        ({"$inc": {"age": 1}}, 35),
        ({"$set": {"age": 5}, "$unset": {"city": ""}}, 5),
        ([{"$set": {"age": {"$multiply": ["$age", 2]}}}], 68),
    ],
)
async def test_update_operators_and_pipelines(users: MaterializedRepo[Any], change: Any, age: int) -> None:
    assert (await users.update(1, change))["age"] == age
    assert (await users.read(1)).get("city") == (None if "$unset" in change else "Oslo")


async def test_dotted_names_reach_into_objects() -> None:
    repo = MaterializedRepo(data=[{"_id": 1, "address": {"city": "Oslo", "zip": "1"}}])
    found = await repo.update(1, {"address.city": "Rome"})
    assert found == {"_id": 1, "address": {"city": "Rome", "zip": "1"}} == await repo.read(1)


async def test_records_are_instances_of_the_model() -> None:
    repo: MaterializedRepo[User] = MaterializedRepo(data=[{"_id": 1, "name": "Ann"}], model_class=User)
    made = await repo.create(User(id=2, name="Bo", age=3))
    assert isinstance(made, User) and made.age == 3
    assert isinstance(await repo.create({"_id": 3, "name": "Cy"}), User)
    assert [user.name for user in await repo.list(sort="name")] == ["Ann", "Bo", "Cy"]
    changed = await repo.update(2, {"age": 4})
    assert changed == User(id=2, name="Bo", age=4)
    assert (await repo.list({"city": "Oslo"})).total == 2


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"_id": 2, "name": 5}, "name: Input should be a valid string"),
        ({"_id": 2}, "name: Field required"),
        ({"_id": 2, "name": "x", "agee": 1}, "unknown field 'agee'.*did you mean 'age'"),
        ("Ann", "does not fit User"),
    ],
)
async def test_what_does_not_fit_the_model_is_refused(record: Any, says: str) -> None:
    repo: MaterializedRepo[User] = MaterializedRepo(data=[{"_id": 1, "name": "Ann"}], model_class=User)
    with pytest.raises(XRepoValidationError, match=says):
        await repo.create(record)
    with pytest.raises(XRepoValidationError, match="age: Input should be a valid integer"):
        await repo.update(1, {"age": "many"})
    assert await repo.count() == 1
    assert [entry.outcome for entry in repo.audit[:2]] == ["failed", "failed"]


async def test_rows_that_do_not_fit_the_model_say_so_when_read() -> None:
    repo: MaterializedRepo[User] = MaterializedRepo(
        Schema.of({"fields": {"_id": {"type": "int"}}}), [{"_id": 1}], User
    )
    with pytest.raises(XRepoValidationError, match="do not fit the model User: row 1, name: field required"):
        await repo.list()


async def test_a_given_schema_is_kept_to() -> None:
    schema = {
        "fields": {"id": {"type": "int", "required": True}, "price": {"type": "float"}},
        "primary_key": ["id"],
    }
    repo = MaterializedRepo(schema, [{"id": 1, "price": 2.0}])
    assert await repo.create({"id": 2, "price": 3}) == {"id": 2, "price": 3.0}
    assert await repo.create({"id": 3}) == {"id": 3, "price": None}
    for record, says in [
        ({"id": 4, "prize": 1.0}, "did you mean 'price'"),
        ({"id": 4, "price": "much"}, "'price' of .* holds float, not str"),
        ({"price": 1.0}, "no value for its key 'id'|needs a value for 'id'"),
    ]:
        with pytest.raises(XRepoValidationError, match=says):
            await repo.create(record)
    assert await repo.count() == 3


async def test_an_inferred_schema_widens(users: MaterializedRepo[Any]) -> None:
    await users.create({"_id": "five", "name": 5, "nick": "Z", "age": 1.5, "city": None})
    rows = {row["_id"]: row for row in await users.list()}
    assert rows["five"] == {"_id": "five", "name": 5, "nick": "Z", "age": 1.5, "city": None}
    assert rows[1] == {"_id": 1, "name": "Ann", "age": 34, "city": "Oslo"}
    kinds = {f.name: f.type.kind for f in users.schema.fields}
    assert kinds == {"_id": "mixed", "name": "mixed", "age": "float", "city": "string", "nick": "string"}
    assert await users.count({"nick": "Z"}) == 1


async def test_duplicate_ids_and_changed_ids_are_refused(users: MaterializedRepo[Any], table: Any) -> None:
    for repo in (users, table):
        with pytest.raises(XRepoConflictError):
            await repo.create({repo.key[0]: 1, "name": "Again"})
        with pytest.raises(XRepoValidationError, match="id of a record cannot be changed"):
            await repo.update(1, {repo.key[0]: 2})
    with pytest.raises(XRepoConflictError, match="1 row with an id"):
        MaterializedRepo(data=[{"_id": 1}, {"_id": 1}])
    with pytest.raises(XRepoValidationError, match="1 row without a value for the key"):
        MaterializedRepo(data=[{"code": 1}, {"code": None}], primary_key="code")


async def test_new_ids_are_of_the_kind_of_the_others(users: MaterializedRepo[Any]) -> None:
    assert (await users.create({"name": "Eve"}))["_id"] == 5
    empty = MaterializedRepo(name="empty")
    made = await empty.create({"v": 1})
    assert len(made["_id"]) == 32 and await empty.read(made["_id"]) == made


async def test_optimistic_concurrency(table: Any) -> None:
    assert (await table.update(1, {"age": 35}, version=1))["version"] == 2
    with pytest.raises(XRepoConflictError, match="at version 2, not 1"):
        await table.update(1, {"age": 36}, version=1)
    assert (await table.read(1))["age"] == 35
    repo = MaterializedRepo(data=[{"_id": 1}])
    with pytest.raises(XRepoConfigurationError, match="keeps no versions"):
        await repo.update(1, {"a": 1}, version=1)


async def test_timestamps_where_there_are_fields_for_them() -> None:
    schema = {
        "fields": {
            "_id": {"type": "int"},
            "created_at": {"type": "datetime"},
            "updated_at": {"type": "datetime"},
        }
    }
    repo = MaterializedRepo(schema)
    made = await repo.create({"_id": 1})
    assert isinstance(made["created_at"], datetime) and made["created_at"].tzinfo is not None
    assert await repo.update(1, {"created_at": made["created_at"]}) == made  # nothing changes
    changed = await repo.update(1, {"_id": 1, "created_at": datetime(2020, 1, 1, tzinfo=UTC)})
    assert changed["updated_at"] > made["updated_at"]
    off = MaterializedRepo(schema, metadata=RepoMetadata(name="off", auto_timestamps=False))
    assert (await off.create({"_id": 1}))["created_at"] is None


async def test_soft_deletion_can_be_taken_back(users: MaterializedRepo[Any]) -> None:
    await users.delete(1)
    assert (await users.count(), await users.distinct("name")) == (3, ["Bo", "Cy", "Di"])
    assert await users.update(1, {"age": 1}) is None
    with pytest.raises(XRepoConflictError):
        await users.create({"_id": 1, "name": "Other"})
    assert await users.restore(1) is True
    assert await users.restore(1) is False
    assert await users.read(1) == {"_id": 1, "name": "Ann", "age": 34, "city": "Oslo"}


async def test_without_soft_deletion_a_record_is_gone() -> None:
    repo = MaterializedRepo(data=[{"_id": 1}], metadata=RepoMetadata(name="hard", soft_delete=False))
    assert await repo.delete(1) is True
    assert await repo.restore(1) is False
    assert await repo.create({"_id": 1}) == {"_id": 1}


async def test_bulk_writes_name_every_index(users: MaterializedRepo[Any]) -> None:
    made = await users.bulk_create([{"_id": 5, "name": "E"}, {"_id": 6, "name": "F"}])
    assert [row["_id"] for row in made] == [5, 6] and made.outcomes == ("applied", "applied")
    changed = await users.bulk_update([(5, {"age": 1}), (77, {"age": 1}), (6, {"$set": {"age": 2}})])
    assert (changed, changed.applied, changed.skipped) == (2, (0, 2), (1,))
    assert await users.bulk_update([(5, {"age": 2}), (5, {"$inc": {"age": 1}})]) == 2
    assert (await users.read(5))["age"] == 3
    gone = await users.bulk_delete([5, 6, 77], soft=False)
    assert (gone, gone.outcomes) == (2, ("applied", "applied", "skipped"))
    assert users.statistics.created_today == 2 and users.statistics.deleted_today == 2


async def test_a_bulk_write_with_an_error_writes_nothing_unless_asked(users: MaterializedRepo[Any]) -> None:
    batch = [{"_id": 5, "name": "E"}, {"_id": 1, "name": "again"}, {"_id": 6, "name": "F"}]
    with pytest.raises(XRepoConflictError, match="exists already"):
        await users.bulk_create(batch)
    assert await users.count() == 4
    made = await users.bulk_create(batch, on_error="skip")
    assert (made.applied, made.failed) == ((0, 2), (1,))
    assert "exists already" in made.errors[1]
    assert await users.count() == 6
    with pytest.raises(XRepoValidationError, match="record 1 of 2"):
        await users.bulk_create([{"_id": 8}, "no record"])
    assert await users.read(8) is None


async def test_bulk_writes_of_a_table(table: Any) -> None:
    assert [row["name"] for row in await table.bulk_create([{"name": "E"}, {"name": "F"}])] == ["E", "F"]
    with pytest.raises(XRepoError):
        await table.bulk_create([{"id": 50, "name": "G"}, {"id": 1, "name": "again"}])
    assert await table.read(50) is None
    assert await table.bulk_update([(1, {"age": 1}), (999, {"age": 1})]) == 1
    assert await table.bulk_delete([1, 2, 999]) == 2
    assert await table.count() == 4


async def test_read_only_sources_say_so(tmp_path: Any) -> None:
    from xrepo_nb import ResourceFactory, XRepoFactory

    (tmp_path / "a.csv").write_text("id,v\n1,2\n")
    resource = ResourceFactory.create("csv", file_path=tmp_path / "a.csv")
    await resource.connect()
    repo = await XRepoFactory.create_from_resource(resource, schema=await resource.describe(), name="a")
    for write in (repo.create({"id": 2, "v": 3}), repo.update(1, {"v": 3}), repo.delete(1, soft=False)):
        with pytest.raises(XRepoUnsupportedError, match="read-only.*materialized=True"):
            await write
    copy = await XRepoFactory.create_from_resource(
        resource, schema=await resource.describe(), name="a", materialized=True
    )
    assert await copy.create({"id": 2, "v": 3}) == {"id": 2, "v": 3}
    await copy.refresh()
    assert await copy.count() == 1


async def test_every_write_is_audited_and_told(users: MaterializedRepo[Any]) -> None:
    told: list[Any] = []
    users.events.on("*", told.append)
    await users.create({"_id": 5, "name": "E"}, user_id="ann")
    await users.update(5, {"age": 1}, user_id="ann")
    await users.delete(5, user_id="bo")
    assert [(e.operation, e.user_id, e.entity_id, e.outcome) for e in users.audit] == [
        ("create", "ann", 5, "applied"),
        ("update", "ann", 5, "applied"),
        ("delete", "bo", 5, "applied"),
    ]
    assert users.audit[1].changes == {"age": 1}
    assert [(event.name, event.entity_ids) for event in told] == [
        ("created", (5,)), ("updated", (5,)), ("deleted", (5,)),
    ]  # fmt: skip
    entries = await users.get_audit_log({"user_id": "ann"}, limit=1)
    assert [entry.operation for entry in entries] == ["update"]


async def test_writers_take_turns_and_lose_nothing() -> None:
    repo = MaterializedRepo(data=[{"_id": i, "n": 0} for i in range(3)])
    await asyncio.gather(*(repo.update(i % 3, {"$inc": {"n": 1}}) for i in range(300)))
    assert [row["n"] for row in await repo.list()] == [100, 100, 100]
    await asyncio.gather(*(asyncio.to_thread(_count_up, repo, 50) for _ in range(4)))
    assert (await repo.read(0))["n"] == 300


def _count_up(repo: MaterializedRepo[Any], times: int) -> None:
    async def work() -> None:
        for _ in range(times):
            await repo.update(0, {"$inc": {"n": 1}})

    asyncio.run(work())


async def test_tasks_that_change_one_record_of_a_table_take_turns(table: Any) -> None:
    await table.update(1, {"age": 0})
    await asyncio.gather(*(table.update(1, {"$inc": {"age": 1}}) for _ in range(20)))
    assert (await table.read(1))["age"] == 20


async def test_a_snapshot_does_not_change(users: MaterializedRepo[Any]) -> None:
    before = await users.frame()
    await users.update(1, {"age": 99})
    await users.create({"_id": 5, "name": "E"})
    await users.delete(2)
    after = await users.frame()
    assert before["age"].to_list() == [34, 28, 41, 19]
    assert after["age"].to_list() == [99, 41, 19, None]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("create", [{"id": "x"}]), ("update", [99, {"n": 1}]), ("delete", [99]), ("restore", [99]),
        ("bulk_create", [[]]), ("bulk_update", [[(99, {"n": 1})]]), ("bulk_delete", [[99]]),
    ],
)  # fmt: skip
async def test_a_read_only_source_says_so_whatever_is_written(
    tmp_path: Path, method: str, given: list[Any]
) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,2\n")
    repo = await xr.open(tmp_path / "a.csv", register=False)
    with pytest.raises(XRepoUnsupportedError, match="a is read-only: its source is of kind csv"):
        await getattr(repo, method)(*given)
    entry = (await repo.get_audit_log())[-1]
    assert (entry.operation, entry.outcome) == (method, "failed")


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
async def test_a_database_skips_the_records_that_it_does_not_take(tmp_path: Path, kind: str) -> None:
    table = "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n < 10))"
    path = database(tmp_path / f"a.{kind}", table)
    repo = await xr.open(path, model=False, register=False)
    batch = [{"id": i, "n": n} for i, n in [(1, 1), (2, 99), (3, 3), (1, 4), (5, 5), (6, 99)]]
    made = await repo.bulk_create(batch, on_error="skip")
    assert [row["id"] for row in made] == [1, 3, 5]
    assert (made.applied, made.failed) == ((0, 2, 4), (1, 3, 5))
    assert "exists already" in made.errors[3] and "CHECK" in made.errors[1].upper()
    assert await repo.distinct("id") == [1, 3, 5]
    changed = await repo.bulk_update(
        [(1, {"n": 2}), (3, {"n": 99}), (8, {"n": 1}), (5, {"n": 6})], on_error="skip"
    )
    assert (int(changed), changed.applied, changed.failed, changed.skipped) == (2, (0, 3), (1,), (2,))
    with pytest.raises(XRepoConflictError):
        await repo.bulk_create([{"id": 7, "n": 7}, {"id": 1, "n": 7}])
    assert await repo.distinct("id") == [1, 3, 5]
    await repo.source.close()


async def test_what_is_known_of_changed_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrepo_nb.repos.storage._TOLD_APART", 10)
    log, counted = MaterializedRepo(data=[{"n": 1}]), MaterializedRepo(data=[{"_id": 0, "n": 0}])
    await asyncio.gather(*(log.create({"n": n}) for n in range(100)))
    await asyncio.gather(*(counted.create({"_id": i, "n": 0}) for i in range(1, 30)))
    await asyncio.gather(*(asyncio.to_thread(_count_up, counted, 30) for _ in range(3)))
    assert (await log.count(), await counted.count(), (await counted.read(0))["n"]) == (101, 30, 90)
    assert max(len(repo._storage._revisions) for repo in (log, counted)) <= 10


async def test_a_record_that_another_thread_adds_in_between_is_kept(users: MaterializedRepo[Any]) -> None:
    storage = users._storage
    has = storage.has

    def beaten(record_id: Any) -> bool:
        taken = has(record_id)
        if not taken:
            storage.apply([Edit(record_id, {"_id": record_id, "name": "first"}, storage.revision(record_id))])
        return taken

    storage.has = beaten  # type: ignore[method-assign]
    with pytest.raises(XRepoConflictError, match="exists already"):
        await users.create({"_id": 9, "name": "second"})
    assert (await users.read(9))["name"] == "first"
