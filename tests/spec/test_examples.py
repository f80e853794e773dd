"""The examples of the specification, run character for character.

What they name and this machine has not is stood in for: `ResourceFactory.create("mongodb", ...)`
gives an embedded database with the collections of the examples, `"rest_api"` an endpoint in memory,
`/data/products.csv` lies elsewhere, and `src.server.core` is this package.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from specification import Block, block, needs_specification

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb.cache.memory import InMemoryRepo
from xrepo_nb.resources import factory
from xrepo_nb.resources.memory import MemoryResource
from xrepo_nb.schema.registry import XRegistry

pytestmark = needs_specification

Names = dict[str, Any]

TABLES = """
    CREATE TABLE users (user_id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, email VARCHAR, role VARCHAR,
                        status VARCHAR);
    CREATE TABLE orders (order_id INTEGER PRIMARY KEY, user_id INTEGER, total DOUBLE, created_at {moment});
    INSERT INTO users VALUES (1, 'John Doe', 'john@example.com', 'admin', 'active'),
                             (2, 'Jane Roe', 'jane@example.com', 'user', 'inactive'),
                             (3, 'Ann Poe', 'ann@example.com', 'user', 'active'),
                             (4, 'Bob Low', 'bob@example.com', 'user', 'active');
    INSERT INTO orders VALUES (10, 1, 9.5, '2024-03-01'), (11, 1, 20.0, '2023-05-01'),
                              (12, 2, 7.25, '2024-06-01'), (13, 3, 1.0, '2024-01-01');
