"""What the SQL file sources share: leased connections, deadlines, batches, transactional writes."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoError,
    XRepoNotFoundError,
    XRepoQueryError,
    XRepoTimeoutError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.core.missing import MISSING
from xrepo_nb.core.offload import offload
from xrepo_nb.core.settings import settings
from xrepo_nb.query.plan import Plan
from xrepo_nb.resources.base import ScanRequest, WriteResult, XResource
from xrepo_nb.resources.outcomes import attach, outcomes_of
from xrepo_nb.resources.paths import must_say
from xrepo_nb.resources.sql_connections import Connections, interruptible
from xrepo_nb.resources.sql_files import Mark, database_file, mark_of, must_be_the_file
from xrepo_nb.resources.sql_finishing import finished, parted, step
from xrepo_nb.resources.sql_keys import (
    is_watched,
    key_of_table,
    must_be_new,
    must_be_whole,
    must_have_ids,
    must_hit_one,
)
from xrepo_nb.resources.sql_statements import Returned, delete_sql, insert_sql, update_sql
from xrepo_nb.resources.sql_writes import Answers, RecordError, Statement, each
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

    from xrepo_nb.engines.sql.render import Rendered

T = TypeVar("T")
Batches = Generator[Table, None, None]

_PAUSE = 0.002
"""Seconds between two looks whether it is one's turn to write."""
_TURNS: WeakValueDictionary[Path, Any] = WeakValueDictionary()
"""The lock of each file that is open: its writers take turns, also those of other resources."""


