"""MemoryResource: data of the notebook as a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from xrepo_nb.core.closing import closing
from xrepo_nb.core.offload import offload
from xrepo_nb.resources.base import Capabilities, ScanRequest, WriteResult, XResource
from xrepo_nb.resources.held import Collection, Stage, changed, inserted, removed
from xrepo_nb.resources.running import run
from xrepo_nb.resources.selection import one_of
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table


class MemoryResource(XResource):
    """Lists of dicts, Polars, pandas or Arrow data, one collection or several by name.

    The data given is never changed: writes go to a copy. A batch of writes applies as a whole
    or not at all; the first read after it costs a pass over the collection (`MaterializedRepo`
    is for many small writes). A read keeps to the state it started with.

    Records are known by `primary_key`, which is `_id` or `id` where there is such a field; a
    collection without one takes new records only. `reports` tells how documents were typed.

    >>> import asyncio
    >>> people = MemoryResource([{"id": 1, "name": "Ada"}], collection="people")
    >>> asyncio.run(people.query({"id": 1}))
    [{'id': 1, 'name': 'Ada'}]
    """

    connection_type = "memory"
    capabilities = Capabilities(
        lazy=True,
        inferred=True,
        insert=True,
        update=True,
        delete=True,
        any_field=True,
        any_key=True,
        transactions=True,
    )

    def __init__(
        self,
        data: Any,
        *,
        collection: str = "data",
        primary_key: str | Sequence[str] = (),
        name: str = "memory",
    ) -> None:
        self.name = name
        given = data if isinstance(data, Mapping) else {collection: data}
        key = (primary_key,) if isinstance(primary_key, str) else tuple(primary_key)
        self._held = {name: Collection(rows, name, key) for name, rows in given.items()}

    @property
    def reports(self) -> dict[str, InferenceReport]:
        """How the documents of each collection were typed, of those that have been read."""
        return {name: held.report for name, held in self._held.items() if held.report is not None}

    def __repr__(self) -> str:
        return f"<MemoryResource {', '.join(self._held) or 'empty'}>"

    async def connect(self) -> None:
        """Nothing to do: the data is here."""

    async def close(self) -> None:
        """Nothing to free: the data stays, changes included."""

    async def validate_connection(self) -> bool:
        """True."""
        return True

    async def list_collections_or_tables(self) -> list[str]:
        """The names of the collections, sorted."""
        return sorted(self._held)

    async def describe(self, collection: str | None = None) -> Schema:
        """The fields, typed by all values, and the primary key."""
        return (await offload(self._table, collection)).schema

    async def table(self, collection: str | None = None) -> Table:
        """The rows as they are now."""
        return await offload(self._table, collection)

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        """The rows of the plan over the state of now, in batches."""
        async with closing(run(request, await offload(self._table, collection))) as batches:
            async for batch in batches:
                yield batch

    async def insert(
        self, collection: str | None, records: Sequence[dict[str, Any]], *, key: Sequence[str] = ()
    ) -> WriteResult:
        """Adds the records. Raises `XRepoConflictError` for a key that is taken, applying none."""
        return await offload(self._write, collection, inserted, records, key)

    async def update(
        self,
        collection: str | None,
        changes: Sequence[tuple[Any, dict[str, Any]]],
        *,
        key: Sequence[str] = (),
    ) -> WriteResult:
        """Sets the fields; a record that is not there is `skipped`."""
        return await offload(self._write, collection, changed, changes, key)

    async def delete(
        self, collection: str | None, ids: Sequence[Any], *, key: Sequence[str] = ()
    ) -> WriteResult:
        """Removes the records; one that is not there is `skipped`."""
        return await offload(self._write, collection, removed, ids, key)

    def _table(self, collection: str | None) -> Table:
        name = one_of(self._held, collection)
        return self._held[name].table()

    def _write(
        self, collection: str | None, stage: Stage, items: Sequence[Any], key: Sequence[str]
    ) -> WriteResult:
        name = one_of(self._held, collection)
        return self._held[name].write(stage, items, tuple(key))
