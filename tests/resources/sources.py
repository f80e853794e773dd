"""The capability table: every source that ships, how a test makes one, and what it cannot do.

A new source is one row here. A gap names a check of `test_contract.py` and the reason; the check
must then fail, so that a gap which is mended has to leave the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.databases import database
from xrepo_nb.core.offload import offload
from xrepo_nb.query.plan import Plan
from xrepo_nb.resources.base import ScanRequest, XResource
from xrepo_nb.resources.factory import ResourceFactory

COLLECTION = "people"

PEOPLE: list[dict[str, Any]] = [
    {"id": 1, "name": "Ada", "score": 1.5, "active": True, "n": 10, "code": "007"},
    {"id": 2, "name": "ada", "score": None, "active": False, "n": 0, "code": "7"},
    {"id": 3, "name": "", "score": 2.0, "active": None, "n": -3, "code": "0"},
    {"id": 4, "name": None, "score": -0.5, "active": True, "n": None, "code": None},
    {"id": 5, "name": "Zoë", "score": 2.0, "active": False, "n": 1, "code": "x y"},
    {"id": 6, "name": "Ada Lovelace", "score": 100.25, "active": None, "n": 2**53 + 1, "code": "1.0"},
    {"id": 7, "name": "50% _ *", "score": 0.0, "active": True, "n": 7, "code": "true"},
]

KINDS = {"id": "int", "name": "string", "score": "float", "active": "bool", "n": "int", "code": "string"}

Make = Callable[[Path], XResource]


@dataclass(frozen=True)
class Source:
    """One row of the table."""

    make: Make
    """Makes a source whose collection `people` holds `PEOPLE`, in an empty folder."""
    writes: bool = False
    """Whether records can be added, changed and removed."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """What it cannot do, by the name of the check, with the reason."""


def _frame() -> pl.DataFrame:
    return pl.DataFrame(PEOPLE, infer_schema_length=None)


def _file(name: str, write: Callable[[pl.DataFrame, Path], object]) -> Make:
    def make(folder: Path) -> XResource:
        path = folder / f"{COLLECTION}.{name}"
        write(_frame(), path)
        return ResourceFactory.create(name, file_path=path)

    return make


def _folder(folder: Path) -> XResource:
    _frame().write_parquet(folder / f"{COLLECTION}.parquet")
    pl.DataFrame({"x": [1]}).write_csv(folder / "other.csv")
    return ResourceFactory.create("folder", root=folder)


def _memory(folder: Path) -> XResource:
    return ResourceFactory.create("memory", data={COLLECTION: PEOPLE})


_TABLE = (
    f"CREATE TABLE {COLLECTION} (id INTEGER PRIMARY KEY, name {{text}}, score {{float}}, active BOOLEAN,"
    " n BIGINT, code {text})"
)
_ROWS = {COLLECTION: [row.values() for row in PEOPLE]}


def _sqlite(folder: Path) -> XResource:
    path = database(folder / "a.db", _TABLE.format(text="TEXT", float="REAL"), **_ROWS)
    return ResourceFactory.create("sqlite", file_path=path)


def _duckdb(folder: Path) -> XResource:
    path = database(folder / "a.duckdb", _TABLE.format(text="VARCHAR", float="DOUBLE"), **_ROWS)
    return ResourceFactory.create("duckdb", file_path=path)


SOURCES: dict[str, Source] = {
    "csv": Source(_file("csv", pl.DataFrame.write_csv)),
    "json": Source(_file("json", pl.DataFrame.write_json)),
    "ndjson": Source(_file("ndjson", pl.DataFrame.write_ndjson)),
    "parquet": Source(_file("parquet", pl.DataFrame.write_parquet)),
    "folder": Source(_folder),
    "memory": Source(_memory, writes=True),
    "sqlite": Source(_sqlite, writes=True),
    "duckdb": Source(_duckdb, writes=True),
}


async def rows(resource: XResource, plan: Plan, collection: str = "items") -> list[dict[str, Any]]:
    """The rows of a plan that a source runs, read in batches of two."""
    request = ScanRequest(plan, batch_size=2)
    tables = [table async for table in resource.scan(collection, request)]
    return await offload(lambda: [row for table in tables for row in table.documents])
