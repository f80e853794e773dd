"""XRepo: governed, audited, measured access to one collection."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from xrepo_nb.cache import CacheManager
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.governance.acl import ACLManager
from xrepo_nb.governance.audit import AuditEntry, AuditLog, AuditLogger
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.rules import Permission
from xrepo_nb.observe.events import Events
from xrepo_nb.observe.stats import RepoStats, StatsCollector
from xrepo_nb.query.plan import Plan
from xrepo_nb.repos import auditing, bulk, measuring, outputs, points, reading, writing
from xrepo_nb.repos.change import Change, Current
from xrepo_nb.repos.documents import key_of
from xrepo_nb.repos.execution import Opened
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.rows import BulkCount, BulkRows, Provenance, Rows
from xrepo_nb.repos.shaping import documents_of, records_of
from xrepo_nb.resources.base import WriteResult, XResource
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from xrepo_nb.notebook.sync import SyncRepo

T = TypeVar("T")

User = str | Identity | None
"""Who asks: a user id, an identity, or None for whoever `acting_as` names."""

Repos = Mapping[str, "XRepo[Any]"]
"""Other repos that a pipeline may reach by name, besides those in the namespace."""


class XRepo(XObjPrototype, Generic[T], ABC):
    """One collection, read and written under rules, with audit log and statistics.

    Every read takes the road of `repos.reading`, every write that of `repos.writing`; a subclass
    supplies `_open` (its rows, as one caller may come to them), `_scan` where the source must be
    asked, `_current` and `_apply`. Without a model records are dicts. Methods take `user_id`, a
    user's id or an `Identity`; without one they act for whoever `acting_as` names.

    All methods raise `XRepoPermissionError` when the rules forbid them, `XRepoQueryError` for a
    wrong filter or pipeline, `XRepoConnectionError` when the source cannot be reached.
    """

    model_config = ConfigDict(frozen=False, arbitrary_types_allowed=True, extra="forbid")

    kind: ClassVar[str] = "repo"
    metadata: RepoMetadata

    _resource: XResource | None = PrivateAttr(None)
    _model_class: type[Any] | None = PrivateAttr(None)
    _schema: Schema = PrivateAttr()
    _audit_logger: AuditLogger | None = PrivateAttr(None)
    _stats_collector: StatsCollector | None = PrivateAttr(None)
    _cache: CacheManager | None = PrivateAttr(None)
    _acl_manager: ACLManager | None = PrivateAttr(None)
    _events: Events = PrivateAttr()
    _measured: dict[str, dict[str, Any]] = PrivateAttr()
    _declared: frozenset[str] = PrivateAttr()
    _key: tuple[str, ...] = PrivateAttr()

    def __init__(
        self,
        resource: XResource | None,
        model_class: type[T] | None,
        metadata: RepoMetadata,
        schema: Schema | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(metadata=metadata)
        self._resource = resource
        self._model_class = model_class
        self._schema = Schema.of(schema) if schema is not None else Schema(())
        self._declared = frozenset(self._schema.names)
        self._key = self._schema.primary_key
        self._events = Events()
        self._measured = {}
        self._initialize_components()

    def _initialize_components(self) -> None:
        """Makes the audit log, statistics, cache and rules that the metadata asks for."""
        if self.metadata.enable_audit:
            self._audit_logger = AuditLogger(self)
        if self.metadata.enable_statistics:
            self._stats_collector = StatsCollector(self)
        if self.metadata.cache_enabled:
            self._cache = CacheManager(self, ttl=self.metadata.cache_ttl)
        if self.metadata.acl_rules:
            self._acl_manager = ACLManager(self, self.metadata.acl_rules)

    # What it is. None of these does I/O.

    def get_ns(self) -> str:
        """The namespace path: `repos.<name>`."""
        return f"repos.{self.metadata.name}"

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """The fields and keys that whoever acts now may see."""
        return reading.visible_schema(self, resolve())

    @property
    def resource(self) -> XResource | None:
        """The source behind it, None for rows of its own."""
        return self._resource

    @property
    def model_class(self) -> type[Any] | None:
        """The class of its records, None for dicts."""
        return self._model_class

    @property
    def key(self) -> tuple[str, ...]:
        """The fields of the id that `read` takes; empty when records have none."""
        return self._key

    @property
    def events(self) -> Events:
        """Where to listen: `repo.events.on("created", handler)`."""
        return self._events

    @property
    def statistics(self) -> RepoStats:
        """The statistics so far; `get_statistics` also counts the rows."""
        return measuring.known(self)

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

    def peek(self, n: int = 10) -> Table | None:
        """Up to `n` rows for whoever acts now, when they are in memory; else None. No I/O."""
        return None

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
            matching = reading.matching(self, filters, operation)
            plan = reading.windowed(matching, sort, skip, limit)
            answer, total = await reading.page(self, matching, plan, skip, limit, operation, engine)
            records = await records_of(answer.table, self.model_class, operation.grant)
            operation.rows = len(records)
        made = Provenance(self.metadata.name, answer.engine, operation.duration_ms, answer.cached)
        return Rows(records, schema=answer.table.schema, total=total, skip=skip, provenance=made)

    async def find_one(self, filters: Any, user_id: User = None, *, sort: Any = None) -> T | None:
        """The first record that matches, or None."""
        async with Operation(self, "find_one", Permission.LIST, user_id) as operation:
            plan = reading.windowed(reading.matching(self, filters, operation), sort, 0, 1)
            answer = await reading.answer(self, plan, operation)
            found = await records_of(answer.table, self.model_class, operation.grant)
            operation.rows = len(found)
            return found[0] if found else None

    async def count(self, filters: Any = None, user_id: User = None, *, engine: str = "auto") -> int:
        """How many records match; no row is handed over."""
        async with Operation(self, "count", Permission.LIST, user_id) as operation:
            plan = reading.matching(self, filters, operation)
            operation.rows = await reading.count(self, plan, operation, engine)
            return operation.rows

    async def distinct(
        self, field: str, filters: Any = None, user_id: User = None, *, engine: str = "auto"
    ) -> builtins.list[Any]:
        """The different values of a field, sorted; elements of arrays count by themselves."""
        async with Operation(self, "distinct", Permission.LIST, user_id) as operation:
            plan = reading.distinct(self, reading.matching(self, filters, operation), field)
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
        `$out` and `$merge` write into one, and then nothing is returned.
        """
        async with Operation(self, "aggregate", Permission.LIST, user_id) as operation:
            plan = reading.pipeline(self, pipeline)
            answer = await outputs.answer(self, plan, operation, engine=engine, repos=repos)
            documents = await documents_of(answer.table)
            operation.rows = len(documents)
        made = Provenance(self.metadata.name, answer.engine, operation.duration_ms, answer.cached)
        return Rows(documents, schema=answer.table.schema, total=len(documents), provenance=made)

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
            plan = reading.windowed(reading.matching(self, filters, operation), sort, skip, limit)
            plan = reading.projected(plan, fields)
            if pipeline is not None:
                plan = reading.pipeline(self, pipeline, plan)
            answer = await outputs.answer(self, plan, operation, engine=engine, repos=repos)
            frame = await reading.frame_of(answer.table)
            operation.rows = frame.height
            return frame

    async def to_polars(self, filters: Any = None, **options: Any) -> pl.DataFrame:
        """As `frame`, which says what the options are."""
        return await self.frame(filters, **options)

    async def to_arrow(self, filters: Any = None, **options: Any) -> pa.Table:
        """The rows of `frame` as an Arrow table."""
        frame = await self.frame(filters, **options)
        return await reading.handed_on(frame, "to_arrow")

    async def to_pandas(self, filters: Any = None, **options: Any) -> pd.DataFrame:
        """The rows of `frame` as a pandas frame."""
        frame = await self.frame(filters, **options)
        return await reading.handed_on(frame, "to_pandas")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream, so that other frame libraries take a repo as it is. Blocking."""
        return self.sync.frame().__arrow_c_stream__(requested_schema)

    # Writing.

    async def create(self, data: T | Mapping[str, Any], user_id: User = None) -> T:
        """Adds a record; returns it as stored.

        Raises `XRepoValidationError` when it does not fit the model or schema,
        `XRepoConflictError` when its id is taken.
        """
        async with Operation(self, "create", Permission.CREATE, user_id, None, auditing.as_changes(data)) as op:
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
            made: T | None = await writing.update_one(writing.Writer(self, op), id, data, version)
            return made

    async def delete(self, id: Any, soft: bool = True, user_id: User = None) -> bool:
        """Deletes the record with that id; whether there was one.

        Soft deletion, where the repo does it, marks the record, and `restore` brings it back;
        `soft=False` removes it for good.
        """
        async with Operation(self, "delete", Permission.DELETE, user_id, id) as operation:
            return await writing.remove_one(writing.Writer(self, operation), id, soft)

    async def restore(self, id: Any, user_id: User = None) -> bool:
        """Takes a soft deletion back; whether there was one. Needs the permission to delete."""
        async with Operation(self, "restore", Permission.DELETE, user_id, id) as operation:
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
        async with Operation(self, "bulk_update", Permission.UPDATE, user_id) as operation:
            return await bulk.update(writing.Writer(self, operation), updates, on_error)

    async def bulk_delete(self, ids: Sequence[Any], soft: bool = True, user_id: User = None) -> BulkCount:
        """Deletes records by id; returns how many there were."""
        async with Operation(self, "bulk_delete", Permission.DELETE, user_id) as operation:
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
        async with Operation(self, "refresh", Permission.LIST, user_id):
            if self._cache is not None:
                self._cache.invalidate()
            await self._refreshed()

    # The specification's own hooks.

    async def _check_permission(
        self, permission: Permission, user_id: User, data: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether the caller may, and may leave `data` behind when given."""
        if self._acl_manager is None:
            return True
        return await self._acl_manager.check_permission(permission, user_id, data)

    async def _audit_operation(
        self, operation: str, user_id: User, entity_id: Any = None, changes: Mapping[str, Any] | None = None
    ) -> None:
        """Adds an audit entry."""
        if self._audit_logger is not None:
            changed = dict(changes) if changes is not None else None
            who = resolve(user_id).user_id
            entry = AuditEntry(user_id=who, operation=operation, entity_id=entity_id, changes=changed)
            await self._audit_logger.log(entry)

    async def _update_stats(self, operation: str, duration_ms: float) -> None:
        """Adds a call to the statistics."""
        if self._stats_collector is not None:
            await self._stats_collector.record_operation(operation, duration_ms)

    # What a subclass supplies.

    @abstractmethod
    async def _open(self, identity: Identity) -> Opened:
        """The collection as it stands, for one call of the identity."""

    async def _scan(self, plan: Plan) -> tuple[Plan, Table]:
        """Asks the source for the rows of a plan over its scan: what is left to do, and on what."""
        raise NotImplementedError(f"{type(self).__name__} opens with its rows at hand")

    def _stream(self, plan: Plan, size: int) -> AsyncIterator[Table]:
        """As `_scan`, in batches, with everything of the plan done."""
        raise NotImplementedError(f"{type(self).__name__} opens with its rows at hand")

    @abstractmethod
    async def _current(self, ids: Sequence[Any], identity: Identity) -> builtins.list[Current | None]:
        """The records of those ids as they stand, rules aside."""

    @abstractmethod
    async def _apply(self, change: Change, partial: bool = False) -> WriteResult:
        """Applies a change: as a whole or not at all, where the source can, unless `partial`.

        Raises `Stale` when a record is no longer as the change supposes.
        """

    async def _size(self) -> int | None:
        """The bytes that its rows take, where known."""
        return None

    async def _refreshed(self) -> None:
        """Forgets what is kept of the source."""

    def _translated(self, filters: Any, identity: Identity) -> Any:
        """The filters in terms of this repo's own fields."""
        return filters

    def _schema_for(self, identity: Identity) -> Schema:
        """The schema before this repo's own rules: of a view, what its sources show the identity."""
        return self._schema

    def _id_of(self, document: dict[str, Any]) -> Any:
        """The id of a new record; raises `XRepoValidationError` when it has none and needs one."""
        return key_of(document, self._key) if self._key else None

    def _completed(self, document: dict[str, Any]) -> dict[str, Any]:
        """A new document with what the collection itself adds, in the types of its fields."""
        return document

    def _fitted(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values in the types of the fields they are for."""
        return values

    def _policy_key(self, identity: Identity) -> str:
        """Names what the identity may see: equal keys, equal rows."""
        return "open" if self._acl_manager is None else self._acl_manager.policy(identity).version

    # Deletion and time.

    def _marks_deleted(self, schema: Schema | None = None) -> bool:
        """Whether rows may carry the mark of a soft deletion."""
        return self.metadata.soft_delete and (schema or self._schema).field(reading.DELETED_AT) is not None

    def _hides_mark(self, schema: Schema | None = None) -> bool:
        """Whether that mark is the repo's own, and no field of the collection."""
        return self.metadata.soft_delete and reading.DELETED_AT not in self._declared

    def _deletes_softly(self, soft: bool) -> bool:
        """Whether a deletion asked as `soft` can be one here."""
        return soft and self._marks_deleted()

    def _moment(self, field: str, now: datetime) -> Any:
        """A point in time in the type of the field."""
        found = self._schema.field(field)
        kind = found.type.kind if found is not None else "datetime"
        if kind == "string":
            return now.isoformat()
        if kind == "date":
            return now.date()
        return round(now.timestamp() * 1000) if kind == "int" else now

    def _candidates(self) -> tuple[str, ...]:
        """Fields that could serve as an id."""
        plain = ("int", "string", "uuid", "objectid")
        return tuple(f.name for f in self.schema.fields if f.type.kind in plain)

    # An object, not a value.

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        model = f", model {self.model_class.__name__}" if self.model_class is not None else ""
        return f"<{type(self).__name__} {self.metadata.name!r}: {len(self.schema.fields)} fields{model}>"

    __str__ = __repr__


__all__ = ["BaseModel", "XRepo"]
