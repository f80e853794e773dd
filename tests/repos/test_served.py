"""A source as other packages will add them: a server reached over a few connections, slow, asynchronous
throughout, its records without a fixed form, with a feed of changes. It comes by the entry-point door.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import Capabilities, ResourceFactory, Schema, Table, XResource
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.plan import Plan
from xrepo_nb.resources import factory
from xrepo_nb.resources.base import ScanRequest, WriteResult

ROWS = [{"_id": n, "city": ("Oslo", "Rome")[n % 2], "n": n} for n in range(10)]


class Server:
    """Two connections, and what goes over them: each answer takes as long as `pause` says."""

    def __init__(self) -> None:
        self.rows: dict[Any, dict[str, Any]] = {row["_id"]: dict(row) for row in ROWS}
        self.free = asyncio.Semaphore(2)
        self.in_use = 0
        self.pause = 0.0
        self.asked: list[Plan] = []
        self.listeners: list[asyncio.Queue[dict[str, Any] | None]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        async with self.free:
            self.in_use += 1
            try:
                await asyncio.sleep(self.pause)
                yield
            finally:
                self.in_use -= 1

    def put(self, row: dict[str, Any]) -> None:
        """A change by somebody else, which the feed tells."""
        self.rows[row["_id"]] = row
        for listener in self.listeners:
            listener.put_nowait(row)


class Served(XResource):
    connection_type = "served"
    capabilities = Capabilities(
        filters=frozenset({"Compare", "In", "And"}),
        stages=frozenset({"Match", "Limit"}),
        any_field=True,
        insert=True,
        update=True,
        delete=True,
        watch=True,
    )

    def __init__(self, server: Server, name: str = "served") -> None:
        self.server, self.name, self.connected = server, name, False

    async def connect(self) -> None:
        self.connected = True

    async def close(self) -> None:
        self.connected = False
        for listener in self.server.listeners:
            listener.put_nowait(None)

    async def validate_connection(self) -> bool:
        return self.connected

    async def list_collections_or_tables(self) -> list[str]:
        return ["things"]

    async def describe(self, collection: str | None = None) -> Schema:
        return Schema((), name="things", primary_key=("_id",))

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        self.server.asked.append(request.plan)
        rows = Table(documents=list(self.server.rows.values()))
        async with self.server.connection():
            found = (
                DocumentEngine().collect(request.plan, dict.fromkeys(request.plan.sources(), rows)).documents
            )
            for start in range(0, len(found), 4):
                await asyncio.sleep(self.server.pause)
                yield Table(documents=found[start : start + 4])

    def native_text(self, collection: str | None, plan: Plan, schema: Schema) -> str | None:
        return f"GET /{collection}?{type(plan).__name__.lower()}"

    async def insert(
        self, collection: str | None, records: Sequence[dict[str, Any]], *, key: Sequence[str] = ()
    ) -> WriteResult:
        async with self.server.connection():
            return self._each(records, [record["_id"] not in self.server.rows for record in records])

    async def update(
        self,
        collection: str | None,
        changes: Sequence[tuple[Any, dict[str, Any]]],
        *,
        key: Sequence[str] = (),
    ) -> WriteResult:
        async with self.server.connection():
            new = [{**self.server.rows.get(i, {"_id": i}), **fields} for i, fields in changes]
            return self._each(new, [record["_id"] in self.server.rows for record in new])

    async def delete(
        self, collection: str | None, ids: Sequence[Any], *, key: Sequence[str] = ()
    ) -> WriteResult:
        async with self.server.connection():
            return WriteResult(tuple("applied" if self.server.rows.pop(i, None) else "skipped" for i in ids))

    def _each(self, records: Sequence[dict[str, Any]], takes: Sequence[bool]) -> WriteResult:
        for record, taken in zip(records, takes, strict=True):
            if taken:
                self.server.put(dict(record))
        errors = {at: "the id exists" for at, taken in enumerate(takes) if not taken}
        return WriteResult(tuple("applied" if taken else "failed" for taken in takes), errors)

    async def watch(self, collection: str | None, resume_after: Any = None) -> AsyncIterator[Any]:
        changes: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.server.listeners.append(changes)
        try:
            while (change := await changes.get()) is not None:
                yield change
        finally:
            self.server.listeners.remove(changes)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package that brings the source is installed."""
    info = tmp_path / "served-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: served\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{factory.SOURCES.group}]\nserved = {__name__}:Served\n")
    monkeypatch.syspath_prepend(tmp_path)
    factory.SOURCES.forget()
    yield
    factory.SOURCES.forget()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def things(installed: None, server: Server) -> Any:
    source = await asyncio.to_thread(ResourceFactory.create, "served", server=server)
    assert isinstance(source, XResource)
    repo = await xr.open(source, model=False, register=False)
    server.asked.clear()
    yield repo
    await source.close()
    assert server.in_use == 0


