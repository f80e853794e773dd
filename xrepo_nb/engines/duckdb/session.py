"""Locked DuckDB instances in memory: no network, no files but those they are given."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from xrepo_nb.core.settings import XSettings, settings
from xrepo_nb.engines.document.meter import remaining
from xrepo_nb.schema.table import Table


class Instance:
    """A DuckDB of its own within the limits of the settings.

    It spills into a folder that goes with it, at the latest when the process ends.
    """

    def __init__(self, chosen: XSettings, paths: Sequence[str] = ()) -> None:
        import duckdb

        spill = tempfile.mkdtemp(prefix="xrepo-spill-", dir=chosen.spill_directory)
        config: dict[str, Any] = {
            "memory_limit": chosen.memory_limit,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if chosen.threads is not None:
            config["threads"] = chosen.threads
        try:
            self.connection = duckdb.connect(":memory:", config=config)
            _lock(self.connection, paths)
        except BaseException:
            shutil.rmtree(spill, ignore_errors=True)
            raise
        self.close = weakref.finalize(self, _end, self.connection, spill)


def _lock(connection: Any, paths: Sequence[str]) -> None:
    from sqlglot import exp

    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    if paths:
        listed = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
        connection.execute(f"SET allowed_paths = {listed.sql('duckdb')}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _end(connection: Any, spill: str) -> None:
    connection.close()
    shutil.rmtree(spill, ignore_errors=True)


@lru_cache(maxsize=1)
def _shared(chosen: XSettings) -> Instance:
    """The instance of all queries over rows in memory, anew for other settings: opening costs 40 ms."""
    return Instance(chosen)


@contextmanager
def session(tables: Sequence[Table]) -> Iterator[Any]:
    """A connection that may read the tables' own files and no others."""
    paths = [path for table in tables for path in origin(table)]
    instance = Instance(settings(), paths) if paths else _shared(settings())
    try:
        connection = instance.connection.cursor()
        try:
            yield connection
        finally:
            connection.close()
    finally:
        if paths:
            instance.close()


@contextmanager
def ending(connection: Any) -> Iterator[None]:
    """Interrupts what the connection runs when the query has no time left."""
    done = threading.Event()
    watch = threading.Thread(target=_interrupting, args=(connection, done, remaining()), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _interrupting(connection: Any, done: threading.Event, seconds: float) -> None:
    """Interrupts until it is done: what meets no statement under way is lost."""
    overdue = done.wait(seconds) is False
    while overdue and not done.wait(0.05):
        connection.interrupt()


def origin(table: Table) -> tuple[str, ...]:
    """The Parquet files whose rows the table holds, none if they are in memory."""
    return tuple(str(path) for path in table.origin) if table.is_lazy else ()
