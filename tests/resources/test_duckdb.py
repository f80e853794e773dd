"""DuckDB files: their types, what is pushed down, what a write may do, what stays locked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import duckdb
import pytest

from tests.resources.sources import rows
from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoConnectionError,
    XRepoQueryError,
    XRepoTimeoutError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.core.offload import offload
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.resources.duckdb import DuckDBResource, _joined
from xrepo_nb.schema.table import Table

SCRIPT = """
CREATE TABLE items (
    id INTEGER PRIMARY KEY, key UUID, price DECIMAL(10, 2), made TIMESTAMP, seen TIMESTAMPTZ[],
    size ENUM('s', 'm'), tags VARCHAR[], place STRUCT(city VARCHAR, "zip code" SMALLINT), ratio FLOAT,
    data BLOB, span INTERVAL, huge HUGEINT, code VARCHAR NOT NULL UNIQUE CHECK (length(code) < 4)
);
INSERT INTO items VALUES
    (1, '206e7cc4-00e7-4ac1-b616-5bd1709b3a6a', 1.25, '2024-01-01', ['2024-01-01 00:00:00+02'], 's',
     ['a', NULL], {city: 'Rom', 'zip code': 1}, 1.5, 'ab', INTERVAL 1 MONTH, 170141183460469231731, 'x'),
    (2, NULL, NULL, NULL, NULL, NULL, [], NULL, 'NaN', NULL, NULL, NULL, 'y'),
    (3, NULL, 7, '2024-03-05 06:07:08', [], 'm', NULL, {city: NULL, 'zip code': 2}, -2.5, NULL, NULL, 5, 'z');
