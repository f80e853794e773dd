"""The dialects, by name."""

from __future__ import annotations

from functools import lru_cache

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.engines.sql.dialects.base import Dialect
from xrepo_nb.engines.sql.dialects.duckdb import DuckDB
from xrepo_nb.engines.sql.dialects.mysql import MySQL
from xrepo_nb.engines.sql.dialects.postgres import Postgres
from xrepo_nb.engines.sql.dialects.sqlite import SQLite

DIALECTS: dict[str, type[Dialect]] = {d.name: d for d in (DuckDB, SQLite, Postgres, MySQL)}


@lru_cache
def dialect(name: str) -> Dialect:
    """The dialect of that name."""
    if name not in DIALECTS:
        raise XRepoConfigurationError(f"unknown SQL dialect {name!r}", asked=name, exists=DIALECTS)
    return DIALECTS[name]()
