"""One locked DuckDB instance in memory a query: no network, no files but those it is given."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xrepo_nb.core.settings import settings
from xrepo_nb.schema.table import Table


@contextmanager
def session(tables: Sequence[Table]) -> Iterator[Any]:
    """A connection that may read the tables' own files; it spills into a folder that goes with it."""
    import duckdb

    chosen = settings()
    spill = Path(tempfile.mkdtemp(prefix="xrepo-spill-", dir=chosen.spill_directory))
    config: dict[str, Any] = {
        "memory_limit": chosen.memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if chosen.threads is not None:
        config["threads"] = chosen.threads
    try:
        connection = duckdb.connect(":memory:", config=config)
        try:
            _lock(connection, [path for table in tables for path in origin(table)])
            yield connection
        finally:
            connection.close()
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def origin(table: Table) -> tuple[str, ...]:
    """The Parquet files whose rows the table holds, none if they are in memory."""
    return tuple(str(path) for path in table.origin) if table.is_lazy else ()


def _lock(connection: Any, paths: Sequence[str]) -> None:
    from sqlglot import exp

    connection.execute("SET TimeZone = 'UTC'")
    if paths:
        listed = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
        connection.execute(f"SET allowed_paths = {listed.sql('duckdb')}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