CREATE VIEW doubled AS SELECT id * 2 AS twice FROM items;
CREATE INDEX by_price ON items (price, code);
"""


@pytest.fixture
async def items(tmp_path: Path) -> Any:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCRIPT)
    resource = DuckDBResource(path)
    await resource.connect()
    yield resource
    await resource.close()


async def test_types_are_described(items: DuckDBResource) -> None:
    schema = await items.describe("items")
    assert {f.name: str(f.type) for f in schema.fields} == {
        "id": "int", "key": "uuid", "price": "decimal", "made": "datetime", "seen": "array<datetime>",
        "size": "string", "tags": "array<string>", "place": "object<city: string, zip code: int>",
        "ratio": "float", "data": "binary", "span": "string", "huge": "string", "code": "string",
    }  # fmt: skip
    assert schema.primary_key == ("id",)
    assert [(i.fields, i.unique) for i in schema.indexes] == [(("code",), True), (("price", "code"), False)]
    assert schema.field("size").enum == ("s", "m")
    assert dict(schema.field("span").extra) == {"native_type": "INTERVAL", "read_as": "TEXT"}


async def test_values_come_as_their_kind(items: DuckDBResource) -> None:
    first = (await rows(items, Scan("items")))[0]
    assert first["key"] == UUID("206e7cc4-00e7-4ac1-b616-5bd1709b3a6a") and first["price"] == Decimal("1.25")
    assert first["seen"] == [datetime(2023, 12, 31, 22, tzinfo=UTC)]
    assert first["place"] == {"city": "Rom", "zip code": 1} and first["huge"] == "170141183460469231731"
    assert [row["twice"] for row in await rows(items, Scan("v"), "doubled")] == [2, 4, 6]


@pytest.mark.parametrize(
    "stages",
    [
        [{"$match": {"ratio": {"$gt": -3}}}],
        [{"$match": {"ratio": {"$lte": 1.5}}}],
        [{"$match": {"tags": "a"}}],
        [{"$match": {"tags": None}}],
        [{"$match": {"place.city": None}}],
        [{"$match": {"place.zip code": {"$in": [2, 3]}}}],
        [{"$match": {"made": {"$gte": datetime(2024, 2, 1, tzinfo=UTC)}}}],
        [{"$match": {"price": {"$gt": 2}}}, {"$project": {"code": 1}}],
        [{"$sort": {"ratio": -1}}, {"$skip": 1}, {"$limit": 1}],
        [{"$addFields": {"twice": {"$multiply": ["$id", 2]}}}, {"$match": {"$expr": {"$gt": ["$twice", 2]}}}],
        [{"$group": {"_id": {"$year": "$made"}, "n": {"$sum": 1}, "ids": {"$push": "$id"}}}],
        [{"$match": {"code": {"$regex": "(?=x)"}}}],
        [{"$match": {"code": {"$regex": "(?=x)"}}}, {"$group": {"_id": None, "n": {"$sum": 1}}}],
    ],
    ids=str,
)
async def test_plans_give_what_the_document_engine_gives(
    items: DuckDBResource, stages: list[dict[str, Any]]
) -> None:
    everything = Table(documents=await rows(items, Scan("items")), schema=await items.describe("items"))
    plan = parse_pipeline(stages, Scan("items"))
    expected = (await offload(DocumentEngine().collect, plan, {"items": everything})).documents
    found = await rows(items, plan)
    assert sorted(map(_text, found)) == sorted(map(_text, expected))


def _text(row: dict[str, Any]) -> str:
    return repr(dict(sorted(row.items())))


async def test_records_are_written(items: DuckDBResource) -> None:
    key = uuid4()
    record = {"id": 7, "code": "new", "key": key, "tags": ["q"], "place": {"city": "Oslo", "zip code": None}}
    stored = (await items.insert("items", [record])).documents[0]
    assert stored is not None and {name: stored[name] for name in record} == record
    changed = await items.update("items", [(7, {"price": Decimal("2.50")}), (99, {"price": None})])
    assert changed.outcomes == ("applied", "skipped") and changed.documents[0]["price"] == Decimal("2.50")
    assert (await items.delete("items", [7])).outcomes == ("applied",)


@pytest.mark.parametrize(("more", "statements"), [({}, 1), ({"key": uuid4()}, 3)], ids=["listed", "by value"])
async def test_many_records_at_once(
    items: DuckDBResource, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], statements: int
) -> None:
    sizes: list[int] = []

    def counted(sql: str, many: Any, part: Any, listed: bool) -> Any:
        sizes.append(len(part))
        return _joined(sql, many, part, listed)

    records = [
        {"id": 1000 + i, "code": f"{i:x}", "ratio": None if i % 2 else 0.5, **more} for i in range(450)
    ]
    with monkeypatch.context() as patched:
        patched.setattr("xrepo_nb.resources.duckdb._joined", counted)
        made = await items.insert("items", records)
    assert set(made.outcomes) == {"applied"} and sum(sizes) == 450 and len(sizes) == statements
    stored = [document for document in made.documents if document is not None]
    assert [{name: document[name] for name in records[0]} for document in stored] == records
    records = [{"id": 5000 + i, "code": f"q{i:x}"} for i in range(55)] + [{"id": 1, "code": "dup"}]
    with pytest.raises(XRepoConflictError) as caught:
        await items.insert("items", records)
    assert caught.value.result.outcomes[-1] == "failed" and len(caught.value.result.outcomes) == 56


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"id": 1, "code": "q"}, XRepoConflictError),
        ({"id": 9, "code": "x"}, XRepoConflictError),
        ({"id": 9}, XRepoValidationError),
        ({"id": 9, "code": "long"}, XRepoValidationError),
        ({"id": "9", "code": "q"}, XRepoValidationError),
        ({"id": 2**40, "code": "q"}, XRepoValidationError),
        ({"id": 9, "code": "q", "price": Decimal("1.255")}, XRepoValidationError),
        ({"id": 9, "code": "q", "span": "1 day"}, XRepoValidationError),
        ({"id": 9, "code": "q", "other": 1}, XRepoValidationError),
    ],
    ids=str,
)
async def test_a_bulk_applies_as_a_whole_or_not_at_all(
    items: DuckDBResource, record: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        await items.insert("items", [{"id": 8, "code": "ok"}, record])
    assert caught.value.result.outcomes == ("skipped", "failed")
    assert "206e" not in str(caught.value) and len(await rows(items, Scan("items"))) == 3


async def test_the_database_is_locked_against_other_files(items: DuckDBResource, tmp_path: Path) -> None:
    connection = items._new_connection()
    for statement in (
        "SELECT * FROM read_text('/etc/hostname')",
        f"COPY items TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    connection.close()


async def test_read_only_files_refuse_writes(items: DuckDBResource) -> None:
    await items.close()
    resource = DuckDBResource(items.path, read_only=True)
    await resource.connect()
    with pytest.raises(XRepoUnsupportedError):
        await resource.delete("items", [1])
    assert len(await rows(resource, Scan("items"))) == 3
    await resource.close()


async def test_other_files_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database" * 1000)
    with pytest.raises(XRepoConnectionError):
        await DuckDBResource(tmp_path / "text.duckdb").connect()


async def test_errors_on_the_data_tell_no_values(items: DuckDBResource) -> None:
    plan = parse_pipeline(
        [{"$project": {"x": {"$divide": [4711, {"$subtract": ["$id", 1]}]}}}], Scan("items")
    )
    with pytest.raises(XRepoQueryError) as caught:
        await rows(items, plan)
    assert "4711" not in str(caught.value) and "$divide by zero" in str(caught.value)


async def test_a_late_or_cancelled_read_frees_its_connection(items: DuckDBResource) -> None:
    await items.close()
    with duckdb.connect(str(items.path)) as connection:
        connection.execute(
            "CREATE VIEW endless AS SELECT sum(a.range * b.range) AS s"
            " FROM range(1000000) a, range(1000000) b"
        )
    await items.connect()
    request = ScanRequest(Scan("endless"), timeout=0.3)
    with pytest.raises(XRepoTimeoutError):
        [table async for table in items.scan("endless", request)]
    task = asyncio.create_task(rows(items, Scan("endless"), "endless"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task  # within this test: the query itself would take a quarter of an hour
    assert len(await rows(items, Scan("items"))) == 3
