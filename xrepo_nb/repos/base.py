"""XRepo: governed, audited, measured access to one collection."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from xrepo_nb.core.offload import offload
from xrepo_nb.governance.audit import AuditEntry, AuditLog
from xrepo_nb.governance.identity import resolve
from xrepo_nb.governance.rules import Permission
from xrepo_nb.observe.stats import RepoStats
from xrepo_nb.query.naming import names_with_dots, path_of
from xrepo_nb.repos import (
    asking,
    auditing,
    bulk,
    explaining,
    habits,
    measuring,
    narrowing,
    outputs,
    points,
    reading,
    writing,
)
from xrepo_nb.repos.foundation import RepoFoundation, User
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.rows import BulkCount, BulkRows, Provenance, Rows
from xrepo_nb.repos.shaping import documents_of, records_of
from xrepo_nb.resources.base import XResource
from xrepo_nb.schema.frames import must_be_typed, with_nulls
from xrepo_nb.schema.registry import UIHint, model_registry
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from xrepo_nb.engines.explain import Explanation
    from xrepo_nb.notebook.sync import SyncRepo

T = TypeVar("T")

Repos = Mapping[str, "XRepo[Any]"]
"""Other repos that a pipeline may reach by name, besides those in the namespace."""


class XRepo(RepoFoundation, Generic[T]):
    """One collection, read and written under rules, with audit log and statistics.

    Every read takes the road of `repos.reading`, every write that of `repos.writing`; a subclass
    supplies `_open` (its rows, as one caller may come to them), `_scan` where the source must be
    asked, `_current` and `_apply`. Without a model records are dicts. Methods take `user_id`, a
    user's id or an `Identity`; without one they act for whoever `acting_as` names.

    All methods raise `XRepoPermissionError` when the rules forbid them, `XRepoQueryError` for a
    wrong filter or pipeline, `XRepoConnectionError` when the source cannot be reached.
    """

    def __init__(
        self,
        resource: XResource | None,
        model_class: type[T] | None,
        metadata: RepoMetadata,
        schema: Schema | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(resource, model_class, metadata, schema)

    # Reading.

    async def read(self, id: Any, user_id: User = None) -> T | None:
        """The record with that id, or None."""
        async with Operation(self, "read", Permission.READ, user_id, id) as operation:
            found: T | None = await points.read(self, id, operation)
            return found

    async def exists(self, id: Any, user_id: User = None) -> bool:
        """Whether there is a record with that id."""
        async with Operation(self, "exists", Permission.READ, user_id, id) as operation:
            return await points.read(self, id, operation) is not None

    async def list(
        self,
        filters: Any = None,
        skip: int = 0,
        limit: int | None = 100,
        sort: Any = None,
        user_id: User = None,
        *,
        engine: str = "auto",
    ) -> Rows[T]:
        """The records that match, at most `limit` of them; `limit=None` gives all.

        `filters`: a MongoDB document, `field__op` keys, or conditions built with `F`. `sort`:
        `[("age", -1)]`, `"-age"` or a dict. The result knows the `total` number of matches.
        """
        async with Operation(self, "list", Permission.LIST, user_id) as operation:
            matching = asking.matching(self, filters, operation)
            wanted = asking.Page(sort, skip, limit)
            answer, total = await reading.page(self, matching, wanted, operation, engine)
            records = await records_of(answer.table, operation.model, operation.grant)
            operation.rows = len(records)
        made = Provenance(self.metadata.name, answer.engine, operation.duration_ms, answer.cached)
        return Rows(records, schema=answer.table.schema, total=total, skip=skip, provenance=made)

    async def find_one(
        self, filters: Any, user_id: User = None, *, sort: Any = None, engine: str = "auto"
    ) -> T | None:
        """The first record that matches, or None."""
        async with Operation(self, "find_one", Permission.LIST, user_id) as operation:
            plan = asking.paged(asking.matching(self, filters, operation), sort, 0, 1)
            answer = await reading.answer(self, plan, operation, engine=engine)
            found = await records_of(answer.table, operation.model, operation.grant)
            operation.rows = len(found)
            return found[0] if found else None

    async def count(self, filters: Any = None, user_id: User = None, *, engine: str = "auto") -> int:
        """How many records match; no row is handed over."""
        async with Operation(self, "count", Permission.LIST, user_id) as operation:
            plan = asking.matching(self, filters, operation)
            operation.rows = await reading.count(self, plan, operation, engine)
            return operation.rows

    async def distinct(
        self, field: str, filters: Any = None, user_id: User = None, *, engine: str = "auto"
    ) -> builtins.list[Any]:
        """The different values of a field, sorted; elements of arrays count by themselves."""
        async with Operation(self, "distinct", Permission.LIST, user_id) as operation:
            schema = await narrowing.current_schema(self, operation)
            path = path_of(asking.field_name(field), names_with_dots(schema))
            plan = asking.distinct(schema, asking.matching(self, filters, operation), path)
            answer = await reading.answer(self, plan, operation, engine=engine)
            values = [row.get("_id") for row in await documents_of(answer.table)]
            operation.rows = len(values)
            return values

    async def aggregate(
        self,
        pipeline: Sequence[Mapping[str, Any]],
        user_id: User = None,
        *,
        engine: str = "auto",
        repos: Repos | None = None,
    ) -> Rows[dict[str, Any]]:
        """The documents that an aggregation pipeline, as MongoDB writes it, comes to.

        `$lookup`, `$unionWith` and `$graphLookup` read other repos, by name, under their rules;
        `$out` and `$merge` write into one, and then no rows are returned, only how many were `written`.
        """
        async with Operation(self, "aggregate", Permission.LIST, user_id) as operation:
            plan = asking.pipeline(self, pipeline)
            answer = await outputs.answer(self, plan, operation, engine=engine, repos=repos)
            documents = await documents_of(answer.table)
            operation.rows = len(documents)
        made = Provenance(self.metadata.name, answer.engine, operation.duration_ms, answer.cached)
        written = operation.details.get("written")
        schema = answer.table.schema
        return Rows(documents, schema=schema, total=len(documents), provenance=made, written=written)

    def stream(
        self,
        filters: Any = None,
        *,
        sort: Any = None,
        batch_size: int = 5_000,
        user_id: User = None,
        engine: str = "auto",
    ) -> AsyncIterator[T]:
        """All records that match, one after another, in memory for `batch_size` of them.

        Nothing is read before the first is asked for; a sort needs all rows first.
        """
        return reading.stream(self, filters, sort, batch_size, user_id, engine)

    async def frame(
        self,
        filters: Any = None,
        *,
        fields: Sequence[str] | Mapping[str, Any] | None = None,
        sort: Any = None,
        skip: int = 0,
        limit: int | None = None,
        pipeline: Sequence[Mapping[str, Any]] | None = None,
        user_id: User = None,
        engine: str = "auto",
        repos: Repos | None = None,
    ) -> pl.DataFrame:
        """The matching rows as a Polars frame, all of them unless `limit` is given.

        `pipeline` runs on the matching rows. The frame shares memory with the repo's own rows.
        """
        async with Operation(self, "frame", Permission.LIST, user_id) as operation:
            plan = asking.paged(asking.matching(self, filters, operation), sort, skip, limit)
            plan = asking.projected(plan, fields)
            if pipeline is not None:
                plan = asking.pipeline(self, pipeline, plan)
            answer = await outputs.answer(self, plan, operation, engine=engine, repos=repos)
            frame = await reading.frame_of(answer.table)
            operation.rows = frame.height
            return frame

    async def to_polars(self, filters: Any = None, **options: Any) -> pl.DataFrame:
        """As `frame`, which says what the options are."""
        frame: pl.DataFrame = await self.frame(filters, **options)
        return frame

    async def to_arrow(self, filters: Any = None, **options: Any) -> pa.Table:
        """The rows of `frame` as an Arrow table.

        Raises `XRepoUnsupportedError` for a column of several types, which Arrow cannot hold.
        """
        frame = await self.frame(filters, **options)
        must_be_typed(frame)
        return await offload(frame.to_arrow)

    async def to_pandas(self, filters: Any = None, **options: Any) -> pd.DataFrame:
        """The rows of `frame` as a pandas frame; what is absent is None or NaN in it."""
        frame = await self.frame(filters, **options)
        return await offload(lambda: with_nulls(frame).to_pandas())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream, so that other frame libraries take a repo as it is. Blocking."""
        frame = self.sync.frame()
        must_be_typed(frame)
        return frame.__arrow_c_stream__(requested_schema)

    async def explain(
        self,
        filters: Any = None,
        *,
        sort: Any = None,
        skip: int = 0,
        limit: int | None = None,
        pipeline: Sequence[Mapping[str, Any]] | None = None,
        analyze: bool = False,
        user_id: User = None,
        engine: str = "auto",
        repos: Repos | None = None,
    ) -> Explanation:
        """How a query is run: the tree of stages with rules applied, the engine of each, what is
        pushed to the source, and why the rest is not. Shows itself inline, and as text.

        Reads no rows, unless `analyze` measures rows and time of each stage.
        """
        async with Operation(self, "explain", Permission.LIST, user_id) as operation:
            plan = asking.paged(asking.matching(self, filters, operation), sort, skip, limit)
            if pipeline is not None:
                plan = asking.pipeline(self, pipeline, plan)
            return await explaining.explain(self, plan, operation, engine, analyze, repos)

    # Writing.

    async def create(self, data: T | Mapping[str, Any], user_id: User = None) -> T:
        """Adds a record; returns it as stored.

        Raises `XRepoValidationError` when it does not fit the model or schema,
        `XRepoConflictError` when its id is taken.
        """
        async with Operation(
            self, "create", Permission.CREATE, user_id, None, auditing.as_changes(data)
        ) as op:
            made: T = await writing.create_one(writing.Writer(self, op), data)
            return made

    async def update(
        self, id: Any, data: Any, user_id: User = None, *, version: int | None = None
    ) -> T | None:
        """Changes the record with that id; returns it as it then is, None when there is none.

        `data`: fields to set, MongoDB's update operators, or an update pipeline. With `version`
        the record's field `version` must still have that value, and grows by one: else
        `XRepoConflictError`.
        """
        async with Operation(self, "update", Permission.UPDATE, user_id, id, auditing.as_changes(data)) as op:
            async with self._turn():
                made: T | None = await writing.update_one(writing.Writer(self, op), id, data, version)
            return made

    async def delete(self, id: Any, soft: bool = True, user_id: User = None) -> bool:
        """Deletes the record with that id; whether there was one.

        Soft deletion, where the repo does it, marks the record, and `restore` brings it back;
        `soft=False` removes it for good.
        """
        async with Operation(self, "delete", Permission.DELETE, user_id, id) as operation, self._turn():
            return await writing.remove_one(writing.Writer(self, operation), id, soft)

    async def restore(self, id: Any, user_id: User = None) -> bool:
        """Takes a soft deletion back; whether there was one. Needs the permission to delete."""
        async with Operation(self, "restore", Permission.DELETE, user_id, id) as operation, self._turn():
            return await writing.restore_one(writing.Writer(self, operation), id)

    async def bulk_create(
        self,
        data: Sequence[T | Mapping[str, Any]],
        user_id: User = None,
        *,
        on_error: writing.OnError = "raise",
    ) -> BulkRows[T]:
        """Adds records; returns those created, with the outcome for each index.

        One that cannot be taken is an error and none is created, unless `on_error="skip"`.
        """
        async with Operation(self, "bulk_create", Permission.CREATE, user_id) as operation:
            return await bulk.create(writing.Writer(self, operation), data, on_error)

    async def bulk_update(
        self,
        updates: Sequence[tuple[Any, Any]],
        user_id: User = None,
        *,
        on_error: writing.OnError = "raise",
    ) -> BulkCount:
        """Applies `(id, data)` pairs; returns how many records changed. Unknown ids are skipped."""
        async with Operation(self, "bulk_update", Permission.UPDATE, user_id) as operation, self._turn():
            return await bulk.update(writing.Writer(self, operation), updates, on_error)

    async def bulk_delete(self, ids: Sequence[Any], soft: bool = True, user_id: User = None) -> BulkCount:
        """Deletes records by id; returns how many there were."""
        async with Operation(self, "bulk_delete", Permission.DELETE, user_id) as operation, self._turn():
            return await bulk.delete(writing.Writer(self, operation), ids, soft)

    # What happened.

    async def get_statistics(self, user_id: User = None) -> RepoStats:
        """The statistics, with the rows and values that the caller may see counted now."""
        async with Operation(self, "get_statistics", Permission.LIST, user_id) as operation:
            return await measuring.measure(self, operation)

    async def get_audit_log(
        self, filters: Any = None, limit: int | None = 100, user_id: User = None
    ) -> builtins.list[AuditEntry]:
        """The newest entries that match, newest last; without ADMIN, the caller's own."""
        return auditing.matching_entries(self, filters, limit, resolve(user_id))

    async def refresh(self, user_id: User = None) -> None:
        """Forgets what was kept of the source, so that the next read sees its present state."""
        async with Operation(self, "refresh", Permission.LIST, user_id) as operation:
            if self._cache is not None:
                self._cache.invalidate()
            await self._refreshed(operation.identity)

    # What it tells without being asked for rows.

    @property
    def statistics(self) -> RepoStats:
        """The statistics so far; `get_statistics` also counts rows that are not in memory, and values."""
        return measuring.known(self)

    @property
    def hints(self) -> dict[str, UIHint]:
        """How the fields that whoever acts now may see are shown and edited, as `model_registry` has
        it for the model, else as follows from the schema."""
        return model_registry.hints_for(self.schema, self.model_class, self.metadata.model_name)

    @property
    def audit(self) -> AuditLog:
        """The audit entries that whoever acts now may read, newest last."""
        return auditing.visible_entries(self, resolve())

    @property
    def sync(self) -> SyncRepo:
        """The same methods without `await`, for plain scripts and cells."""
        from xrepo_nb.notebook.sync import SyncRepo

        return SyncRepo(self)

    def set_rules(self, rules: Sequence[Any], user_id: User = None) -> None:
        """Replaces the access rules; acts on the next call. Needs ADMIN once there are rules."""
        auditing.replace_rules(self, rules, resolve(user_id))

    @property
    def height(self) -> int | None:
        """How many rows whoever acts now may see, when that is known without asking a source."""
        return None

    def __len__(self) -> int:
        """How many rows whoever acts now may see, where they are in memory; else a `TypeError`."""
        height = self.height
        if height is None:
            raise habits.no_length(self)
        return height

    def __bool__(self) -> bool:
        """True: a repo without rows is a repo."""
        return True

    def __aiter__(self) -> AsyncIterator[T]:
        """All records, as `stream` gives them."""
        return self.stream()

    def peek(self, n: int = 10) -> Table | None:
        """Up to `n` rows for whoever acts now, when they are in memory; else None. No I/O."""
        return None
