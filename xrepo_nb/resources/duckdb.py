"""DuckDB files: tables and views, read by SQL, written in transactions."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl

from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoConnectionError,
    XRepoError,
    XRepoQueryError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.engines.duckdb.failures import data_failure, failed_check
from xrepo_nb.engines.duckdb.frames import to_table
from xrepo_nb.engines.duckdb.inputs import ROW
from xrepo_nb.resources.base import Capabilities
from xrepo_nb.resources.duckdb_types import describe, is_text_only, selection
from xrepo_nb.resources.sql_base import Batches
from xrepo_nb.resources.sql_statements import Returned, insert_lists_sql, insert_sql
from xrepo_nb.resources.sql_writable import WritableSQLFile
from xrepo_nb.resources.sql_writes import Answers, RecordError, Statement, fits, misfit
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

    from xrepo_nb.engines.sql.render import Rendered

_CHUNK = 200
"""Rows that one statement adds, each value bound by itself."""
_LISTED = 10_000
"""Rows that one statement adds, the values of each column bound as a list."""
_PLAIN = frozenset({bool, int, float, str, date})
_OF_VIEWS = ("is not an table", "only update base table", "only delete from base table")
"""What DuckDB says of a write into a view."""


class DuckDBResource(WritableSQLFile):
    """A DuckDB database file, opened without access to other files, network or extensions.

    Types that have no kind of their own (interval, bit, union ...) are served as text, which the
    field's `extra` tells (`native_type`, `read_as`). Timestamps without a zone are UTC.

    >>> DuckDBResource("shop.duckdb").capabilities.transactions
    True
    """

    connection_type = "duckdb"
    dialect = "duckdb"
    capabilities = Capabilities(
        filters=frozenset(
            {"Constant", "And", "Or", "Not", "Compare", "In", "Exists", "HasType", "Regex", "Mod", "Size"}
            | {"All", "ElemMatch", "Bits", "Truth"}
        ),
        stages=frozenset({"Match", "Project", "AddFields", "Unset", "Sort", "Limit", "Skip", "Group"}),
        expressions=frozenset(
            {"$and", "$or", "$not", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cond", "$ifNull"}
            | {"$add", "$subtract", "$multiply", "$divide", "$abs", "$floor", "$ceil", "$concat", "object"}
            | {"$year", "$month", "$dayOfMonth", "$hour", "$dateTrunc", "$toUpper", "$toLower"}
        ),
        accumulators=frozenset(
            {"$sum", "$avg", "$min", "$max", "$count", "$first", "$last", "$push", "$addToSet"}
        ),
        ordered=False,
        insert=True,
        update=True,
        delete=True,
        any_key=True,
        transactions=True,
    )

    _database: Any = None
    _opening = threading.Lock()

    def _new_connection(self) -> Any:
        with self._opening:
            if self._database is None:
                self._database = self._opened()
            return self._database.cursor()

    def _opened(self) -> Any:
        import duckdb

        try:
            database = duckdb.connect(
                str(self.path),
                read_only=self.read_only,
                config={
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "enable_external_access": "false",
                },
            )
        except duckdb.Error as error:
            raise XRepoConnectionError(
                f"{self.path.name} cannot be opened as a DuckDB database ({type(error).__name__})",
                hint=_hint(self.path),
            ) from None
        locked = database.execute("SELECT current_setting('lock_configuration')").fetchall()
        if locked != [(True,)]:  # else the file is open here already, and set up
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            database.execute("SET lock_configuration = true")
        return database

    def _free(self) -> None:
        with self._opening:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    def _tables(self, connection: Any) -> list[str]:
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY table_name"
        )
        return [name for (name,) in found.fetchall()]

    def _describe(self, connection: Any, table: str) -> Schema:
        return describe(connection, table)

    def _row(self, connection: Any, table: str) -> str | None:
        found = connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE table_name = ? AND schema_name = 'main'", [table]
        ).fetchall()
        return ROW if found else None

    def _from(self, schema: Schema, row: str | None) -> Expression:
        return selection(schema, schema.name, row)

    def _read(self, connection: Any, rendered: Rendered, size: int) -> Batches:
        answer = connection.sql(rendered.sql, params=rendered.params or None)
        reader = answer.to_arrow_reader(size)
        empty = True
        try:
            for batch in reader:
                if batch.num_rows:
                    empty = False
                    yield to_table(batch, rendered.schema, rendered.constants)
            if empty:
                yield to_table(reader.schema.empty_table(), rendered.schema, rendered.constants)
        finally:
            reader.close()

    def _write(
        self, connection: Any, statements: Sequence[Statement], check: Callable[[Answers], None]
    ) -> Answers:
        import duckdb

        try:
            return self._transaction(connection, statements, check, together=True)
        except duckdb.Error as error:
            if len(statements) == 1:
                raise RecordError(0, error) from None
        return self._transaction(connection, statements, check, together=False)

    def _transaction(
        self,
        connection: Any,
        statements: Sequence[Statement],
        check: Callable[[Answers], None],
        together: bool,
    ) -> Answers:
        connection.begin()
        try:
            answers = _together(connection, statements) if together else _singly(connection, statements)
            check(answers)
            connection.commit()
        except BaseException:
            with suppress(Exception):  # a commit that failed has ended the transaction
                connection.rollback()
            raise
        return answers

    def _encode(self, value: Any, schema: Schema, name: str) -> Any:
        field = schema.field(name)
        assert field is not None
        if value is None:
            return None
        if is_text_only(field) or not fits(value, field.type.kind):
            raise misfit(name, value, field.type)
        return value.bytes if isinstance(value, UUID) and field.type.kind == "binary" else _aware(value)

    def _returned(self, schema: Schema) -> tuple[Returned, ...]:
        casts = ((field.name, dict(field.extra).get("read_as")) for field in schema.fields)
        return tuple(name if to is None else (name, to) for name, to in casts)

    def _kept(self, statement: Statement, rows: Sequence[tuple[Any, ...]], schema: Schema) -> None:
        decimals = [(i, f.name) for i, f in enumerate(schema.fields) if f.type.kind == "decimal"]
        for row in rows:
            for i, name in decimals:
                if statement.values.get(name, row[i]) != row[i]:
                    raise XRepoValidationError(f"column {name!r} keeps fewer digits", asked=name)

    def _decode(self, rows: Sequence[tuple[Any, ...]], schema: Schema) -> Table:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema.fields)
        series = [
            pl.Series(field.name, [_aware(v) for v in values], dtype=field.type.to_polars())
            for field, values in zip(schema.fields, columns, strict=True)
        ]
        return Table(frame=frame_of(series), schema=schema)

    def _is_inexact(self, error: Exception) -> bool:
        return data_failure(error) is not None

    def _translated(self, error: Exception) -> XRepoError | None:
        import duckdb

        if not isinstance(error, duckdb.Error):
            return None
        if isinstance(error, duckdb.ConstraintException):
            return _constraint(str(error))
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
            return self._of_binding(str(error))
        failure = failed_check(error)
        if failure is not None:
            return failure
        if isinstance(error, duckdb.TransactionException) and "onstraint" in str(error):
            return _constraint(str(error))
        if isinstance(error, duckdb.TransactionException):
            return XRepoConflictError("another writer changed the same records", hint="try again")
        if isinstance(error, duckdb.IOException | duckdb.ConnectionException | duckdb.FatalException):
            return XRepoConnectionError(f"{self.path.name}: lost or unreadable ({type(error).__name__})")
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return XRepoValidationError("a value does not fit the type of its column")
        if isinstance(error, duckdb.InvalidInputException) and "read-only" in str(error):
            return XRepoUnsupportedError(f"{self.path.name} is read-only", asked="write")
        return XRepoQueryError(f"{self.path.name}: the query failed ({type(error).__name__})")

    def _of_binding(self, text: str) -> XRepoError:
        """What is wrong with a statement that fits the tables no more, or never did."""
        if "generated column" in text:
            return XRepoValidationError(
                "a generated column takes no value", hint="leave it out: the database computes it"
            )
        if any(part in text for part in _OF_VIEWS):
            return XRepoUnsupportedError(
                f"{self.path.name}: a view takes no writes", asked="write", hint="write into its tables"
            )
        return XRepoQueryError(
            f"{self.path.name}: the query fits none of its tables",
            hint="a table may have changed since it was opened: open it again",
        )


_MAGIC = slice(8, 12)
"""Where a database of DuckDB says DUCK."""


def _hint(path: Path) -> str:
    """Why a file may not open: it is held by another process, or is none."""
    try:
        with path.open("rb") as file:
            is_one = file.read(_MAGIC.stop)[_MAGIC] == b"DUCK"
    except OSError:
        is_one = True
    if is_one:
        return "another process may hold it; read_only=True lets several read"
    return "it is no database of DuckDB; a file in another format opens by its own name"


def _constraint(text: str) -> XRepoError:
    """The broken constraint, without the values that DuckDB tells."""
    if "uplicate key" in text:
        return XRepoConflictError("a record with this key exists already")
    named = re.search(r"NOT NULL constraint failed: (\S+)", text)
    if named:
        return XRepoValidationError(f"NOT NULL constraint failed: {named[1]}")
    kind = next((k for k in ("CHECK", "foreign key") if k.casefold() in text.casefold()), "a")
    return XRepoValidationError(f"{kind} constraint failed")


def _aware(value: Any) -> Any:
    """Naive moments as UTC; DuckDB gives and takes nested values as Python's own."""
    if type(value).__name__ == "datetime" and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, list | tuple):
        return [_aware(item) for item in value]
    return {name: _aware(item) for name, item in value.items()} if isinstance(value, dict) else value


