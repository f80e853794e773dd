"""MaterializedRepo: a repo over rows of its own, in memory, or kept in a file."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoPermissionError,
    XRepoQueryError,
    XRepoUnsupportedError,
)
from xrepo_nb.core.offload import offload, offload_whole
from xrepo_nb.core.turns import SharedTurns
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.repos import fitting, reading
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.change import Change, Current, Stale
from xrepo_nb.repos.documents import distinct
from xrepo_nb.repos.execution import Opened
from xrepo_nb.repos.loading import Loaded, load
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.storage import Edit, Storage
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.schema.inference import OnReject
from xrepo_nb.schema.redescribing import Untyped, untyped
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

T = TypeVar("T")


class MaterializedRepo(XRepo[T]):
    """Rows of its own: from documents, model instances, or a Polars, pandas or Arrow frame.

    `schema` is kept to when given, and a record that does not fit is refused; without one it is
    inferred, and new fields and types widen it. The id is the schema's primary key (or
    `primary_key`), else `_id`, else `id` if no value occurs twice; else records have none. A new record
    without an `_id` is given one.

    With `path` the rows live in a DuckDB file as well: what it holds is loaded first, `data` is
    only taken by a new file, and a change is on disk when its method returns.

    With `on_reject="report"` documents that do not fit the schema or model are left out, and listed
    in `report` with line and reason.

    The constructor infers in place: `await MaterializedRepo.of(...)` does so in a thread. Raises
    `XRepoValidationError` for rows that do not fit, `XRepoConflictError` for an id given twice.

    >>> import asyncio
    >>> users = MaterializedRepo(data=[{"_id": 1, "name": "Ann"}, {"_id": 2, "name": "Bo"}])
    >>> asyncio.run(users.list({"name__startswith": "A"}))
    [{'_id': 1, 'name': 'Ann'}]
    """

    kind = "materialized"

    if TYPE_CHECKING:  # plain attributes: Pydantic's private ones are slow to read
        _storage: Storage
        _closed: bool
        _loaded: Loaded
        _turns: SharedTurns

    def __init__(
        self,
        schema: Schema | Mapping[str, Any] | None = None,
        data: Any = (),
        model_class: type[T] | None = None,
        *,
        name: str | None = None,
        metadata: RepoMetadata | None = None,
        primary_key: str | Sequence[str] | None = None,
        path: str | Path | None = None,
        on_reject: OnReject = "raise",
        loaded: Loaded | None = None,
    ) -> None:
        loaded = loaded or load(
            schema,
            data,
            model_class,
            primary_key=primary_key,
            path=path,
            on_reject=on_reject,
            apart=_under_rules(metadata),
        )
        metadata = metadata or default_metadata(name or loaded.schema.name or "data", model_class)
        super().__init__(None, model_class, metadata, loaded.schema)
        self._declared = loaded.declared
        self._closed = loaded.closed
        self._loaded = loaded
        self._key = loaded.key
        self._report = loaded.report
        self._turns = SharedTurns()
        self._storage = Storage(loaded.frame, loaded.schema, loaded.key, apart=self._acl_manager is not None)

    @classmethod
    async def of(cls, data: Any = (), **options: Any) -> MaterializedRepo[Any]:
        """The repo over `data`, made without holding up the event loop; options as of the class."""
        schema, model = options.pop("schema", None), options.pop("model_class", None)
        how: dict[str, Any] = {
            name: options.pop(name) for name in ("primary_key", "path", "on_reject") if name in options
        }
        how["apart"] = _under_rules(options.get("metadata"))
        loaded = await offload(load, schema, data, model, **how)
        return cls(model_class=model, loaded=loaded, **options)

    @property
    def data(self) -> builtins.list[dict[str, Any]]:
        """All rows that whoever acts now may see, as documents. Blocking for large repos."""
        found = self._at_hand(resolve())
        return [] if found is None else list(reading.glimpse(self, found, None).documents)

    def peek(self, n: int = 10) -> Table | None:
        """Up to `n` rows for whoever acts now; None for one who may not list them."""
        found = self._at_hand(resolve())
        try:
            return None if found is None else reading.glimpse(self, found, n)
        except (XRepoPermissionError, XRepoQueryError):  # forbidden, or a rule that fails on the rows
            return None

    @property
    def height(self) -> int | None:
        """How many rows whoever acts now may see; None for one who may not list them, and where many
        would have to be gone through to tell."""
        found = self._at_hand(resolve())
        try:
            return None if found is None else reading.height(self, found)
        except (XRepoPermissionError, XRepoQueryError):  # forbidden, or a rule that fails on the rows
            return None

    async def close(self) -> None:
        """Closes the file behind it, if there is one; the rows stay readable."""
        if self._loaded.file is not None:
            await offload(self._loaded.file.close)

    # What XRepo asks of it.

    async def _open(self, identity: Identity) -> Opened:
        storage = self._storage
        table = storage.table() if storage.is_quick else await offload(storage.table)
        self._schema = table.schema
        return Opened(table.schema, table, stamp=table)

    def _at_hand(self, identity: Identity) -> Opened | None:
        table = self._storage.table()
        return Opened(table.schema, table, stamp=table)

    @property
    def _infers(self) -> bool:
        return not self._closed or self._loaded.stated is None

    def _untyped(self, found: Opened) -> Untyped | None:
        stated = self._given or self._loaded.stated
        if found.table is None or (stated is not None and _is_as_stated(found.schema, stated)):
            return None
        return untyped(found.table, stated)

    def _as_stated(self, found: Opened) -> Opened:
        if self._closed or found.table is None:
            return found
        fields = [replace(f, absence="null") if f.required else f for f in found.schema.fields]
        schema = found.schema.replace(fields=tuple(fields))
        return replace(found, schema=schema, table=found.table.described(schema))

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        """Where a change takes as long as a disk, others of the record would find theirs stale too often."""
        return super()._turn() if self._loaded.file is None else self._turns.of()

    async def _current(self, ids: Sequence[Any], identity: Identity) -> builtins.list[Current | None]:
        storage = self._storage
        if not storage.is_indexed:
            await offload(storage.build_index)
        found: builtins.list[Current | None] = []
        for record_id in ids:
            revision = storage.revision(record_id)
            document = storage.find(record_id)
            found.append(None if document is None else Current(document, revision))
        return found

    async def _apply(self, change: Change, partial: bool = False) -> WriteResult:
        storage = self._storage
        taken: dict[int, str] = {}
        if change.kind == "create":
            taken = await self._added(change, partial)
        elif await self._stale([Edit(i.id, i.document, i.revision) for i in change.items]):
            raise Stale
        if storage.is_full or (not self._closed and self._widens(change)):
            self._schema = (await offload(storage.fold)).schema
        outcomes = tuple("failed" if i in taken else "applied" for i in range(len(change.items)))
        return WriteResult(outcomes, taken)

    async def _added(self, change: Change, partial: bool) -> dict[int, str]:
        """Adds the records; the indexes of those whose id is taken, if `partial` lets them be.

        Revisions are looked at before ids, so that a record which another writer adds in between
        makes the edits stale: then its id is found taken.
        """
        storage = self._storage
        if self._key and not storage.is_indexed:
            await offload(storage.build_index)
        while True:
            revisions = [storage.revision(item.id) for item in change.items]
            taken = self._taken(change)
            if taken and not partial:
                index = next(iter(taken))
                raise XRepoConflictError(f"{self.metadata.name}: {taken[index]}", asked=", ".join(self._key))
            edits = [
                Edit(item.id if self._key else object(), item.document, revision)
                for index, (item, revision) in enumerate(zip(change.items, revisions, strict=True))
                if index not in taken
            ]
            if not await self._stale(edits):
                return taken

    async def _stale(self, edits: Sequence[Edit]) -> bool:
        """Applies the edits, unless one is stale; whether that is so."""
        file = self._loaded.file
        if file is None:
            return bool(self._storage.apply(edits))
        return bool(await offload_whole(self._storage.apply, edits, lambda: file.append(edits)))

    def _taken(self, change: Change) -> dict[int, str]:
        """The indexes whose id exists already, or stands twice in the change."""
        taken: dict[int, str] = {}
        if not self._key:
            return taken
        given: set[Any] = set()
        for index, item in enumerate(change.items):
            if distinct(item.id) in given or self._storage.has(item.id):
                taken[index] = f"a record with id {item.id!r} exists already"
            given.add(distinct(item.id))
        return taken

    def _widens(self, change: Change) -> bool:
        known = frozenset(self._schema.names)
        return any(not known.issuperset(item.document) for item in change.items if item.document)

    async def _replace_all(
        self, documents: builtins.list[dict[str, Any]], removal: Operation, creation: Operation
    ) -> None:
        """Puts documents in the place of all rows; only for callers whom no rule narrows."""
        if not (removal.grant.is_open and creation.grant.is_open):
            raise XRepoUnsupportedError(
                f"$out cannot replace {self.metadata.name}, of which you reach only a part", hint="use $merge"
            )
        schema = self._schema if self._closed else None
        apart = self._acl_manager is not None
        loaded = await offload(load, schema, documents, self._model_class, primary_key=self._key, apart=apart)
        for document in documents:
            self._constraints.must_hold(document, self.metadata.name)
        self._constraints.must_differ(documents, self.metadata.name)
        removal.rows = self._storage.height
        await self._put(loaded)

    async def _put(self, loaded: Loaded) -> None:
        """Puts other rows in the place of all, in the file too."""
        file, kept = self._loaded.file, replace(loaded, closed=self._closed, declared=self._declared)
        before = None if file is None else lambda: file.start(kept)
        await offload_whole(self._storage.replace_all, loaded.frame, loaded.schema, before)
        self._schema = loaded.schema

    def _completed(self, document: dict[str, Any], schema: Schema) -> dict[str, Any]:
        if self._key == ("_id",) and document.get("_id") is None:
            document = {"_id": fitting.new_id(self._schema, self._storage)} | document
        return fitting.completed(document, schema, closed=self._closed, name=self.metadata.name)

    def _fitted(self, values: dict[str, Any], schema: Schema) -> dict[str, Any]:
        return fitting.fitted(values, schema, closed=self._closed, name=self.metadata.name)

    def _deletes_softly(self, soft: bool) -> bool:
        return soft and self.metadata.soft_delete

    def _is_small(self) -> bool:
        return self._storage.is_quick and self._storage.height <= reading.FEW

    async def _size(self, identity: Identity) -> int | None:
        return int(self._storage.table().frame.estimated_size())


def _under_rules(metadata: Any) -> bool:
    """Whether the configuration, which may yet turn out to be none, has access rules."""
    return bool(getattr(metadata, "acl_rules", ()))


def _is_as_stated(schema: Schema, stated: Schema) -> bool:
    """Whether each field is of the type that was stated."""
    types = {field.name: field.type for field in stated.fields}
    return all(types.get(field.name) == field.type for field in schema.fields)


def default_metadata(name: str, model: type[Any] | None, resource: str = "memory") -> RepoMetadata:
    """The configuration of a repo for which none was given."""
    return RepoMetadata(name=name, resource_name=resource, model_name=model.__name__ if model else "dict")