class SQLFileResource(XResource):
    """A database in one file, driven in threads.

    Each operation leases a connection of its own, so that several tasks may read at once;
    writers take turns. A cancelled or late operation is interrupted in the driver, and its
    connection is free again before the caller goes on. A subclass supplies the driver calls.
    """

    dialect: ClassVar[str]

    def __init__(
        self,
        file_path: str | Path,
        *,
        read_only: bool = False,
        root: str | Path | None = None,
        timeout: float | None = None,
    ) -> None:
        for option, given in (("file_path", file_path), ("root", root)):
            must_say(option, given)
        self.path = Path(file_path)
        self.name = self.path.stem
        self._root = root
        self.read_only = read_only
        self.timeout = timeout or settings().timeout
        self._connections = Connections(partial(self._translating, self._new_connection))
        self._writing = threading.Lock()
        self._mark: Mark | None = None
        self._schemas: dict[str, Schema] = {}
        self._rows: dict[str, str | None] = {}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.path.name!r}, {'open' if self._connections.is_open else 'closed'})"
        )

    # What a driver supplies; all of it blocks.

    @abstractmethod
    def _new_connection(self) -> Any:
        """A connection for one operation at a time; raises `XRepoConnectionError`."""

    @abstractmethod
    def _free(self) -> None:
        """Frees what all connections share."""

    @abstractmethod
    def _tables(self, connection: Any) -> list[str]:
        """The names of tables and views."""

    @abstractmethod
    def _describe(self, connection: Any, table: str) -> Schema:
        """The schema of a table that exists."""

    @abstractmethod
    def _read(self, connection: Any, rendered: Rendered, size: int) -> Batches:
        """The batches of a statement's rows, at least one, perhaps empty."""

    @abstractmethod
    def _row(self, connection: Any, table: str) -> str | None:
        """The table's column that tells how rows were added, if it has one."""

    @abstractmethod
    def _from(self, schema: Schema, row: str | None) -> str | Expression:
        """The table, with that column, as the renderer takes it."""

    @abstractmethod
    def _write(
        self, connection: Any, statements: Sequence[Statement], check: Callable[[Answers], None]
    ) -> Answers:
        """Runs all statements in one transaction and gives the rows that each returns.

        `check` sees them before the commit. Raises `RecordError` with the position of the first
        statement that fails, nothing applied."""

    @abstractmethod
    def _encode(self, value: Any, schema: Schema, name: str) -> Any:
        """The value as the driver binds it; raises `XRepoValidationError` when it does not fit."""

    @abstractmethod
    def _decode(self, rows: Sequence[tuple[Any, ...]], schema: Schema) -> Table:
        """Rows of the whole table, all columns in the schema's order, as a table."""

    @abstractmethod
    def _translated(self, error: Exception) -> XRepoError | None:
        """The driver's error as ours, or None when it is not the driver's."""

    # The contract.

    async def connect(self) -> None:
        if not self._connections.is_open:
            self.path = await offload(database_file, self.path, self._root)
            async with self._connections.leased() as connection:
                await self._run(connection, self._tables, connection)
                self._mark = await offload(mark_of, self.path)
                self._writing = _TURNS.setdefault(self.path, threading.Lock())
                self._connections.is_open = True

    async def close(self) -> None:
        self._connections.is_open = False
        await offload(self._close)

    async def validate_connection(self) -> bool:
        if not self._connections.is_open or not await offload(self.path.exists):
            return False
        try:
            async with self._leased() as connection:
                await self._run(connection, self._listed, connection)
        except Exception:
            return False
        return True

    async def list_collections_or_tables(self) -> list[str]:
        async with self._leased() as connection:
            return await self._run(connection, self._listed, connection)

    async def describe(self, collection: str | None = None) -> Schema:
        async with self._leased() as connection:
            return await self._run(connection, self._described, connection, collection)

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        timeout, size = request.timeout or self.timeout, request.batch_size
        async with self._leased() as connection:
            batches = self._batches(connection, collection, request)
            try:
                more = True
                while more:
                    found, more = await self._run(connection, step, batches, size, timeout=timeout)
                    for batch in found:
                        yield batch
            finally:
                batches.close()

    async def insert(
        self, collection: str | None, records: Sequence[dict[str, Any]], *, key: Sequence[str] = ()
    ) -> WriteResult:
        def work(connection: Any, schema: Schema) -> WriteResult:
            known_by = key_of_table(schema, key) if key else ()
            statements = each(records, lambda record: self._insertion(record, schema))

            def must(answers: Answers) -> None:
                self._must_be_apart(connection, statements, answers, schema, known_by)

            answers = self._apply(connection, statements, schema, must)
            stored = self._decode([row for rows in answers for row in rows], schema).documents
            return WriteResult(("applied",) * len(stored), documents=tuple(stored))

        return await self._in_turn("insert", collection, work)

    async def update(
        self,
        collection: str | None,
        changes: Sequence[tuple[Any, dict[str, Any]]],
        *,
        key: Sequence[str] = (),
    ) -> WriteResult:
        def work(connection: Any, schema: Schema) -> WriteResult:
            known_by = key_of_table(schema, key)
            statements = each(changes, lambda change: self._change(*change, schema, known_by))
            answers = self._apply_by_id(connection, statements, schema, known_by)
            stored = iter(self._decode([row for rows in answers for row in rows], schema).documents)
            return outcomes_of(list(map(bool, answers)), [next(stored) if rows else None for rows in answers])

        return await self._in_turn("update", collection, work)

    async def delete(
        self, collection: str | None, ids: Sequence[Any], *, key: Sequence[str] = ()
    ) -> WriteResult:
        def work(connection: Any, schema: Schema) -> WriteResult:
            known_by = key_of_table(schema, key)
            statements = each(ids, lambda record_id: self._removal(record_id, schema, known_by))
            answers = self._apply_by_id(connection, statements, schema, known_by)
            return outcomes_of(list(map(bool, answers)), [None] * len(ids))

        return await self._in_turn("delete", collection, work)

    def native_text(self, collection: str | None, plan: Plan, schema: Schema) -> str | None:
        """The SQL of the part of the plan that the database runs."""
        name = collection or schema.name or next(iter(self._schemas), "")
        known = self._schemas.get(name) or schema.replace(name=name)
        return parted(plan, self._renderer(known, None))[0].sql

    def _batches(self, connection: Any, collection: str | None, request: ScanRequest) -> Batches:
        with self._on_table(connection, collection) as schema:
            rendered, above = parted(request.plan, self._renderer(schema, self._rows[schema.name]))
            batches = self._read(connection, rendered, request.batch_size)
            try:
                if above:
                    [source] = request.plan.sources()
                    yield from finished(source, batches, above, request.batch_size)
                else:
                    yield from batches
            finally:
                batches.close()

    def _renderer(self, schema: Schema, row: str | None) -> Callable[[Plan], Rendered]:
        from xrepo_nb.engines.sql.render import render

        table = self._from(schema, row)

        def rendered(plan: Plan) -> Rendered:
            [source] = plan.sources()
            order = {source: row} if row is not None else {}
            return render(plan, self.dialect, {source: schema}, tables={source: table}, order=order)

        return rendered

    # Leases.

    def _leased(self) -> AbstractAsyncContextManager[Any]:
        if not self._connections.is_open:
            raise XRepoConnectionError(f"{self.path.name} is not connected", hint="await resource.connect()")
        return self._connections.leased()

    async def _run(
        self,
        connection: Any,
        work: Callable[..., T],
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver is to be interrupted, not only the wait
    ) -> T:
        """Runs blocking `work` on the leased connection; leaves only when the driver is done with it."""
        translated = partial(self._translating, work, *args)
        return await interruptible(connection, translated, timeout or self.timeout, self.path.name)

    def _translating(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return work(*args)
        except Exception as error:
            ours = self._translated(error)
            if ours is None or ours is error:
                raise
            raise ours from None

    def _close(self) -> None:
        self._connections.close()
        self._free()

    # Schemas.

    @contextmanager
    def _on_table(self, connection: Any, collection: str | None) -> Iterator[Schema]:
        """The schema of the collection, as it was described; where what is done with it fits the table no
        more, it is looked whether that is still there."""
        schema = self._known(connection, collection)
        try:
            yield schema
        except Exception as error:
            ours = error if isinstance(error, XRepoError) else self._translated(error)
            if isinstance(ours, XRepoQueryError):
                self._named(connection, collection)
            raise

    def _known(self, connection: Any, collection: str | None) -> Schema:
        known = self._schemas.get(collection) if collection is not None else None
        if known is not None:
            must_be_the_file(self.path, self._mark)
            return known
        name = self._named(connection, collection)
        return self._schemas.get(name) or self._described(connection, name)

    def _described(self, connection: Any, collection: str | None) -> Schema:
        name = self._named(connection, collection)
        schema = self._describe(connection, name).replace(source=self.name)
        self._rows[name] = self._row(connection, name)
        self._schemas[name] = schema
        return schema

    def _listed(self, connection: Any) -> list[str]:
        must_be_the_file(self.path, self._mark)
        return self._tables(connection)

    def _named(self, connection: Any, collection: str | None) -> str:
        names = self._listed(connection)
        if collection is None:
            if len(names) == 1:
                return names[0]
            if not names:
                raise XRepoNotFoundError(
                    f"{self.path.name} holds no tables",
                    exists=names,
                    hint="create one in it first, or open another file",
                )
            raise XRepoConfigurationError(
                f"{self.path.name} holds {len(names)} tables: name one", exists=names, hint="collection=..."
            )
        if collection not in names:
            raise XRepoNotFoundError(f"no table {collection!r}", asked=collection, exists=names)
        return collection

    # Writes.

    async def _in_turn(
        self, what: str, collection: str | None, work: Callable[[Any, Schema], WriteResult]
    ) -> WriteResult:
        if self.read_only:
            raise XRepoUnsupportedError(
                f"{self.path.name} is opened read-only: cannot {what}", asked=what, hint="read_only=False"
            )

        def on_table(connection: Any) -> WriteResult:
            with self._on_table(connection, collection) as schema:
                return work(connection, schema)

        writing = await self._turn()
        try:
            async with self._leased() as connection:
                return await self._run(connection, on_table, connection)
        finally:
            writing.release()

    async def _turn(self) -> Any:
        """The lock, once no other task holds it. Not in a thread: waiting writers would take the threads
        that readers need to end, for whom the database makes the writer before wait."""
        deadline = time.monotonic() + self.timeout
        writing = self._writing
        while not writing.acquire(blocking=False):
            if time.monotonic() > deadline:
                raise XRepoTimeoutError(
                    f"{self.path.name}: other writes took longer than {self.timeout} s", hint="try again"
                )
            await asyncio.sleep(_PAUSE)
        return writing

    def _apply(
        self,
        connection: Any,
        statements: Sequence[Statement],
        schema: Schema,
        must: Callable[[Answers], None],
    ) -> Answers:
        """Runs the statements; `must` raises for answers that they must not have."""

        def check(answers: Answers) -> None:
            for at, (statement, rows) in enumerate(zip(statements, answers, strict=True)):
                try:
                    self._kept(statement, rows, schema)
                except XRepoError as error:
                    raise attach(error, at, len(statements)) from None
            must(answers)

        try:
            return self._write(connection, statements, check)
        except RecordError as failure:
            error = self._translated(failure.cause) or XRepoError("the write failed")
            raise attach(error, failure.at, len(statements)) from None

    def _apply_by_id(
        self, connection: Any, statements: Sequence[Statement], schema: Schema, key: tuple[str, ...]
    ) -> Answers:
        return self._apply(connection, statements, schema, lambda a: must_hit_one(a, schema.name, key))

    def _insertion(self, record: Mapping[str, Any], schema: Schema) -> Statement:
        values = self._encoded(record, schema)
        many = (schema.name, tuple(values), self._returned(schema), self.dialect)
        return Statement(insert_sql(*many), tuple(values.values()), values, many)

    def _change(
        self, record_id: Any, record: Mapping[str, Any], schema: Schema, key: tuple[str, ...]
    ) -> Statement:
        values, identity = self._encoded(record, schema), self._identity(record_id, schema, key)
        if not values:
            raise XRepoValidationError("a change names no field", exists=schema.names)
        sql = update_sql(schema.name, tuple(values), tuple(identity), self._returned(schema), self.dialect)
        return Statement(sql, (*values.values(), *identity.values()), values)

    def _removal(self, record_id: Any, schema: Schema, key: tuple[str, ...]) -> Statement:
        identity = self._identity(record_id, schema, key)
        sql = delete_sql(schema.name, tuple(identity), self._returned(schema), self.dialect)
        return Statement(sql, tuple(identity.values()), {})

    def _returned(self, schema: Schema) -> tuple[Returned, ...]:
        """What a write returns of each row, so that `_decode` can read it."""
        return schema.names

    def _encoded(self, record: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        for name in record:
            if schema.field(name) is None:
                raise XRepoValidationError(f"unknown field {name!r}", asked=name, exists=schema.names)
        return {
            name: self._encode(value, schema, name) for name, value in record.items() if value is not MISSING
        }

    def _identity(self, record_id: Any, schema: Schema, key: tuple[str, ...]) -> dict[str, Any]:
        values = record_id if isinstance(record_id, tuple) and len(key) > 1 else (record_id,)
        if len(values) != len(key):
            raise XRepoValidationError(f"the key of {schema.name} has {len(key)} parts", exists=key)
        identity = {n: self._encode(value, schema, n) for n, value in zip(key, values, strict=True)}
        must_be_whole(list(identity.values()), key)
        return identity

    def _must_be_apart(
        self,
        connection: Any,
        statements: Sequence[Statement],
        answers: Answers,
        schema: Schema,
        key: tuple[str, ...],
    ) -> None:
        """Refuses added records without a value for the key, or with one that another record has."""
        must_have_ids([row for [row] in answers], [schema.names.index(name) for name in key], key)
        if not key or is_watched(schema, key):
            return
        added = [self._added(s, row, schema, key) for s, [row] in zip(statements, answers, strict=True)]

        def run(sql: str, params: Sequence[Any]) -> Any:
            return connection.execute(sql, params).fetchall()

        must_be_new(run, schema.name, key, added, self.dialect)

    def _added(
        self, statement: Statement, row: tuple[Any, ...], schema: Schema, key: tuple[str, ...]
    ) -> tuple[Any, ...]:
        """The id of an added record, as the driver binds it."""
        values = statement.values
        if not all(name in values for name in key):  # the database has given it
            stored = self._decode([row], schema).documents[0]
            values = {name: self._encode(stored.get(name), schema, name) for name in key}
        return tuple(values[name] for name in key)

    def _kept(self, statement: Statement, rows: Sequence[tuple[Any, ...]], schema: Schema) -> None:
        """Raises `XRepoValidationError` when the source stored another value than the one given."""
