"""ConnectedRepo: a repo over a source that is asked anew at each call."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoUnsupportedError,
    XRepoValidationError,
    an,
)
from xrepo_nb.core.missing import MISSING
from xrepo_nb.core.offload import offload
from xrepo_nb.core.turns import SharedTurns
from xrepo_nb.governance.identity import Identity
from xrepo_nb.query.plan import Match, Plan, Scan
from xrepo_nb.repos import asking, explaining, fitting
from xrepo_nb.repos.agreeing import agree
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.bulk import skipping
from xrepo_nb.repos.by_id import one_of, the_only
from xrepo_nb.repos.change import Change, Current, Item
from xrepo_nb.repos.documents import distinct, key_of, known_id
from xrepo_nb.repos.execution import Opened, execute, gather, replaced_scan, streamed
from xrepo_nb.repos.materialized import default_metadata
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.resources.base import ScanRequest, WriteResult, XResource
from xrepo_nb.schema.redescribing import Untyped, redescribed
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import Field

if TYPE_CHECKING:
    import polars as pl

    from xrepo_nb.engines.explain import Explanation

T = TypeVar("T")

_TURNS = SharedTurns()
"""Of all repos: those over one file or collection change its records one after another."""


class _Read(NamedTuple):
    """How a table of the source is read, as long as it and the repo's schema stay the same."""

    table: Table
    of: Schema
    schema: Schema
    lazy: pl.LazyFrame