async def test_it_is_read_where_it_lies(things: Any, server: Server) -> None:
    assert things.kind == "connected" and things.schema.names == ("_id", "city", "n")
    assert [row["n"] for row in await things.list({"city": "Oslo"}, sort="-n", limit=2)] == [8, 6]
    assert await things.distinct("city") == ["Oslo", "Rome"]
    assert (await things.read(3))["n"] == 3 and await things.count({"n__gt": 6}) == 3
    assert type(server.asked[0]).__name__ == "Match"


async def test_explain_tells_what_the_server_is_asked(things: Any) -> None:
    told = await things.explain({"city": "Oslo"}, sort="n")
    assert [(node.stage.split()[0], node.pushed) for node in told.walk()] == [
        ("$sort", False), ("$match", True), ("scan", True),
    ]  # fmt: skip
    assert [node.native for node in told.walk() if node.pushed and node.native] == ["GET /things?match"]


async def test_records_of_any_form_are_written(things: Any, server: Server) -> None:
    await things.create({"_id": 10, "colour": "red"})
    assert (await things.update(10, {"size": [1, 2]}))["size"] == [1, 2]
    assert server.rows[10] == {"_id": 10, "colour": "red", "size": [1, 2]}
    assert await things.list({"_id": 10}) == [server.rows[10]]
    with pytest.raises(xr.XRepoConflictError, match="exists"):
        await things.create({"_id": 10})
    assert (await things.bulk_delete([10, 11], soft=False)).outcomes == ("applied", "skipped")


async def test_several_callers_share_the_connections(things: Any, server: Server) -> None:
    server.pause = 0.001
    assert await asyncio.gather(*(things.count({"n": n % 12}) for n in range(24))) == ([1] * 10 + [0] * 2) * 2


async def test_who_leaves_gives_the_connection_back_at_once(things: Any, server: Server) -> None:
    stream = things.stream()
    assert (await anext(stream))["n"] == 0 and server.in_use == 1
    await stream.aclose()
    assert server.in_use == 0
    server.pause = 60
    for waiting in (things.list(), things.create({"_id": 11}), things.explain({"n": 1}, analyze=True)):
        task = asyncio.ensure_future(waiting)
        await asyncio.sleep(0.01)
        assert server.in_use == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.in_use == 0
    server.pause = 0
    assert 11 not in server.rows and await things.count() == 10
    assert things.audit[-2].outcome == "failed" and things.audit[-3].outcome == "unknown"


async def test_views_join_it_and_follow_its_feed(things: Any, server: Server) -> None:
    cities = [{"city": "Oslo", "land": "NO"}, {"city": "Rome", "land": "IT"}]
    view = await xr.join("v", {"things": things, "cities": cities}, on="city", register=False)
    live = await xr.join(
        "live", {"things": things, "cities": cities}, on="city", materialize=False, register=False
    )
    query = {"cities_land": "NO"}
    assert await view.count(query) == await live.count(query) == 5

    async def follow() -> None:
        async for _ in things.source.watch("things"):
            await things.refresh()

    following = asyncio.ensure_future(follow())
    await asyncio.sleep(0)
    server.put({"_id": 20, "city": "Oslo", "n": 20})
    await asyncio.sleep(0.01)
    assert await view.count(query) == await live.count(query) == 6
    await things.source.close()
    await asyncio.wait_for(following, 5)
    assert not server.listeners


async def test_a_source_that_is_costly_to_read_is_read_once(installed: None, server: Server) -> None:
    class Endpoint(Served):
        capabilities = Capabilities(any_field=True, live=False)

    repo = await xr.open(Endpoint(server), model=False, register=False)
    server.asked.clear()
    assert repo.kind == "materialized" and await repo.count({"city": "Rome"}) == 5
    await repo.create({"_id": 30, "city": "Rome"})
    assert not server.asked and 30 not in server.rows
    server.put({"_id": 31, "city": "Rome", "n": 31})
    await repo.refresh()
    assert await repo.count({"city": "Rome"}) == 6


async def test_a_source_that_is_lost_says_so(things: Any, server: Server) -> None:
    async def lost(*args: Any, **options: Any) -> WriteResult:
        return WriteResult(("unknown",))

    things.source.insert = lost
    with pytest.raises(xr.XRepoConnectionError, match="lost before it answered"):
        await things.create({"_id": 12})
    assert things.audit[-1].outcome == "unknown"
