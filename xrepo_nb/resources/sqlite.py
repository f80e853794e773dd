"""SQLite files: tables and views of a dynamically typed database, served exactly."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoConnectionError,
    XRepoError,
    XRepoQueryError,
    XRepoTimeoutError,
    XRepoUnsupportedError,
    XRepoValidationError,
    an,
)
from xrepo_nb.resources.base import Capabilities
from xrepo_nb.resources.sql_base import Batches
from xrepo_nb.resources.sql_writable import WritableSQLFile
from xrepo_nb.resources.sql_writes import ACCEPTED, Answers, RecordError, Statement, fits, misfit
from xrepo_nb.resources.sqlite_declared import read_as_declared, stated
from xrepo_nb.resources.sqlite_types import describe, parse
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.render import Rendered

_PATIENCE = 0.8
"""The part of the timeout for which SQLite itself waits for a lock, so that it tells of it first."""


class SQLiteResource(WritableSQLFile):
    """A SQLite database file.

    SQLite lets any column hold any type, so `describe` reads the values once: a column that
    holds several types is `mixed`. Text in a column declared DATE or DATETIME is parsed when
    every value is an ISO date; that is told in the field's `extra["stored_as"]`. Times without a
    zone are UTC.

    >>> SQLiteResource("shop.db").capabilities.transactions
    True
    """

    connection_type = "sqlite"
    dialect = "sqlite"
    capabilities = Capabilities(
        filters=frozenset(
            {"Constant", "And", "Or", "Not", "Compare", "In", "Exists", "Regex", "Mod", "Truth"}
        ),
        stages=frozenset({"Match", "Project", "Unset", "Sort", "Limit", "Skip", "Group"}),
        expressions=frozenset({"$and", "$or", "$not", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte"}),
        accumulators=frozenset({"$sum", "$avg", "$min", "$max", "$count"}),
        ordered=False,
        insert=True,
        update=True,
        delete=True,
        any_key=True,
        transactions=True,
    )

    def stated(self, schema: Schema) -> Schema:
        return stated(schema)

    def as_stated(self, rows: Table, schema: Schema) -> Table:
        return read_as_declared(rows, schema)

    def _new_connection(self) -> sqlite3.Connection:
        mode = "ro" if self.read_only else "rw"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self.timeout * _PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _free(self) -> None:
        """Connections share nothing."""

    def _tables(self, connection: sqlite3.Connection) -> list[str]:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\' ORDER BY name"
        )
        return [name for (name,) in found]

    def _describe(self, connection: sqlite3.Connection, table: str) -> Schema:
        return describe(connection, table)

    def _row(self, connection: sqlite3.Connection, table: str) -> str | None:
        ordered = connection.execute(
            "SELECT 1 FROM pragma_table_list(?) WHERE type = 'table' AND wr = 0", (table,)
        ).fetchone()
        return "_rowid_" if ordered else None

    def _from(self, schema: Schema, row: str | None) -> str:
        return schema.name

    def _read(self, connection: sqlite3.Connection, rendered: Rendered, size: int) -> Batches:
        cursor = connection.execute(rendered.sql, rendered.params)
        try:
            rows = cursor.fetchmany(size)
            while following := cursor.fetchmany(size):
                yield decode(rows, rendered.schema)
                rows = following
        finally:
            cursor.close()
        # One batch ahead, so that the file is free for writers when the last one is handed out.
        yield decode(rows, rendered.schema)

    def _write(
        self,
        connection: sqlite3.Connection,
        statements: Sequence[Statement],
        check: Callable[[Answers], None],
    ) -> Answers:
        connection.execute("BEGIN IMMEDIATE")
        before = connection.total_changes
        try:
            answers = [_run(connection, at, statement) for at, statement in enumerate(statements)]
            self._must_be_kept(connection.total_changes - before, answers)
            check(answers)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answers

    def _must_be_kept(self, changes: int, answers: Answers) -> None:
        """SQLite may answer a write into a view with the row, and keep none."""
        if changes < sum(len(rows) for rows in answers):
            raise XRepoUnsupportedError(
                f"{self.path.name} kept nothing of what was written",
                asked="write",
                hint="a view takes no writes: write into its tables",
            )

    def _encode(self, value: Any, schema: Schema, name: str) -> Any:
        field = schema.field(name)
        kind = field.type.kind if field else "mixed"
        if value is None:
            return None
        odd = isinstance(value, float) and value != value
        if odd or not fits(value, kind, _ACCEPTED):
            raise misfit(name, value, kind)
        return _stored(value, kind)

    def _decode(self, rows: Sequence[tuple[Any, ...]], schema: Schema) -> Table:
        return decode(rows, schema)

    def _kept(self, statement: Statement, rows: Sequence[tuple[Any, ...]], schema: Schema) -> None:
        mixed = [(i, f.name) for i, f in enumerate(schema.fields) if f.type.kind == "mixed"]
        for row in rows:
            for i, name in mixed:
                sent = statement.values.get(name, row[i])
                if type(sent) is not type(row[i]) or sent != row[i]:
                    raise XRepoValidationError(
                        f"the affinity of column {name!r} turns this value into {an(type(row[i]).__name__)}",
                        hint="give a value that the column's declared type keeps",
                    )

    def _is_inexact(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.Error) and "integer overflow" in str(error)

    def _translated(self, error: Exception) -> XRepoError | None:
        if isinstance(error, UnicodeEncodeError):
            return XRepoValidationError("a text holds a lone surrogate, which no file can keep")
        if not isinstance(error, sqlite3.Error):
            return None
        code = getattr(error, "sqlite_errorname", "")
        text = str(error)
        if code in ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID"):
            return XRepoConflictError(f"a record with this key exists already: {text}")
        if "generated column" in text:
            return XRepoValidationError(text, hint="leave it out: the database computes it")
        if code.startswith("SQLITE_CONSTRAINT") or code in ("SQLITE_MISMATCH", "SQLITE_TOOBIG"):
            return XRepoValidationError(text)
        if code.startswith("SQLITE_READONLY") or "cannot modify" in text:
            return XRepoUnsupportedError(f"{self.path.name}: {text}", asked="write")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return XRepoTimeoutError(
                f"{self.path.name}: {text}: another connection held it for {self.timeout} s",
                asked=self.path.name,
                hint="end its transaction and open scans, or set PRAGMA journal_mode = WAL",
            )
        if code in ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CANTOPEN"):
            return XRepoConnectionError(f"{self.path.name}: {text}")
        gone = "no such column" in text or "has no column" in text
        hint = "the table has changed since it was opened: open it again" if gone else None
        return XRepoQueryError(f"{self.path.name}: {text}", hint=hint)


def _run(connection: sqlite3.Connection, at: int, statement: Statement) -> list[Any]:
    try:
        return connection.execute(statement.sql, statement.params).fetchall()
    except sqlite3.Error as error:
        raise RecordError(at, error) from None


_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    **ACCEPTED,
    "string": (str, uuid.UUID),
    "float": (float, int, Decimal),
    "mixed": (str, int, float, bool, bytes, datetime, date, time, Decimal, uuid.UUID),
    "null": (str, int, float, bool, bytes, datetime, date, time, Decimal, uuid.UUID),
}


def decode(rows: Sequence[tuple[Any, ...]], schema: Schema) -> Table:
    """Rows as a table; raises `XRepoValidationError` for a value that its column's type cannot hold."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [() for _ in schema.fields]
    series = []
    for field, values in zip(schema.fields, columns, strict=True):
        try:
            series.append(pl.Series(field.name, parse(values, field.type.kind), dtype=field.type.to_polars()))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            raise XRepoValidationError(
                f"column {field.name!r} holds a value that is no {field.type.kind}",
                asked=field.name,
                hint="the table changed since it was described: describe it again",
            ) from None
    return Table(frame=frame_of(series), schema=schema)


def _stored(value: Any, kind: str) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, uuid.UUID):
        return value.bytes if kind == "binary" else str(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return int(value) if isinstance(value, bool) else value
