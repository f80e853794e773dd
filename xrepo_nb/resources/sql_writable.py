"""Writes into SQL file sources, each bulk in one transaction."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from xrepo_nb.core.errors import XRepoError, XRepoTimeoutError, XRepoUnsupportedError, XRepoValidationError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.resources.outcomes import attach, outcomes_of
from xrepo_nb.resources.sql_base import SQLFileResource
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

_PAUSE = 0.002
"""Seconds between two looks whether it is one's turn to write."""
_TURNS: WeakValueDictionary[Path, Any] = WeakValueDictionary()
"""The lock of each file that is written, or about to be."""


class WritableSQLFile(SQLFileResource):
    """A database in one file that is read and written: writers take turns, also those of other resources."""

    # What a driver supplies; all of it blocks.

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

    # The contract.

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

    # Turns and transactions.

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
        writing = _TURNS.setdefault(self.path, threading.Lock())
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
