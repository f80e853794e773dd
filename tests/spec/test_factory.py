"""Specification, "Ultrathink Repo Factory Design", "Strategy Pattern", "Enhanced XRepoFactory"."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from xrepo_nb import (
    ConnectedRepo,
    MaterializedRepo,
    RepoCreationStrategy,
    XInspector,
    XObjPrototype,
    XRepo,
    XRepoConfigurationError,
    XRepoFactory,
)
from xrepo_nb.resources.memory import MemoryResource


class User(XObjPrototype):
    user_id: int
    name: str
    email: str | None = None
    role: str | None = None
    status: str | None = None


def parameters(method: Any) -> list[str]:
    return list(inspect.signature(method).parameters)


# Core repo types.


async def test_connected_repo(database: Any) -> None:
    schema = await XInspector(database).discover_schema("users")
    repo = ConnectedRepo(schema, database, User, collection="users")
    assert parameters(ConnectedRepo.__init__)[1:4] == ["schema", "resource", "model_class"]
    assert (repo.schema, repo.resource, repo.model_class) == (schema, database, User)
    assert [user.name for user in await repo.list({"status": "active"})] == ["John Doe", "Ann Poe"]


async def test_materialized_repo() -> None:
    schema = {"fields": {"user_id": {"type": "int", "required": True}, "name": {"type": "string"}}}
    data = [{"user_id": 1, "name": "Ann"}, {"user_id": 2, "name": "Bo"}]
    repo = MaterializedRepo(schema, data, User)
    assert parameters(MaterializedRepo.__init__)[1:4] == ["schema", "data", "model_class"]
    assert repo.schema["fields"]["name"]["type"] == "string"
    assert (repo.data, repo.model_class) == (data, User)
    assert await repo.list({"name": "Bo"}) == [User(user_id=2, name="Bo")]


# Auto-detection.


async def test_create_from_data_model_resource_and_sources(database: Any) -> None:
    rows = [{"user_id": 1, "name": "Ann"}]
    assert isinstance(await XRepoFactory.create(data=rows), MaterializedRepo)
    assert isinstance(await XRepoFactory.create(data=[], model_class=User), MaterializedRepo)
    from_model = await XRepoFactory.create(model_class=User, resource=database, collection="users")
    assert isinstance(from_model, ConnectedRepo)
    assert (await from_model.read(3)).name == "Ann Poe"
    schema = {"fields": {"user_id": {"type": "int"}, "name": {"type": "string"}}}
    from_schema = await XRepoFactory.create(resource=database, schema=schema, collection="users")
    assert (await from_schema.list(sort="user_id"))[0] == {"user_id": 1, "name": "John Doe"}
    view = await XRepoFactory.create(
        sources=[(database, "users"), (database, "orders"), [{"user_id": 1, "vip": True}]],
        join_config={"on": "user_id", "type": "left_join"},
    )
    found = await view.list({"user_id": 1}, sort="orders_order_id")
    assert [(r["users_name"], r["orders_total"], r["source2_vip"]) for r in found] == [
        ("John Doe", 9.5, True), ("John Doe", 20.0, True),
    ]  # fmt: skip


async def test_what_cannot_be_created(database: Any) -> None:
    with pytest.raises(ValueError, match="Schema must be provided. Use XInspector to discover schemas."):
        await XRepoFactory.create(resource=database, collection="users")
    with pytest.raises(XRepoConfigurationError, match="no strategy makes a repo from join_config"):
        await XRepoFactory.create(join_config={"on": "id"})
    with pytest.raises(ValueError, match="Cannot determine schema from provided inputs"):
        await XRepoFactory._extract_schema()


async def test_extract_schema(database: Any) -> None:
    model = await XRepoFactory._extract_schema(model_class=User)
    assert model["fields"]["user_id"] == {"type": "int", "required": True}
    data = await XRepoFactory._extract_schema(data=[{"a": 1.5, "b": [1]}])
    assert (data["fields"]["a"]["type"], data["fields"]["b"]["type"]) == ("float", "array")
    sources = await XRepoFactory._extract_schema(
        sources=[(database, "users"), (database, "orders")], join_config={"on": "user_id"}
    )
    assert sources.names[:2] == ("user_id", "users_name")


class Stub:
    def __init__(self, connection_type: str) -> None:
        self.connection_type = connection_type


@pytest.mark.parametrize(
    ("connection_type", "expected"),
    [
        ("rest_api", "materialized"), ("rest", "materialized"), ("websocket", "materialized"),
        ("event_stream", "materialized"), ("mongodb", "connected"), ("postgresql", "connected"),
        ("mysql", "connected"), ("csv", "connected"), ("json", "connected"), ("unheard_of", "connected"),
    ],
)  # fmt: skip
def test_determine_repo_type(connection_type: str, expected: str) -> None:
    resource: Any = Stub(connection_type)
    assert XRepoFactory._determine_repo_type({}, resource=resource) == expected
    assert XRepoFactory._determine_repo_type({}, resource=resource, materialized=True) == "materialized"
    assert XRepoFactory._determine_repo_type({}, resource=resource, materialized=False) == "connected"
    assert XRepoFactory._determine_repo_type({}, data=[]) == "materialized"
    assert XRepoFactory._determine_repo_type({}) == "connected"


async def test_create_repo_step(database: Any) -> None:
    schema = await XInspector(database).discover_schema("users")
    connected = XRepoFactory._create_repo("connected", schema, User, database, collection="users")
    assert isinstance(connected, ConnectedRepo)
    made = XRepoFactory._create_repo("materialized", None, None, data=[{"a": 1}])
    assert isinstance(made, MaterializedRepo)
    with pytest.raises(XRepoConfigurationError):
        XRepoFactory._create_repo("connected", schema)


# Strategies.


class Ranges(RepoCreationStrategy):
    """Makes a repo of numbers."""

    priority = 100

    def can_handle(self, **inputs: Any) -> bool:
        return isinstance(inputs.get("data"), range)

    async def create_repo(self, **inputs: Any) -> XRepo[Any]:
        return await XRepoFactory.create(data=[{"_id": n} for n in inputs["data"]])


@pytest.fixture
def ranges() -> Iterator[Ranges]:
    strategy = Ranges()
    XRepoFactory.register_strategy(strategy)
    yield strategy
    XRepoFactory.unregister_strategy(strategy)


async def test_register_strategy(ranges: Ranges) -> None:
    priorities = [strategy.priority for strategy in XRepoFactory._strategies]
    assert priorities == sorted(priorities, reverse=True) == [100, 30, 20, 10]
    assert await (await XRepoFactory.create(data=range(3))).count() == 3
    assert inspect.isabstract(RepoCreationStrategy)
    assert RepoCreationStrategy.__abstractmethods__ == {"can_handle", "create_repo", "priority"}


# A usage example, beside those that `test_examples.py` runs.


async def test_usage_example_3_override(database: Any) -> None:
    user_repo = await XRepoFactory.create(
        resource=database, model_class=User, collection="users", materialized=True
    )
    assert isinstance(user_repo, MaterializedRepo)
    assert await user_repo.count() == 3
    await user_repo.update(1, {"name": "Changed"})
    assert (await database.query({"user_id": 1}, collection="users"))[0]["name"] == "John Doe"


# Creation from resources.


async def test_create_from_resource(database: Any) -> None:
    assert parameters(XRepoFactory.create_from_resource)[:4] == [
        "resource", "model_class", "collection", "materialized",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="Schema must be provided"):
        await XRepoFactory.create_from_resource(resource=database, model_class=User, collection="users")
    schema = await XInspector(database).discover_schema("users")
    await database.close()
    repo = await XRepoFactory.create_from_resource(database, User, "users", schema=schema)
    assert isinstance(repo, ConnectedRepo) and await repo.count() == 3
    copy = await XRepoFactory.create_from_resource(database, User, "users", True, schema=schema)
    assert isinstance(copy, MaterializedRepo) and await copy.count() == 3


async def test_a_generated_model_knows_its_collection(database: Any) -> None:
    """As in the start-up function, which names none."""
    for collection in ("users", "orders"):
        model = await XInspector(database).generate_model(collection)
        repo = await XRepoFactory.create_from_resource(resource=database, model_class=model)
        assert isinstance((await repo.list())[0], model)


async def test_example_3_view(database: Any) -> None:
    inspector = XInspector(database)
    user_schema = await inspector.discover_schema("users")
    order_schema = await inspector.discover_schema("orders")
    UserOrderView = await inspector.generate_joined_model(
        {"users": user_schema, "orders": order_schema}, join_config={"on": "user_id", "type": "left_join"}
    )
    user_order_view = await XRepoFactory.create_view_from_resources(
        name="user_orders",
        resources=[(database, "users"), (database, "orders")],
        join_config={"on": "user_id", "type": "left_join"},
        result_model_class=UserOrderView,
        schemas={"mongo.users": user_schema, "mongo.orders": order_schema},
    )
    assert isinstance(user_order_view, MaterializedRepo)
    user_orders = await user_order_view.list(
        {"user_filters": {"status": "active"}, "order_filters": {"created_at__gte": "2024-01-01"}}
    )
    assert [(row.user_id, row.users_name, row.orders_total) for row in user_orders] == [(1, "John Doe", 9.5)]
    assert isinstance(user_orders[0], UserOrderView)
    assert await user_order_view.count() == 4


async def test_a_view_connects_its_sources(database: Any) -> None:
    inspector = XInspector(database)
    schemas = {f"app.{name}": await inspector.discover_schema(name) for name in ("users", "orders")}
    await database.close()
    view = await XRepoFactory.create_view_from_resources(
        "user_orders", [(database, "users"), (database, "orders")], {"on": "user_id"}, schemas=schemas
    )
    assert await database.validate_connection() and await view.count() == 4


@pytest.mark.parametrize("kind", ["rest_api", "rest", "websocket", "event_stream"])
async def test_an_endpoint_is_read_into_memory(kind: str) -> None:
    """Populated when made, and again by `refresh`."""
    Endpoint = type("Endpoint", (MemoryResource,), {"connection_type": kind})
    endpoint = Endpoint({"users": [{"user_id": 1, "name": "Ann"}]})
    schema = await XInspector(endpoint).discover_schema("users")
    repo = await XRepoFactory.create_from_resource(endpoint, User, "users", schema=schema)
    assert isinstance(repo, MaterializedRepo) and await repo.list() == [User(user_id=1, name="Ann")]
    await endpoint.insert("users", [{"user_id": 2, "name": "Bo"}])
    assert await repo.count() == 1
    await repo.refresh()
    assert await repo.count() == 2
    live = await XRepoFactory.create_from_resource(endpoint, User, "users", False, schema=schema)
    assert isinstance(live, ConnectedRepo) and await live.count() == 2


async def test_a_view_needs_schemas(database: Any) -> None:
    with pytest.raises(ValueError, match="Schemas must be provided. Use XInspector to discover schemas."):
        await XRepoFactory.create_view_from_resources("v", [(database, "users")], {"on": "user_id"}, User)


async def test_create_aggregate_repo(database: Any) -> None:
    orders = await XRepoFactory.create_from_resource(
        database, None, "orders", schema=await XInspector(database).discover_schema("orders")
    )
    totals = await XRepoFactory.create_aggregate_repo(
        name="totals",
        source_repos=[orders],
        aggregation_config={
            "group_by": ["user_id"],
            "aggregations": {
                "spent": {"op": "sum", "field": "total"},
                "n": {"op": "count"},
                "last": {"$max": "$order_id"},
            },
        },
        result_model_class=None,
    )
    assert isinstance(totals, MaterializedRepo)
    assert await totals.list() == [
        {"user_id": 1, "spent": 29.5, "n": 2, "last": 11}, {"user_id": 2, "spent": 7.25, "n": 1, "last": 12},
    ]  # fmt: skip
    fields = totals.schema["fields"]
    assert {name: info["type"] for name, info in fields.items()} == {
        "user_id": "int", "spent": "float", "n": "int", "last": "int",
    }  # fmt: skip
    assert fields["spent"]["aggregation"] == {"op": "sum", "field": "total"}


def test_merge_schemas() -> None:
    users = {"fields": {"user_id": {"type": "int", "required": True}, "name": {"type": "string"}}}
    orders = {"fields": {"user_id": {"type": "int"}, "name": {"type": "string"}, "total": {"type": "float"}}}
    merged = XRepoFactory._merge_schemas({"mongo.users": users, "mongo.orders": orders}, {"on": "user_id"})
    assert list(merged["fields"]) == ["user_id", "users_name", "orders_name", "orders_total"]
    assert merged["fields"]["orders_total"]["source"] == "mongo.orders"
    assert merged["fields"]["orders_total"]["type"] == "float"
    assert merged["view_type"] == "joined"
    assert set(merged["source_schemas"]) == {"mongo.users", "mongo.orders"}
    assert merged["join_config"]["on"] == [["user_id", "user_id"]]


def test_create_aggregated_schema() -> None:
    orders = {"fields": {"city": {"type": "string"}, "total": {"type": "int"}}}
    config = {"group_by": ["city"], "aggregations": {"most": {"op": "max", "field": "total"}}}
    schema = XRepoFactory._create_aggregated_schema({"orders": orders}, config)
    assert {name: info["type"] for name, info in schema["fields"].items()} == {
        "city": "string",
        "most": "int",
    }
    assert (schema["view_type"], schema["aggregation_config"]) == ("aggregated", config)
    assert set(schema["source_schemas"]) == {"orders"}
