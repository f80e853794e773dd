"""The resource contract: what a source must do, on one screen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from xrepo_nb.core.errors import XRepoUnsupportedError, an
from xrepo_nb.query.plan import Plan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table


@dataclass(frozen=True)
class Capabilities:
    """What a source does natively; the rest is finished locally, never dropped."""

    filters: frozenset[str] = frozenset()
    """Names of predicate nodes (`Compare`, `In`, ...) it evaluates exactly as the document engine."""
    stages: frozenset[str] = frozenset()
    """Names of plan stages (`Match`, `Project`, `Sort`, `Limit`, `Group`, ...) it runs itself."""
    expressions: frozenset[str] = frozenset()
    """Expression operators (`$add`, ...) it evaluates exactly."""
    accumulators: frozenset[str] = frozenset()
    """Accumulators of `Group` it evaluates exactly."""
    ordered: bool = True
    """Its rows stand in an order, as the lines of a file do; those of a table in a database do not."""
    lazy: bool = False
    """`lazy()` gives a Polars lazy frame: Polars itself pushes filters and columns into the scan."""
    inferred: bool = False
    """The rows tell the types of the columns: no header or catalogue does."""
    insert: bool = False
    """Takes new records."""
    update: bool = False
    """Changes records in place."""
    delete: bool = False
    """Removes records."""
    any_field: bool = False
    """Its records may have any field; those of a table have the columns that it has."""
    any_key: bool = False
    """Its writes take `key=`: fields that records are known by in place of the primary key."""
    transactions: bool = False
    """A bulk write applies as a whole or not at all."""
    watch: bool = False
    """Tells of changes as they happen."""
    live: bool = True
    """It can be read again and again (false: each read is costly or gone, so that a repo reads it
    once into memory, unless asked otherwise)."""


@dataclass(frozen=True)
class ScanRequest:
    """What to read: `plan` holds native stages over one `Scan` of the collection."""

    plan: Plan
    batch_size: int = 65_536
    timeout: float | None = None


@dataclass(frozen=True)
class WriteResult:
    """The outcome for each record of a write, in the caller's order.

    `outcomes[i]` is `"applied"`, `"failed"`, `"skipped"` or `"unknown"` (the connection was lost
    before the answer); `errors[i]` says why; `documents` are the records as stored, if known.
    """

    outcomes: tuple[str, ...]
    errors: Mapping[int, str] = field(default_factory=dict)
    documents: tuple[dict[str, Any] | None, ...] = ()


class XResource(ABC):
    """Where data lives. Every method may be called from several tasks at once, and cancelled.

    What the driver raises is turned into an `XRepoError`: `XRepoConnectionError` when the source
    is lost. Nothing blocks the event loop; all but `native_text` may do I/O.
    """

    connection_type: ClassVar[str]
    """The name in `ResourceFactory.create(name, ...)`: mongodb, postgresql, csv, rest_api ..."""
    capabilities: Capabilities
    name: str

    @abstractmethod
    async def connect(self) -> None:
        """Opens pools or files; harmless when already connected."""

    @abstractmethod
    async def close(self) -> None:
        """Frees everything; harmless when closed. `connect` opens it again."""

    @abstractmethod
    async def validate_connection(self) -> bool:
        """Whether it is connected and answers now. Never raises."""

    @abstractmethod
    async def list_collections_or_tables(self) -> list[str]:
        """The names of the collections, sorted."""

    @abstractmethod
    async def describe(self, collection: str | None = None) -> Schema:
        """The collection's fields, keys and indexes as far as the source itself knows them.

        None means the only collection. Raises `XRepoNotFoundError` for an unknown one.
        """

    @abstractmethod
    def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        """The rows of `request.plan`, in batches; nothing is read before the first is asked for.

        An asynchronous generator: when it is closed or cancelled, its connection is free."""

    async def table(self, collection: str | None) -> Table:
        """The collection as a table whose rows are read when asked for, or are at hand; only where
        `capabilities.lazy`. Its `origin` names Parquet files that hold just these rows, for
        engines that read such files themselves."""
        raise self._unsupported("hand out a lazy frame")

    @property
    def place(self) -> Hashable:
        """What tells its data from other data: equal for two resources over the same."""
        return id(self)

    def stated(self, schema: Schema) -> Schema:
        """A described collection as the source itself states it, whatever its rows hold."""
        return schema

    def as_stated(self, rows: Table, schema: Schema) -> Table:
        """Some rows of the described collection, in the types that describing these alone gives."""
        return rows

    def native_text(self, collection: str | None, plan: Plan, schema: Schema) -> str | None:
        """What a plan over the collection becomes in the source's own language, with places for the
        values, for people to read; None where there is no such text. `schema` as the caller knows it."""
        return None

    async def size_bytes(self, collection: str | None = None) -> int | None:
        """How many bytes the collection takes where it is kept; None when that is not known."""
        return None

    async def query(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        collection: str | None = None,
        skip: int = 0,
        limit: int | None = None,
        sort: Sequence[tuple[str, int]] | None = None,
    ) -> list[dict[str, Any]]:
        """Documents by filter, for direct use. Ungoverned: repos are the governed way."""
        from xrepo_nb.resources.direct import query

        rows: list[dict[str, Any]] = await query(self, filters, collection, skip, limit, sort)
        return rows

    async def insert(
        self, collection: str | None, records: Sequence[dict[str, Any]], *, key: Sequence[str] = ()
    ) -> WriteResult:
        """Adds records. With `key` each must have values for these fields that no other record has."""
        raise self._unsupported("create records")

    async def update(
        self,
        collection: str | None,
        changes: Sequence[tuple[Any, dict[str, Any]]],
        *,
        key: Sequence[str] = (),
    ) -> WriteResult:
        """Sets fields of records, each named by its value of the primary key, or of `key`."""
        raise self._unsupported("update records")

    async def delete(
        self, collection: str | None, ids: Sequence[Any], *, key: Sequence[str] = ()
    ) -> WriteResult:
        """Removes records by value of the primary key, or of `key`."""
        raise self._unsupported("delete records")

    def watch(self, collection: str | None, resume_after: Any = None) -> AsyncIterator[Any]:
        """The change feed: at least once, in order, resumable."""
        raise self._unsupported("watch for changes")

    def _unsupported(self, what: str) -> XRepoUnsupportedError:
        return XRepoUnsupportedError(
            f"{an(self.connection_type)} source cannot {what}",
            asked=what,
            hint="materialise it (materialized=True) and work on the copy",
        )