def _together(connection: Any, statements: Sequence[Statement]) -> Answers:
    """Insertions of the same columns as statements of many rows; others one by one."""
    answers: Answers = []
    for (sql, many), run in groupby(statements, key=lambda s: (s.sql, s.many)):
        items = list(run)
        size = 1 if many is None else _LISTED if _are_plain(items) else _CHUNK
        for start in range(0, len(items), size):
            part = items[start : start + size]
            rows = connection.execute(*_joined(sql, many, part, listed=size == _LISTED)).fetchall()
            answers += [[row] for row in rows] if many else [rows]
    return answers


def _joined(sql: str, many: Any, part: Sequence[Statement], listed: bool) -> tuple[str, list[Any]]:
    """The text of one statement for all of these, and what it binds: a list a column, or each value."""
    if many is None or len(part) == 1:
        return sql, [p for s in part for p in s.params]
    if listed:
        return insert_lists_sql(*many), [
            list(values) for values in zip(*(s.params for s in part), strict=True)
        ]
    return insert_sql(*many, rows=len(part)), [p for s in part for p in s.params]


def _are_plain(items: Sequence[Statement]) -> bool:
    """Whether the values of each column are of one type that a list keeps as it is."""
    columns = zip(*(s.params for s in items), strict=True)
    kinds = [{type(value) for value in column} - {type(None)} for column in columns]
    return bool(kinds) and all(len(found) <= 1 and found <= _PLAIN for found in kinds)


def _singly(connection: Any, statements: Sequence[Statement]) -> Answers:
    answers: Answers = []
    for at, statement in enumerate(statements):
        try:
            answers.append(connection.execute(statement.sql, list(statement.params)).fetchall())
        except Exception as error:
            raise RecordError(at, error) from None
    return answers
