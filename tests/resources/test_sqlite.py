"""SQLite files: what their columns hold, what is pushed down, what a write may do."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.resources.sources import rows
from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoConnectionError,
    XRepoNotFoundError,
    XRepoPermissionError,
    XRepoTimeoutError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.core.offload import offload
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.expressions import Literal
from xrepo_nb.query.parsing import parse_filter
from xrepo_nb.query.plan import Accumulator, Group, Match, Scan
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.resources.sqlite import SQLiteResource
from xrepo_nb.schema.table import Table

SCRIPT = """
CREATE TABLE items (
    id INTEGER PRIMARY KEY, n INT, name TEXT COLLATE NOCASE, made DATETIME, day DATE, ok BOOLEAN,
    anything, price DECIMAL(10,2), code TEXT UNIQUE NOT NULL DEFAULT 'none', note DATETIME
);
INSERT INTO items VALUES
    (1, 1, 'a', '2024-01-01 10:00:00', '2024-01-01', 1, 1, 10, 'x', 'soon'),
    (2, 2, 'A', NULL, NULL, 0, 't', 10.25, 'y', NULL),
    (3, NULL, 'b', '2024-01-02T00:00:00+02:00', '2024-02-29', NULL, NULL, NULL, 'z', NULL);
CREATE VIEW doubled AS SELECT id, n * 2 AS twice FROM items;
"""


@pytest.fixture
async def items(tmp_path: Path) -> Any:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCRIPT)
    connection.close()
    resource = SQLiteResource(path)
    await resource.connect()
    yield resource
    await resource.close()


async def test_columns_are_described_by_declaration_and_by_what_they_hold(items: SQLiteResource) -> None:
    schema = await items.describe("items")
    assert {f.name: f.type.kind for f in schema.fields} == {
        "id": "int", "n": "int", "name": "string", "made": "datetime", "day": "date", "ok": "bool",
        "anything": "mixed", "price": "float", "code": "string", "note": "string",
    }  # fmt: skip
    assert schema.primary_key == ("id",)
    assert [(i.fields, i.unique) for i in schema.indexes] == [(("code",), True)]
    assert schema.field("id").required and schema.field("code").required and not schema.field("n").required
    assert ("stored_as", "text") in schema.field("made").extra
    assert [f.name for f in schema.fields if ("generated", True) in f.extra] == ["id", "code"]


async def test_values_come_as_their_kind(items: SQLiteResource) -> None:
    found = await rows(items, Scan("items"))
    assert found[0]["made"] == datetime(2024, 1, 1, 10, tzinfo=UTC) and found[0]["day"] == date(2024, 1, 1)
    assert found[2]["made"] == datetime(2024, 1, 1, 22, tzinfo=UTC)
    assert [row["anything"] for row in found] == [1, "t", None]
    assert [row["ok"] for row in found] == [True, False, None]
    assert (await rows(items, Scan("v"), "doubled"))[1] == {"id": 2, "twice": 4}


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a"},
        {"name": {"$ne": "a"}},
        {"name": {"$in": ["A", "B", None]}},
        {"name": {"$gt": "A"}},
        {"name": {"$regex": "^A"}},
        {"name": 1},
        {"n": "1"},
        {"n": {"$nin": [1]}},
        {"n": {"$not": {"$gt": 1}}},
        {"n": {"$lt": 1.5}},
        {"n": None},
        {"n": {"$exists": True}},
        {"ok": 1},
        {"ok": True},
        {"anything": 1},
        {"anything": "t"},
        {"anything": {"$gte": 0}},
        {"price": 10},
        {"price": {"$mod": [5, 0]}},
        {"made": {"$gte": datetime(2024, 1, 1, 12, tzinfo=UTC)}},
        {"$or": [{"n": 2}, {"code": "z"}], "$nor": [{"id": 1}]},
        {"$expr": {"$gt": ["$n", None]}},
    ],
    ids=str,
)
async def test_filters_select_what_the_document_engine_selects(
    items: SQLiteResource, given: dict[str, Any]
) -> None:
    everything = Table(documents=await rows(items, Scan("items")), schema=await items.describe("items"))
    plan = Match(Scan("items"), parse_filter(given))
    expected = (await offload(DocumentEngine().collect, plan, {"items": everything})).documents
    assert await rows(items, plan) == list(expected)


async def test_filters_are_pushed_down(items: SQLiteResource) -> None:
    schema = await items.describe("items")
    text = items.native_text("items", Match(Scan("items"), parse_filter({"n": {"$gt": 1}})), schema)
    assert text is not None and "WHERE" in text and ":p1" in text


async def test_records_are_stored_with_defaults_and_given_ids(items: SQLiteResource) -> None:
    result = await items.insert("items", [{"n": 7, "made": datetime(2024, 5, 1, tzinfo=UTC)}])
    assert result.outcomes == ("applied",)
    assert result.documents[0] is not None
    assert result.documents[0]["id"] == 4 and result.documents[0]["code"] == "none"
    changed = await items.update("items", [(4, {"n": 8}), (99, {"n": 1})])
    assert changed.outcomes == ("applied", "skipped") and changed.documents[0]["n"] == 8
    assert (await items.delete("items", [4, 99])).outcomes == ("applied", "skipped")
    assert len(await rows(items, Scan("items"))) == 3


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"id": 1, "code": "q"}, XRepoConflictError),
        ({"code": "x"}, XRepoConflictError),
        ({"code": None}, XRepoValidationError),
        ({"n": "12", "code": "q"}, XRepoValidationError),
        ({"n": True, "code": "q"}, XRepoValidationError),
        ({"n": 2**63, "code": "q"}, XRepoValidationError),
        ({"price": float("nan"), "code": "q"}, XRepoValidationError),
        ({"price": "10", "code": "q"}, XRepoValidationError),
        ({"unknown": 1, "code": "q"}, XRepoValidationError),
    ],
    ids=str,
)
async def test_a_bulk_applies_as_a_whole_or_not_at_all(
    items: SQLiteResource, record: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        await items.insert("items", [{"n": 1, "code": "first"}, record])
    assert caught.value.result.outcomes == ("skipped", "failed")
    assert len(await rows(items, Scan("items"))) == 3


async def test_names_are_identifiers_and_never_sql(items: SQLiteResource) -> None:
    with pytest.raises(XRepoNotFoundError):
        await rows(items, Scan("items"), 'items"; DROP TABLE items; --')
    with pytest.raises(XRepoValidationError):
        await items.insert("items", [{'n") VALUES (1); --': 1}])


async def test_read_only_files_refuse_writes(items: SQLiteResource) -> None:
    async def refused(resource: SQLiteResource) -> None:
        with pytest.raises(XRepoUnsupportedError):
            await resource.insert("items", [{"n": 1}])

    resource = SQLiteResource(items.path, read_only=True)
    await resource.connect()
    await refused(resource)
    await resource.close()


async def test_a_file_outside_of_the_root_is_refused(items: SQLiteResource, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with pytest.raises(XRepoPermissionError):
        await SQLiteResource("../shop.db", root=tmp_path / "inner").connect()


async def test_other_files_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database" * 1000)
    with pytest.raises(XRepoConnectionError):
        await SQLiteResource(tmp_path / "text.db").connect()


ENDLESS = """
CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12)
SELECT count(*) AS c FROM n
"""


async def test_a_late_or_cancelled_read_frees_its_connection(items: SQLiteResource) -> None:
    connection = sqlite3.connect(items.path)
    connection.execute(ENDLESS)
    connection.close()
    items.timeout = 0.2
    with pytest.raises(XRepoTimeoutError):
        await items.describe("endless")
    items.timeout = 60
    task = asyncio.create_task(items.describe("endless"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await rows(items, Scan("items"))) == 3


async def test_many_tasks_read_and_write_at_once(items: SQLiteResource) -> None:
    async def both(i: int) -> int:
        await items.insert("items", [{"n": i, "code": f"c{i}"}])
        return len(await rows(items, Scan("items")))

    counts = await asyncio.gather(*(both(i) for i in range(20)))
    assert max(counts) == 23


async def test_a_write_may_follow_the_last_batch_of_a_scan(items: SQLiteResource) -> None:
    items.timeout = 2
    async for _ in items.scan("items", ScanRequest(Scan("items"))):
        await items.insert("items", [{"n": 1, "code": "new"}])
    assert len(await rows(items, Scan("items"))) == 4


async def test_a_view_takes_no_writes(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "v.db")
    connection.executescript(
        "CREATE TABLE o (a INTEGER PRIMARY KEY, b TEXT); CREATE VIEW v AS SELECT * FROM o"
    )
    connection.close()
    resource = SQLiteResource(tmp_path / "v.db")
    await resource.connect()
    with pytest.raises(XRepoUnsupportedError, match="view"):
        await resource.insert("v", [{"a": 1, "b": "x"}])
    assert (await resource.insert("o", [{"a": 1, "b": "x"}])).outcomes == ("applied",)
    await resource.close()


async def opened(tmp_path: Path, script: str, values: list[tuple[Any, ...]]) -> SQLiteResource:
    connection = sqlite3.connect(tmp_path / "t.db")
    connection.executescript(script)
    places = ", ".join("?" * len(values[0]))
    connection.executemany(f"INSERT INTO t VALUES ({places})", values)
    connection.commit()
    connection.close()
    resource = SQLiteResource(tmp_path / "t.db")
    await resource.connect()
    return resource


@pytest.mark.parametrize("declared", ["", "TEXT", "NUMERIC", "INTEGER", "VARCHAR COLLATE NOCASE", "BLOB"])
async def test_texts_compare_as_such_whatever_the_column_is_declared(tmp_path: Path, declared: str) -> None:
    texts = ["!", "9a", "a", "B", "", None]
    resource = await opened(tmp_path, f"CREATE TABLE t (v {declared})", [(v,) for v in texts])
    assert (await resource.describe("t")).fields[0].type.kind == "string"
    table = Table(documents=[{"v": v} for v in texts], schema=await resource.describe("t"))
    for op in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"):
        for value in ("5", "", "a", "b"):
            plan = Match(Scan("t"), parse_filter({"v": {op: value}}))
            expected = list(DocumentEngine().collect(plan, {"t": table}).documents)
            assert await rows(resource, plan, "t") == expected, (op, value)
    await resource.close()


async def test_values_of_other_types_that_came_later_match_no_comparison_of_order(tmp_path: Path) -> None:
    resource = await opened(tmp_path, "CREATE TABLE t (n, s)", [(1, "a"), (7, "b")])
    await resource.describe("t")
    connection = sqlite3.connect(resource.path)
    connection.execute("INSERT INTO t VALUES (?, ?), (?, ?)", ("x", 3, b"y", b"z"))
    connection.commit()
    connection.close()
    for name, value in (("n", 0), ("s", "")):
        plan = Match(Scan("t"), parse_filter({name: {"$gte": value}}))
        assert await rows(resource, plan, "t") == [{"n": 1, "s": "a"}, {"n": 7, "s": "b"}]
    for name, value in (("n", 9), ("s", "z")):
        plan = Match(Scan("t"), parse_filter({name: {"$lt": value}}))
        assert await rows(resource, plan, "t") == [{"n": 1, "s": "a"}, {"n": 7, "s": "b"}]
    await resource.close()


@pytest.mark.parametrize(
    ("declared", "text", "kind"),
    [
        ("DATE", "2024-02-29", "date"),
        ("DATE", "2024-W09-4", "date"),
        ("DATE", "2024-02-31", "string"),
        ("DATE", "0000-01-01", "string"),
        ("DATE COLLATE RTRIM", "2024-02-29 ", "string"),
        ("DATE", "now", "string"),
        ("TIME", "10:20:30", "time"),
        ("TIME", "24:00:00", "string"),
        ("TIME", "10:20", "time"),
        ("DATETIME", "2024-02-29 10:00:00", "datetime"),
        ("DATETIME", "2024-02-29T10:00:00.5+02:00", "datetime"),
        ("DATETIME", "2024-02-29 24:00:01", "string"),
    ],
)
async def test_one_text_that_is_no_date_leaves_the_column_text(
    tmp_path: Path, declared: str, text: str, kind: str
) -> None:
    usual = {"DATE": "2024-01-01", "TIME": "12:00:00", "DATETIME": "2024-01-01 10:00:00"}[declared.split()[0]]
    resource = await opened(tmp_path, f"CREATE TABLE t (v {declared})", [(usual,), (None,), (text,)])
    assert (await resource.describe("t")).fields[0].type.kind == kind
    await resource.close()


async def test_a_table_of_many_shapes_is_described_as_one_of_few(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(10)]
    values = [tuple(n >> i & 1 or None for i in range(10)) for n in range(1024)]
    resource = await opened(tmp_path, f"CREATE TABLE t ({', '.join(names)})", values)
    fields = (await resource.describe("t")).fields
    assert {(f.type.kind, f.absence) for f in fields} == {("int", "null")}
    await resource.close()


async def test_counting_no_rows_gives_no_group(tmp_path: Path) -> None:
    resource = await opened(tmp_path, "CREATE TABLE t (n INT)", [(1,), (2,)])
    counted = Group(Scan("t"), Literal(None), (Accumulator("n", "$sum", (Literal(1),)),))
    assert await rows(resource, counted, "t") == [{"_id": None, "n": 2}]
    text = resource.native_text("t", counted, await resource.describe("t"))
    assert text is not None and text.upper().count("COUNT(*)") == 1  # of two SQLite goes through the rows
    none = Match(Scan("t"), parse_filter({"n": {"$gt": 5}}))
    assert await rows(resource, Group(none, counted.key, counted.accumulators), "t") == []
    await resource.close()