"""


def sqlite_app(folder: Path) -> xr.XResource:
    path = database(folder / "app.db", TABLES.format(moment="TIMESTAMP"))
    return xr.ResourceFactory.create("sqlite", file_path=path)


def duckdb_app(folder: Path) -> xr.XResource:
    path = database(folder / "app.duckdb", TABLES.format(moment="TIMESTAMP"))
    return xr.ResourceFactory.create("duckdb", file_path=path)


def memory_app(folder: Path) -> xr.XResource:
    with duckdb.connect() as connection:
        connection.execute(TABLES.format(moment="VARCHAR"))
        frames = {name: connection.sql(f"FROM {name}").pl() for name in ("users", "orders")}
    return xr.ResourceFactory.create("memory", data=frames)


class Endpoint(MemoryResource):
    """A REST source in memory: `get("/users")` gives the rows behind it."""

    connection_type = "rest_api"

    async def get(self, path: str) -> list[dict[str, Any]]:
        return await self.query(collection=path.strip("/"))


USERS = [{"user_id": 7, "name": "Zoe", "email": "zoe@example.com", "role": "user", "status": "active"}]


@pytest.fixture(params=[sqlite_app, duckdb_app, memory_app])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> xr.XResource:
    """The database of the examples, on each embedded source that has several collections."""
    made: xr.XResource = request.param(tmp_path)
    return made


@pytest.fixture
async def names(app: xr.XResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """What an example may name."""
    monkeypatch.setitem(factory._registered, "mongodb", stand_in(app))
    monkeypatch.setitem(factory._registered, "rest_api", lambda endpoint: Endpoint({"users": USERS}))
    for module in ("src", "src.server", "src.server.core"):
        monkeypatch.setitem(sys.modules, module, xr)
    for module in ("xinspector", "xregistry"):
        monkeypatch.setitem(sys.modules, f"src.server.core.{module}", xr)
    (tmp_path / "products.csv").write_text("sku,name,price\na1,Pen,1.5\na2,Ink,7.0\n")
    yield {name: getattr(xr, name) for name in xr.__all__} | {"/data/": f"{tmp_path}/"}
    await app.close()


def stand_in(app: xr.XResource) -> Callable[..., xr.XResource]:
    def mongodb(connection_string: str) -> xr.XResource:
        assert connection_string == "mongodb://localhost/app"
        return app

    return mongodb


def examples(found: Block) -> Iterator[str]:
    """The examples of a block, one after another."""
    yield from re.split(r"^(?=# Example \d)", found.code, flags=re.MULTILINE)[1:]


async def run(code: str, names: Names) -> None:
    """Runs code with `await` at its top, as a notebook does."""
    code = code.replace("/data/", names["/data/"])
    outcome = eval(compile(code, "specification", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(outcome):
        await outcome


async def test_integration_with_xinspector(names: Names, app: xr.XResource) -> None:
    names["mongo_resource"] = app
    await run(block("Integration with XInspector").code, names)
    assert names["User"].__name__ == "User"
    assert xr.model_registry.get("ns.models.User") is names["User"]


async def test_usage_examples(names: Names, app: xr.XResource) -> None:
    first, second, third = examples(block("Usage Examples"))
    await run(first, names)
    repo, User = names["user_repo"], names["User"]
    assert type(repo) is xr.ConnectedRepo and repo.resource is app and repo.collection == "users"
    assert [type(user) for user in await repo.list()] == [User] * 4
    await run(second, names)
    assert isinstance(names["user_repo"], xr.MaterializedRepo)
    assert await names["user_repo"].list() == [User(**USERS[0])]
    await run(third, names)
    copy = names["user_repo"]
    assert isinstance(copy, xr.MaterializedRepo) and await copy.count() == 4
    await copy.delete(1, soft=False)
    assert (await copy.count(), await repo.count()) == (3, 4)


async def test_resource_based_creation(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, fourth = examples(block("Usage Examples - Resource-Based Creation"))
    await run(first, names)
    assert type(names["user_repo"]) is xr.ConnectedRepo
    assert [type(user) for user in names["users"]] == [names["User"]] * 4
    await run(second, names)
    assert type(names["product_repo"]) is xr.ConnectedRepo
    assert await names["product_repo"].list({"sku": "a2"}) == [
        names["Product"](sku="a2", name="Ink", price=7.0)
    ]
    await run(third, names)
    View, view, found = names["UserOrderView"], names["user_order_view"], names["user_orders"]
    assert isinstance(view, xr.MaterializedRepo) and view.metadata.name == "user_orders"
    assert [(row.user_id, row.users_name, row.orders_total) for row in found] == [
        (1, "John Doe", 9.5), (3, "Ann Poe", 1.0),
    ]  # fmt: skip
    assert {type(row) for row in found} == {View} and await view.count() == 5
    await run(fourth, names)
    assert capsys.readouterr().out == "Available collections: ['orders', 'users']\n"
    assert {name: await repo.count() for name, repo in names["repos"].items()} == {"orders": 4, "users": 4}


def reordered(found: Block) -> str:
    """The start-up function with the statement that makes `UserModel` before those that use it:
    Python refuses to read a local name that is given a value further down."""
    tree = found.tree
    function = tree.body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    made = next(s for s in function.body if ast.unparse(s).startswith("UserModel ="))
    used = next(s for s in function.body if ast.unparse(s).startswith("user_repo ="))
    function.body.remove(made)
    function.body.insert(function.body.index(used), made)
    return ast.unparse(tree)


async def test_the_start_up_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = [(None, f"User {n}", f"{n}@example.com", "user", None) for n in range(30)]
    database(tmp_path / "app.db", TABLES.format(moment="TIMESTAMP"), users=more)
    monkeypatch.setenv("XREPO_DATABASE", f"sqlite:///{tmp_path}/app.db")
    names: Names = {name: getattr(xr, name) for name in xr.__all__} | {"/data/": "/data/"}
    names["model_registry"] = XRegistry()
    await run(reordered(block("Integration with Component Registration")), names)
    cache = xr.CacheManager()
    await names["initialize_namespace_system"](cache)
    assert await cache.list_ns("ns.*") == [
        "ns.fuzzy.users.user123", "ns.inspector.db", "ns.models.User", "ns.repos.users", "ns.resources.db",
        "ns.settings.app",
    ]  # fmt: skip
    repo, User = await cache.get_ns("ns.repos.users"), await cache.get_ns("ns.models.User")
    assert type(repo) is xr.ConnectedRepo
    assert [type(user) for user in await repo.list({"role": "admin"})] == [User]
    assert names["model_registry"].get("User") is User
    assert await cache.get_ns("ns.fuzzy.users.user123") == "John Doe john@example.com"
    assert await cache.fuzzy_search("ns.fuzzy.users.*", "JOHN") == ["ns.fuzzy.users.user123"]
    await (await cache.get_ns("ns.resources.db")).close()


# The specification's own bodies, where they can run: they and the package must agree.


def own(heading: str, name: str, **needed: Any) -> Any:
    """The class as the specification writes it, body and all."""
    space = {n: getattr(typing, n) for n in ("Any", "Dict", "List", "Optional", "Type", "Tuple", "Union")}
    space |= {"XRepo": xr.XRepo, "XResource": xr.XResource, "XObjPrototype": xr.XObjPrototype, **needed}
    exec(block(heading).code, space)
    return space[name]


async def use_of_a_namespace(cache: Any) -> list[Any]:
    await cache.register_ns("ns.models.User", int)
    await cache.register_ns("ns.fuzzy.users.user123", "John Doe john@example.com")
    await cache.register_ns("ns.fuzzy.users.user456", "Jane Roe jane@example.com")
    await cache.register_indirect("user", "ns.models.User")
    return [
        await cache.get_ns("ns.models.User"), await cache.get_ns("ns.models.Nobody", "none"),
        await cache.get_ns_by_key("user"), await cache.get_ns_by_key("nobody"), await cache.list_ns("ns.*"),
        await cache.list_ns("ns.models.*"), await cache.fuzzy_search("ns.fuzzy.*", "JOHN"),
        await cache.fuzzy_search("ns.fuzzy.users.*", "example.com"), await cache.fuzzy_search("ns.*", "Max"),
    ]  # fmt: skip


async def test_the_namespace_does_what_the_text_does() -> None:
    written = own("Namespace Registration Methods", "CacheManager", InMemoryRepo=InMemoryRepo)
    assert await use_of_a_namespace(xr.CacheManager()) == await use_of_a_namespace(written())
    for kind in (written, xr.CacheManager):
        with pytest.raises(ValueError, match="nknown cache backend.*disk"):
            kind("disk")


@pytest.mark.parametrize("given", [None, [], [{"a": 1}]])
@pytest.mark.parametrize("materialized", [None, True, False])
@pytest.mark.parametrize("connection_type", [
    None, "rest_api", "websocket", "event_stream", "mongodb", "postgresql", "mysql", "csv", "json", "sqlite",
])  # fmt: skip
def test_the_kind_of_repo_is_the_one_of_the_text(
    connection_type: str | None, materialized: bool | None, given: Any
) -> None:
    written = own("Auto-Detection Factory", "XRepoFactory")
    resource: Any = None if connection_type is None else type("R", (), {"connection_type": connection_type})()
    asked = ({}, resource, given, materialized)
    assert xr.XRepoFactory._determine_repo_type(*asked) == written._determine_repo_type(*asked)


USERS_SCHEMA = {
    "fields": {"user_id": {"type": "int", "required": True}, "name": {"type": "string", "required": True}}
}
ORDERS_SCHEMA = {
    "fields": {"user_id": {"type": "int", "required": True}, "total": {"type": "float", "required": True}}
}


def test_schemas_are_merged_as_the_text_does() -> None:
    written = own("Extended Factory Methods", "XRepoFactory")
    schemas = {"mongo.users": USERS_SCHEMA, "mongo.orders": ORDERS_SCHEMA}
    theirs, ours = (
        kind._merge_schemas(schemas, {"on": "user_id", "type": "inner"})
        for kind in (written, xr.XRepoFactory)
    )
    assert set(theirs) <= set(ours) and ours["view_type"] == theirs["view_type"]
    assert list(ours["fields"]) == list(theirs["fields"]) == ["user_id", "users_name", "orders_total"]
    for name in ("users_name", "orders_total"):
        assert theirs["fields"][name].items() <= ours["fields"][name].items()
    assert set(ours["source_schemas"]) == set(schemas)


def test_aggregated_schemas_are_those_of_the_text_with_real_types() -> None:
    written = own("Extended Factory Methods", "XRepoFactory")
    config = {
        "group_by": ["name"],
        "aggregations": {"n": {"op": "count"}, "last": {"op": "max", "field": "user_id"}},
    }
    theirs, ours = (
        kind._create_aggregated_schema({"users": USERS_SCHEMA}, config) for kind in (written, xr.XRepoFactory)
    )
    assert set(theirs) <= set(ours) and list(ours["fields"]) == list(theirs["fields"])
    assert (ours["view_type"], ours["aggregation_config"]) == (
        theirs["view_type"],
        theirs["aggregation_config"],
    )
    assert ours["fields"]["n"]["aggregation"] == theirs["fields"]["n"]["aggregation"] == {"op": "count"}
    assert [ours["fields"][name]["type"] for name in ("name", "n", "last")] == ["string", "int", "int"]


async def test_a_strategy_written_by_the_text_is_asked() -> None:
    """Of several the one of the highest priority that can handle the inputs makes the repo."""
    base = xr.RepoCreationStrategy

    def strategy(rank: int, takes: str) -> Any:
        async def create_repo(self: Any, **inputs: Any) -> Any:
            return await xr.XRepoFactory.create(data=[{"_id": rank}])

        body = {
            "can_handle": lambda self, **inputs: inputs.get("data") == takes,
            "create_repo": create_repo,
            "priority": property(lambda self: rank),
        }
        return type("Written", (base,), body)()

    added = [strategy(40, "x"), strategy(60, "x"), strategy(80, "y")]
    for each in added:
        xr.XRepoFactory.register_strategy(each)
    try:
        assert await (await xr.XRepoFactory.create(data="x")).distinct("_id") == [60]
        assert await (await xr.XRepoFactory.create(data="y")).distinct("_id") == [80]
    finally:
        for each in added:
            xr.XRepoFactory.unregister_strategy(each)
    with pytest.raises(ValueError, match="no strategy makes a repo from join_config"):
        await xr.XRepoFactory.create(join_config={"on": "id"})


def test_the_exceptions_are_those_of_the_text() -> None:
    space: Names = {}
    exec(block("Exception Hierarchy").code, space)
    written = {name: kind for name, kind in space.items() if inspect.isclass(kind)}
    for name, kind in written.items():
        ours = getattr(xr, name)
        assert [base.__name__ for base in kind.__mro__] == [
            base.__name__ for base in ours.__mro__ if base is not ValueError and base is not LookupError
        ]
    assert len(written) == 6
