"""Specification, "Overview", "Design Principles", "Key Integration Points": what holds for every source."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb import ConnectedRepo, MaterializedRepo, ResourceFactory, XInspector, XRepo, XRepoFactory
from xrepo_nb.viewers import view

PEOPLE = [
    {"id": 1, "name": "Ann", "age": 34, "city": "Oslo"},
    {"id": 2, "name": "Bo", "age": 28, "city": "Rome"},
    {"id": 3, "name": "Cy", "age": 41, "city": "Oslo"},
]
FRAME = pl.DataFrame(PEOPLE)
TABLE = "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR, age INTEGER, city VARCHAR)"


def a_file(kind: str, write: Callable[[Path], Any]) -> Callable[[Path], xr.XResource]:
    def make(folder: Path) -> xr.XResource:
        path = folder / f"people.{kind}"
        write(path)
        return ResourceFactory.create(kind, file_path=path)

    return make


def in_database(path: Path) -> None:
    database(path, TABLE, people=FRAME.rows())


def a_folder(folder: Path) -> xr.XResource:
    FRAME.write_csv(folder / "people.csv")
    return ResourceFactory.create("folder", root=folder)


SOURCES: dict[str, Callable[[Path], xr.XResource]] = {
    "csv": a_file("csv", FRAME.write_csv),
    "json": a_file("json", lambda path: path.write_text(json.dumps(PEOPLE))),
    "ndjson": a_file("ndjson", FRAME.write_ndjson),
    "parquet": a_file("parquet", FRAME.write_parquet),
    "folder": a_folder,
    "memory": lambda _: ResourceFactory.create("memory", data={"people": PEOPLE}),
    "sqlite": a_file("sqlite", in_database),
    "duckdb": a_file("duckdb", in_database),
}


def test_every_embedded_source_is_here() -> None:
    own = {"csv", "json", "ndjson", "parquet", "folder", "memory", "sqlite", "duckdb"}
    assert set(SOURCES) == own <= set(ResourceFactory.names())


@pytest.fixture(params=[(kind, copied) for kind in SOURCES for copied in (None, True)], ids=str)
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[XRepo[Any]]:
    """A repo over each source, as it is by default and with `materialized=True`, by the two steps."""
    kind, copied = request.param
    resource = SOURCES[kind](tmp_path)
    inspector = XInspector(resource)
    schema = (await inspector.discover_schema("people")).replace(primary_key=("id",))
    Person = await inspector.generate_model("people")
    yield await XRepoFactory.create_from_resource(resource, Person, "people", copied, schema=schema)
    await resource.close()


def plain(records: Any) -> list[dict[str, Any]]:
    return [record.model_dump() for record in records]


async def test_one_interface_for_every_source(people: XRepo[Any]) -> None:
    """The same calls give the same answers."""
    assert plain(await people.list(sort=[("id", 1)])) == PEOPLE
    assert plain(await people.list({"age": {"$gt": 30}}, skip=1, limit=1, sort=[("age", 1)])) == [PEOPLE[2]]
    assert (await people.read(2)).name == "Bo" and await people.read(9) is None
    assert (await people.exists(1), await people.exists(9)) == (True, False)
    assert (await people.find_one({"city": "Rome"})).id == 2
    assert (await people.count(), await people.count({"name__startswith": "A"})) == (3, 1)
    assert await people.distinct("city") == ["Oslo", "Rome"]
    pipeline = [{"$group": {"_id": "$city", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    assert await people.aggregate(pipeline) == [{"_id": "Oslo", "n": 2}, {"_id": "Rome", "n": 1}]
    stats = await people.get_statistics()
    assert (stats.total_count, stats.field_cardinalities["city"]) == (3, 2)
    assert stats.query_performance["list"] > 0
    assert {e.operation for e in await people.get_audit_log()} >= {"list", "read", "count", "aggregate"}


WRITABLE = {"memory", "sqlite", "duckdb"}


async def test_writes_go_where_the_source_takes_them(people: XRepo[Any]) -> None:
    if type(people) is ConnectedRepo and people.source.connection_type not in WRITABLE:
        with pytest.raises(xr.XRepoUnsupportedError, match="materialized=True"):
            await people.create({"id": 4, "name": "Di", "age": 19, "city": "Bern"})
        return
    made = await people.create({"id": 4, "name": "Di", "age": 19, "city": "Bern"})
    assert type(made) is people.model_class and made.name == "Di"
    assert (await people.update(4, {"age": 20})).age == 20 and await people.update(9, {"age": 1}) is None
    assert (await people.delete(4, soft=False), await people.delete(4, soft=False)) == (True, False)
    records = [{"id": n, "name": "x", "age": n, "city": "Bern"} for n in (5, 6)]
    assert [record.id for record in await people.bulk_create(records)] == [5, 6]
    assert await people.bulk_update([(5, {"age": 50}), (6, {"age": 60}), (9, {"age": 1})]) == 2
    assert await people.bulk_delete([5, 6, 9], soft=False) == 2
    assert plain(await people.list(sort="id")) == PEOPLE
    stats = await people.get_statistics()
    assert (stats.created_today, stats.updated_today, stats.deleted_today) == (3, 3, 3)


def test_there_are_two_kinds_of_repo(people: XRepo[Any]) -> None:
    """ConnectedRepo or MaterializedRepo; a view is one of the latter."""
    assert isinstance(people, ConnectedRepo) != isinstance(people, MaterializedRepo)
    assert issubclass(xr.ViewRepo, MaterializedRepo)


def test_the_metadata_links_source_and_model(people: XRepo[Any]) -> None:
    assert people.model_class is not None
    assert people.metadata.model_name == people.model_class.__name__ == "Person"
    if people.resource is not None:
        assert people.metadata.resource_name == people.resource.name


async def test_one_view_joins_sources_of_every_kind(tmp_path: Path) -> None:
    resources = {}
    for kind, make in SOURCES.items():
        (tmp_path / kind).mkdir()
        resources[kind] = make(tmp_path / kind)
    sources = {
        kind: await xr.open(resource, name=kind, register=False) for kind, resource in resources.items()
    }
    everywhere = await xr.join("everywhere", sources, on="id", how="inner", register=False)
    assert await everywhere.count() == 3
    row = (await everywhere.list({"id": 2}))[0]
    assert {value for name, value in row.items() if name.endswith("_name")} == {"Bo"}
    assert len([name for name in row if name.endswith("_name")]) == len(SOURCES)
    for resource in resources.values():
        await resource.close()


IMMEDIATE = {"get_ns", "get_fuzzy_text", "peek", "set_rules"}
"""What needs no source."""


def test_every_operation_is_asynchronous() -> None:
    public = {n: m for n, m in inspect.getmembers(XRepo, inspect.isfunction) if not n.startswith("_")}
    ours = {n: m for n, m in public.items() if m.__module__.startswith("xrepo_nb") and n not in IMMEDIATE}
    assert {n for n, m in ours.items() if not inspect.iscoroutinefunction(m)} == {"stream"}
    assert str(inspect.signature(XRepo.stream).return_annotation).startswith("AsyncIterator")
    assert ours.keys() >= {"create", "read", "update", "delete", "list", "count", "aggregate", "distinct"}


def test_metadata_is_validated() -> None:
    """Q1: repo metadata becomes validated through Pydantic."""
    with pytest.raises(ValidationError):
        xr.RepoMetadata(name="users", cache_ttl="soon")
    with pytest.raises(ValidationError):
        MaterializedRepo(data=[{"a": 1}], metadata={"cache_ttl": 1})  # type: ignore[arg-type]


async def test_hooks_for_audit_metrics_and_changes() -> None:
    repo, seen = MaterializedRepo(data=[{"_id": 1, "n": 1}]), []
    repo.events.on("*", lambda event: seen.append((event.name, event.entity_ids)))
    await repo.update(1, {"n": 2}, user_id="ann")
    await repo.list()
    assert seen == [("updated", (1,)), ("read", ())]
    entry = repo.audit[0]
    assert (entry.operation, entry.user_id, entry.entity_id, entry.changes) == ("update", "ann", 1, {"n": 2})
    assert set(repo.statistics.query_performance) == {"update", "list"}


async def test_the_registry_tells_the_repo_of_its_model(people: XRepo[Any]) -> None:
    """Key integration points: repos ask the registry for what user interfaces need to know."""
    assert [hint.widget for hint in people.hints.values()] == ["number", "text", "number", "text"]
    model = people.model_class
    assert model is not None
    xr.model_registry.register(model, hints={"age": {"label": "Years", "order": -1}})
    try:
        assert next(iter(people.hints)) == "age" and people.hints["age"].label == "Years"
        other = MaterializedRepo(data=PEOPLE, model_class=type("Person", (model,), {}))
        assert other.hints["age"].label == "Age"
        rule = xr.ACLRule(role="*", permissions=["list"], conditions={"fields": {"deny": ["age"]}})
        people.set_rules([rule])
        assert set(people.hints) == {"id", "name", "city"}
    finally:
        xr.model_registry.unregister("Person")


async def test_everything_shows_itself(people: XRepo[Any]) -> None:
    await people.get_statistics()
    for shown in (people, people.schema, people.statistics, people.audit, await people.list()):
        assert view(shown).to_html()