class ConnectedRepo(XRepo[T]):
    """A collection of a resource, read when asked and never loaded whole.

    The part of a query that the source can run is pushed down to it; the rest is done here, on the
    rows that remain. Writes go through the resource, which says so when it takes none. `schema` is
    what `XInspector` discovered; `collection` may be left out where the resource has only one.
    """

    kind = "connected"

    if TYPE_CHECKING:  # plain attributes: Pydantic's private ones are slow to read
        _collection: str | None
        _read: _Read | None

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        resource: XResource,
        model_class: type[T] | None = None,
        *,
        collection: str | None = None,
        name: str | None = None,
        metadata: RepoMetadata | None = None,
    ) -> None:
        known = Schema.of(schema)
        missing = next((name for name in known.primary_key if known.field(name) is None), None)
        if missing is not None and known.fields:
            raise XRepoValidationError(
                f"there is no field {missing!r} for the key", asked=missing, exists=known.names
            )
        if not isinstance(resource, XResource):
            raise XRepoConfigurationError(
                f"a ConnectedRepo needs an XResource, not {an(type(resource).__name__)}",
                hint="make one with ResourceFactory.create(...)",
            )
        name = name or collection or known.name or resource.name
        metadata = metadata or default_metadata(name, model_class, resource.name)
        super().__init__(resource, model_class, metadata, known)
        self._collection = collection
        self._read = None
        if not self._key:
            self._key = next(((n,) for n in ("_id", "id") if known.field(n) is not None), ())

    @property
    def collection(self) -> str | None:
        """Which collection of the resource it is; None for the only one."""
        return self._collection

    @property
    def source(self) -> XResource:
        """The resource, which a ConnectedRepo always has."""
        assert self._resource is not None
        return self._resource

    # What XRepo asks of it: reading.

    async def close(self) -> None:
        """Closes its source, for all repos over it; a file or database is then free for others."""
        await self.source.close()

    async def _open(self, identity: Identity) -> Opened:
        if not self.source.capabilities.lazy:
            return Opened(self._schema)
        table = await self.source.table(self._collection)
        known = self._read
        if known is None or known.table is not table or known.of is not self._schema:
            schema = self._as_read(table.schema) if self._closed else self._present(table.schema)
            lazy = table.lazy.select(schema.names) if schema.fields else table.lazy
            known = self._read = _Read(table, self._schema, schema, lazy)
        # A table of its own for each call: one that is read whole keeps its rows.
        rows = Table(lazy=known.lazy, schema=known.schema, origin=table.origin, height=table.height)
        return Opened(known.schema, rows, stamp=known)

    @property
    def _infers(self) -> bool:
        return self.source.capabilities.inferred or self._is_dirty

    @property
    def _is_dirty(self) -> bool:
        """Whether rows hold other types than their source states, so that `_schema` tells of them."""
        stated = self.source.stated(self._schema)
        return stated is not self._schema and any(
            a.type != b.type for a, b in zip(stated.fields, self._schema.fields, strict=True)
        )

    def _shown_types(self, rows: Table) -> Table:
        """Single records, under rules: in types that they have by themselves."""
        ruled = self._acl_manager is not None and not self.source.capabilities.lazy
        return self._as_declared(rows) if ruled and self._is_dirty else rows

    def _as_declared(self, rows: Table) -> Table:
        return self.source.as_stated(rows, self._schema)

    @property
    def _reads_by_plan(self) -> bool:
        return True

    def _untyped(self, found: Opened) -> Untyped | None:
        read: _Read | None = found.stamp
        if read is None:
            return Untyped(_not_at_hand, self._as_declared) if self._infers else None
        if read.table.untyped is None:
            return None
        exact, names = read.table.untyped, read.schema.names if self._closed else ()

        def typed(rows: Table) -> Table:
            made = exact.typed(rows)
            if names:
                schema = made.schema.select(name for name in made.schema.names if name in names)
                made = Table(lazy=made.lazy.select(schema.names), schema=schema)
            return made if self._given is None else redescribed(made, self._given)

        return Untyped(exact.rows, typed)

    def _stated(self, schema: Schema) -> Schema:
        if not self.source.capabilities.inferred:
            return self.source.stated(schema) if self._given is None else schema
        if self._read is not None and self._read.table.untyped is None:
            return schema
        return self._given or Schema((), name=schema.name)

    def _as_read(self, described: Schema) -> Schema:
        """The schema with the types of the rows as they are read now; refused when those are others."""
        found = {field.name: field for field in described.fields}
        gone = next((name for name in self._schema.names if found and name not in found), None)
        if gone is not None:
            shown = repr(gone) if self._acl_manager is None else "a field"
            raise XRepoValidationError(
                f"{shown} of {self.metadata.name} was there as it was opened, and is gone now",
                asked=self.metadata.name,
                exists=described.names if self._acl_manager is None else None,
                hint="open it again",
            )
        fields = tuple(self._field_as_read(field, found.get(field.name)) for field in self._schema.fields)
        known = all(a is b for a, b in zip(fields, self._schema.fields, strict=True))
        return self._schema if known else self._schema.replace(fields=fields)

    def _field_as_read(self, field: Field, found: Field | None) -> Field:
        if found is None or found is field or (found.type == field.type and found.absence == field.absence):
            return field
        if not agree(field, found):
            raise XRepoValidationError(
                f"{field.name!r} of {self.metadata.name} was {field.type} as it was opened, and is "
                f"{found.type} now",
                asked=field.name,
                hint="open it again",
            )
        return replace(field, type=found.type, absence=found.absence)

    def _present(self, described: Schema) -> Schema:
        """The schema as the rows stand now, which writes may have widened."""
        known = self._schema.names or described.names
        fields = tuple(field for field in map(described.field, known) if field is not None)
        return self._schema.replace(fields=fields)

    async def _scan(self, plan: Plan) -> tuple[Plan, Table]:
        native, residual = self._split(plan)
        tables = [table async for table in self.source.scan(self._collection, ScanRequest(native))]
        return residual, Table.joined(tables, self._schema)

    async def _stream(self, plan: Plan, size: int) -> AsyncIterator[Table]:
        native, residual = self._split(plan)
        if isinstance(residual, Scan):
            async with closing(self.source.scan(self._collection, ScanRequest(native, size))) as tables:
                async for table in tables:
                    yield table
            return
        rest, table = await self._scan(plan)
        async with closing(streamed(rest, {_label(plan): table}, size)) as batches:
            async for batch in batches:
                yield batch

    async def _explained(self, plan: Plan, analyze: bool) -> tuple[Plan, Explanation, Table]:
        from xrepo_nb.query.typing import output_schema

        native, residual = self._split(plan)
        text = self.source.native_text(self._collection, native, self._schema)
        if analyze:
            residual, table = await self._scan(plan)
        else:
            schema = output_schema(native, {_label(plan): self._schema})
            table = Table.empty(schema)
        kind = self.source.connection_type
        return residual, explaining.pushed(native, kind, text, table if analyze else None), table

    def _split(self, plan: Plan) -> tuple[Plan, Plan]:
        from xrepo_nb.query.splitting import split

        found = split(plan, self.source.capabilities)
        return self._of_schema(found.native), found.residual

    def _of_schema(self, native: Plan) -> Plan:
        """The plan over the schema's own fields, where the source's rows are tables and may have more."""
        if not self._closed or "Project" not in self.source.capabilities.stages:
            return native
        name = _label(native)
        return replaced_scan(native, name, asking.whole(Scan(name), self._schema.names))

    async def _current(self, ids: Sequence[Any], identity: Identity) -> builtins.list[Current | None]:
        name = self.metadata.name
        opened = {name: await self._opened_exactly(identity)}
        plan, inputs = await gather(Match(Scan(name), one_of(self._key, ids)), opened, {name: self})
        table = self._shown_types((await execute(plan, inputs)).table)
        found: dict[Any, builtins.list[dict[str, Any]]] = {}
        for document in table.documents:
            found.setdefault(distinct(key_of(document, self._key)), []).append(document)
        documents = [the_only(self, found.get(distinct(i), [])) for i in ids]
        return [None if document is None else Current(document) for document in documents]

    async def _opened_exactly(self, identity: Identity) -> Opened:
        """As `_open`; under rules with values as they came, whatever types all rows together have."""
        found = await self._open(identity)
        exact = self._untyped(found) if self._acl_manager is not None and not self._closed else None
        if exact is None:
            return found
        table = await offload(exact.rows)
        return replace(found, schema=table.schema, table=table)

    # Writing.

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        return _TURNS.of(self.source.place)

    async def _apply(self, change: Change, partial: bool = False) -> WriteResult:
        self._must_take(change.kind)
        result = await (skipping(self._written, change) if partial else self._written(change))
        if self._acl_manager is None or not self._is_dirty:
            return result
        return replace(result, documents=tuple(map(self._retyped, result.documents)))

    def _retyped(self, document: dict[str, Any] | None) -> dict[str, Any] | None:
        if document is None:
            return None
        schema = self._schema.select(document)
        rows = Table(frame=Table(documents=[document], schema=schema).frame, schema=schema)
        return self._shown_types(rows).documents[0]

    async def _written(self, change: Change) -> WriteResult:
        source, items = self.source, change.items
        if not source.capabilities.any_key:
            await self._must_know_the_key()
        if change.kind == "create":
            records = [item.document or {} for item in items]
            return await source.insert(self._collection, records, **self._by(self._schema.primary_key))
        if change.kind == "delete":
            return await source.delete(self._collection, [item.id for item in items], **self._by(self._key))
        if len(items) == 1 and items[0].version is not None and source.capabilities.any_key:
            return await self._updated_at(items[0], items[0].version)
        changes = [(item.id, self._settable(item)) for item in items]
        return await source.update(self._collection, changes, **self._by(self._key))

    async def _updated_at(self, item: Item, version: int) -> WriteResult:
        """Updates a record only while it is still at that version, whoever else writes it."""
        record_id = item.id if len(self._key) > 1 else (item.id,)
        changes = [((*record_id, version), self._settable(item))]
        return await self.source.update(self._collection, changes, key=(*self._key, "version"))

    def _by(self, key: tuple[str, ...]) -> dict[str, Any]:
        """How the source is told the key, where it takes any."""
        return {"key": key} if key and self.source.capabilities.any_key else {}

    async def _must_know_the_key(self) -> None:
        """Raises `XRepoUnsupportedError` when the source knows its records by other fields."""
        own = (await self.source.describe(self._collection)).primary_key
        if own and self._key and own != self._key:
            raise XRepoUnsupportedError(
                f"{self.metadata.name} takes no writes: its source knows records by {', '.join(own)}, "
                f"not by {', '.join(self._key)}",
                asked=", ".join(self._key),
                exists=own,
                hint="open it without primary_key, or with materialized=True and change the copy",
            )

    def _must_take_writes(self) -> None:
        taken = self.source.capabilities
        if not (taken.insert or taken.update or taken.delete):
            raise self._refusal("is read-only", "write")

    def _must_take(self, kind: str) -> None:
        wanted = {"create": "insert"}.get(kind, kind)
        if not getattr(self.source.capabilities, wanted):
            raise self._refusal(f"takes no {kind}", kind)

    def _refusal(self, says: str, asked: str) -> XRepoUnsupportedError:
        return XRepoUnsupportedError(
            f"{self.metadata.name} {says}: its source is of kind {self.source.connection_type}",
            asked=asked,
            hint="open it with materialized=True and change the copy",
        )

    def _settable(self, item: Item) -> dict[str, Any]:
        """The changed fields; one that was removed becomes null where the source has no absence."""
        out = {}
        for name, value in item.changed.items():
            field = self._schema.field(name)
            tabular = field is not None and field.absence in ("never", "null")
            out[name] = None if value is MISSING and tabular else value
        return out

    async def _size(self, identity: Identity) -> int | None:
        return await self.source.size_bytes(self._collection)

    def _id_of(self, document: dict[str, Any]) -> Any:
        """The id, None where the source is left to give one."""
        if any(document.get(name) is None for name in self._key):
            return None
        return known_id(key_of(document, self._key)) if self._key else None

    @property
    def _closed(self) -> bool:
        return not self.source.capabilities.any_field

    def _known_fields(self) -> Schema | None:
        return super()._known_fields() if self._closed else None

    def _completed(self, document: dict[str, Any], schema: Schema) -> dict[str, Any]:
        return self._fitted(document, schema)

    def _fitted(self, values: dict[str, Any], schema: Schema) -> dict[str, Any]:
        return fitting.fitted(values, schema, closed=self._closed, name=self.metadata.name)


def _not_at_hand() -> Table:
    raise XRepoUnsupportedError("the rows of this source are asked for, not at hand")


def _label(plan: Plan) -> str:
    """The one name under which a plan scans the repo: a view gives its sources names of its own."""
    (name,) = plan.sources()
    return name
