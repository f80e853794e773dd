"""XInspector: schemas, keys, reports and models of what a resource holds."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.resources.base import Capabilities, ScanRequest, XResource
from xrepo_nb.resources.factory import ResourceFactory
from xrepo_nb.resources.inspector import ForeignKey, XInspector
from xrepo_nb.resources.memory import MemoryResource
from xrepo_nb.schema.models import model_source
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

DATASETS = Path(__file__).parents[2] / "datasets"
USERS = [{"user_id": i, "name": f"n{i}", "role": "admin" if i % 4 else "user"} for i in range(40)]
ORDERS = [{"id": i, "user_id": i % 40, "total": i * 0.5} for i in range(60)]


@pytest.fixture
def inspector() -> XInspector:
    return XInspector(MemoryResource({"users": USERS, "orders": ORDERS}))


class Schemaless(XResource):
    """A source that knows nothing of its rows, and counts how often it is read."""

    connection_type = "schemaless"
    capabilities = Capabilities()

    def __init__(self, documents: list[dict[str, Any]], described: Schema | None = None) -> None:
        self.name = "schemaless"
        self.documents = documents
        self.described = described or Schema(())
        self.scans = self.read = 0

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def validate_connection(self) -> bool:
        return True

    async def list_collections_or_tables(self) -> list[str]:
        return ["rows"]

    async def describe(self, collection: str | None = None) -> Schema:
        return self.described

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        self.scans += 1
        for start in range(0, len(self.documents), 10):
            self.read += 10
            yield Table(documents=self.documents[start : start + 10])


@pytest.mark.parametrize(
    ("kind", "file", "key", "fields"),
    [
        ("csv", "airlines.csv", ("carrier",), 2),
        ("json", "airports.json", ("faa",), 8),
        ("sqlite", "planes.db", ("tailnum",), 9),
        ("parquet", "flights.parquet", (), 19),
    ],
)
async def test_the_data_sets(kind: str, file: str, key: tuple[str, ...], fields: int) -> None:
    resource = ResourceFactory.create(kind, file_path=str(DATASETS / file))
    schema = await XInspector(resource).discover_schema()
    assert (schema.primary_key, len(schema.fields), schema.name) == (key, fields, Path(file).stem)
    await resource.close()


async def test_one_collection_needs_no_name_and_takes_any(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("sku,price\na,1.5\nb,2\n")
    resource = ResourceFactory.create("csv", file_path=str(tmp_path / "products.csv"))
    inspector = XInspector(resource)
    assert (await inspector.discover_schema()).names == ("sku", "price")
    assert (await inspector.generate_model("products")).__name__ == "Product"
    assert (await inspector.generate_model("wares")).__name__ == "Ware"
    assert (await inspector.generate_model()).__name__ == "Product"


async def test_several_collections_need_a_name(inspector: XInspector) -> None:
    with pytest.raises(XRepoConfigurationError, match="orders, users"):
        await inspector.discover_schema()
    with pytest.raises(XRepoNotFoundError, match="did you mean 'users'"):
        await inspector.discover_schema("user")


async def test_a_model_takes_the_source_s_rows_and_knows_its_schema(inspector: XInspector) -> None:
    User = await inspector.generate_model("users")
    assert issubclass(User, XObjPrototype)
    assert [User.model_validate(row).model_dump() for row in USERS] == USERS
    assert User.__xrepo_schema__ == await inspector.discover_schema("users")  # type: ignore[attr-defined]


async def test_few_values_are_literals_when_asked(inspector: XInspector) -> None:
    assert (await inspector.discover_schema("users")).field("role").enum is None  # type: ignore[union-attr]
    User = await inspector.generate_model("users", enums=True)
    with pytest.raises(ValidationError):
        User.model_validate({"user_id": 1, "name": "x", "role": "root"})
    schema = await inspector.discover_schema("users", enums=True)
    assert schema.field("role").enum == ("admin", "user")  # type: ignore[union-attr]
    assert schema.field("name").enum is None  # type: ignore[union-attr]


async def test_few_valued_fields_are_no_part_of_the_fuzzy_text(inspector: XInspector) -> None:
    User = await inspector.generate_model("users")
    record = {"user_id": 1, "name": "Ada", "role": "admin"}
    assert User.model_validate(record).get_fuzzy_text() == "Ada"
    space: dict[str, Any] = {}
    exec(model_source(User), space)
    assert space["User"].model_validate(record).get_fuzzy_text() == "Ada"
    assert model_source(space["User"]) == model_source(User)
    only = XInspector(MemoryResource([{"_id": i, "role": "user", "n": i} for i in range(40)], collection="a"))
    Role = await only.generate_model("roles")
    assert Role.model_validate({"_id": 1, "role": "user", "n": 1}).get_fuzzy_text() == ""


async def test_few_values_are_looked_for_in_all_rows_not_only_in_the_sample() -> None:
    frame = pl.DataFrame({"kind": ["a", "b"] * 50 + ["c"], "late": ["x"] * 90 + list("abcdefghijk")})
    inspector = XInspector(MemoryResource(frame, collection="rows"))
    schema = await inspector.discover_schema(sample=60, enums=True)
    assert schema.field("kind").enum == ("a", "b", "c")  # type: ignore[union-attr]
    assert schema.field("late").enum == (*"abcdefghijk", "x")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([{"name": "a", "user_id": 1}, {"name": "b", "user_id": 2}], ("user_id",)),
        ([{"User_ID": 1}, {"User_ID": 2}], ("User_ID",)),
        ([{"user_id": 1}, {"user_id": 1}], ()),
        ([{"user_id": 1}, {"user_id": None}], ()),
        ([{"user_id": 1.5}, {"user_id": 2.5}], ()),
        ([{"name": f"Ada {i}", "n": 1} for i in range(20)], ()),
        ([{"place": f"P{i}", "n": 1} for i in range(20)], ("place",)),
        ([{"place": f"P{i}"} for i in range(5)], ()),
    ],
)
async def test_candidates_for_the_primary_key(rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    schema = await XInspector(MemoryResource(rows, collection="users")).discover_schema()
    assert schema.primary_key == key


async def test_declared_keys_and_indexes_win(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE items (id INTEGER, sku TEXT PRIMARY KEY NOT NULL, price REAL)")
        connection.execute("CREATE INDEX by_price ON items (price)")
        connection.execute("INSERT INTO items VALUES (1, 'a', 1.5)")
    connection.close()
    resource = ResourceFactory.create("sqlite", file_path=str(tmp_path / "shop.db"))
    schema = await XInspector(resource).discover_schema("items")
    assert schema.primary_key == ("sku",)
    assert [index.fields for index in schema.indexes if index.name == "by_price"] == [("price",)]
    await resource.close()


async def test_foreign_keys_go_by_name_and_type() -> None:
    users = [{"id": row["user_id"], "name": row["name"]} for row in USERS]
    inspector = XInspector(MemoryResource({"users": users, "orders": ORDERS}))
    assert await inspector.foreign_keys("orders") == [ForeignKey("user_id", "users", "id")]
    assert await inspector.foreign_keys("users") == []


async def test_what_a_source_does_not_know_its_rows_tell() -> None:
    source = Schemaless([{"_id": i, "n": i} | ({"late": "x"} if i > 50 else {}) for i in range(100)])
    schema = await XInspector(source).discover_schema("rows")
    assert {f.name: (f.type.kind, f.absence) for f in schema.fields} == {
        "_id": ("int", "never"), "n": ("int", "never"), "late": ("string", "missing"),
    }  # fmt: skip
    assert schema.primary_key == ("_id",)
    assert "sampled" not in schema


async def test_a_sample_says_that_it_is_one() -> None:
    source = Schemaless([{"n": i} | ({"late": "x"} if i > 50 else {}) for i in range(100)])
    inspector = XInspector(source)
    schema = await inspector.discover_schema("rows", sample=20)
    assert (schema.names, schema["sampled"], source.read) == (("n",), 20, 30)
    assert str(inspector.report()).startswith("the first 20 rows")
    model = await inspector.generate_model("rows", sample=20)
    assert model.model_validate({"n": 1, "late": "x"}).model_extra == {"late": "x"}


async def test_rows_complete_a_description() -> None:
    described = Schema.of({"fields": {"n": {"type": "int"}, "none": {"type": "date"}}})
    schema = await XInspector(Schemaless([{"n": 1, "more": "x"}], described)).discover_schema()
    assert [(f.name, f.type.kind) for f in schema.fields] == [
        ("n", "int"),
        ("none", "date"),
        ("more", "string"),
    ]


async def test_discoveries_are_kept_until_refreshed() -> None:
    source = Schemaless([{"n": 1}])
    inspector = XInspector(source)
    assert await inspector.discover_schema("rows") == await inspector.discover_schema()
    assert source.scans == 1
    source.documents.append({"n": "x"})
    assert (await inspector.discover_schema(refresh=True))["fields"]["n"]["type"] == "mixed"


async def test_the_report_of_each_collection(inspector: XInspector) -> None:
    with pytest.raises(XRepoConfigurationError, match="discover_schema"):
        inspector.report("users")
    await inspector.discover_all()
    assert (inspector.report("users").rows, inspector.report("orders").rows) == (40, 60)
    with pytest.raises(XRepoConfigurationError, match="there are: orders, users"):
        inspector.report()


async def test_the_joined_model_of_the_specification(inspector: XInspector) -> None:
    schemas = {
        "users": await inspector.discover_schema("users"),
        "orders": await inspector.discover_schema("orders"),
    }
    View = await inspector.generate_joined_model(schemas, join_config={"on": "user_id", "type": "left_join"})
    assert View.__name__ == "UserOrderView"
    assert list(View.model_fields) == ["user_id", "users_name", "users_role", "orders_id", "orders_total"]
    assert View.model_validate({"user_id": 1, "users_name": "a", "users_role": "b"}).orders_total is None  # type: ignore[attr-defined]


async def test_an_empty_source() -> None:
    inspector = XInspector(Schemaless([]))
    assert (await inspector.discover_schema()).fields == ()
    assert (await inspector.generate_model()).__name__ == "Row"
