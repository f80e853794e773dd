"""Database files of tests: DuckDB's by the ending `.duckdb`, else SQLite's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb


def connect(path: Path) -> Any:
    """A connection of the driver."""
    return duckdb.connect(str(path)) if path.suffix == ".duckdb" else sqlite3.connect(path)


def database(path: Path, script: str, **rows: Iterable[Iterable[Any]]) -> Path:
    """The file after the statements of the script, and with rows added to the tables of those names."""
    connection = connect(path)
    for statement in filter(str.strip, script.split(";")):
        connection.execute(statement)
    for table, values in rows.items():
        if given := list(map(tuple, values)):
            places = ", ".join("?" * len(given[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", given)
    connection.commit()
    connection.close()
    return path
