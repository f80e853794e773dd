"""Bad input: each raises its error, naming what was asked, what exists and what to do."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoError,
    XRepoNotFoundError,
    XRepoQueryError,
    XRepoValidationError,
)
from xrepo_nb.resources.factory import ResourceFactory, resource_for
from xrepo_nb.resources.memory import MemoryResource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good file of each format, and bad ones."""
    frame = pl.DataFrame({"id": [1, 2], "city": ["Rome", "Oslo"]})
    frame.write_csv(tmp_path / "cities.csv")
    frame.write_parquet(tmp_path / "cities.parquet")
    whole = (tmp_path / "cities.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-30])
    (tmp_path / "spoilt.parquet").write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])
    (tmp_path / "text.parquet").write_text("id,city\n1,Rome\n")
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "parquet.csv").write_bytes(whole)
    (tmp_path / "parquet.json").write_bytes(whole)
    (tmp_path / "broken.csv").write_text("id,city\n1,Rome\n2\n")
    (tmp_path / "broken.json").write_text('[{"id": 1},\n {"id": ]')
    (tmp_path / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00")
    (tmp_path / "latin.csv").write_bytes("id,city\n1,Malmö\n".encode("latin-1"))
    with sqlite3.connect(tmp_path / "planes.db") as connection:
        connection.execute("CREATE TABLE planes (id INTEGER PRIMARY KEY)")
    connection.close()
    (tmp_path / "planes.csv").write_bytes((tmp_path / "planes.db").read_bytes())
    (tmp_path / "secret.dat").write_text("x")
    return tmp_path


Do = Callable[[Path], Awaitable[Any]]


def read(name: str, **options: Any) -> Do:
    async def do(folder: Path) -> Any:
        return await resource_for(folder / name, **options).resource.query()

    return do


def ask(name: str, filters: dict[str, Any]) -> Do:
    async def do(folder: Path) -> Any:
        return await resource_for(folder / name).resource.query(filters)

    return do


def add(*records: dict[str, Any]) -> Do:
    async def do(folder: Path) -> Any:
        return await MemoryResource([{"id": 1}]).insert(None, records)

    return do


def make(name: str, **options: Any) -> Do:
    async def do(folder: Path) -> Any:
        return await asyncio.to_thread(ResourceFactory.create, name, **options)

    return do


BAD: dict[str, tuple[Do, type[XRepoError], str]] = {
    "unknown file": (
        read("citys.csv"),
        XRepoNotFoundError,
        r"'citys.csv' not found; there are: .*'cities.csv'",
    ),
    "unknown folder": (read("cty/a.csv"), XRepoNotFoundError, r"no file or folder 'cty'; there are: "),
    "pattern without files": (read("z*.csv"), XRepoNotFoundError, r"no file matches 'z\*.csv'; there are: "),
    "unknown format": (
        read("secret.dat"),
        XRepoConfigurationError,
        r"'secret.dat' is a file, .*create\('csv'",
    ),
    "csv called parquet": (
        read("text.parquet"),
        XRepoValidationError,
        r"'text.parquet' is not a Parquet file",
    ),
    "parquet called csv": (read("parquet.csv"), XRepoValidationError, r"'parquet.csv' is a Parquet file"),
    "parquet called json": (read("parquet.json"), XRepoValidationError, r"'parquet.json' is a Parquet file"),
    "database called csv": (read("planes.csv"), XRepoValidationError, r"is an SQLite database, not text"),
    "truncated parquet": (read("cut.parquet"), XRepoValidationError, r"'cut.parquet' is truncated"),
    "spoilt parquet": (read("spoilt.parquet"), XRepoValidationError, r"the rows of 'spoilt' cannot be read"),
    "empty parquet": (read("empty.parquet"), XRepoValidationError, r"'empty.parquet' is not a Parquet file"),
    "broken gzip": (read("cut.csv.gz"), XRepoValidationError, r"'cut.csv.gz' is cut off or damaged"),
    "broken csv line": (
        read("broken.csv"),
        XRepoValidationError,
        r"'broken.csv', line 3: 1 field instead of 2",
    ),
    "wrong encoding": (read("latin.csv"), XRepoValidationError, r"'latin.csv', line 2: not valid UTF-8"),
    "wrong other encoding": (
        read("latin.csv", encoding="ascii"),
        XRepoValidationError,
        r"'latin.csv'.*line 2",
    ),
    "no encoding": (
        read("latin.csv", encoding="latin-99"),
        XRepoConfigurationError,
        r"unknown encoding 'latin-99'",
    ),
    "unreadable json": (read("broken.json"), XRepoValidationError, r"'broken.json'.*line 2, column 9"),
    "unknown field": (
        ask("cities.csv", {"ctiy": 1}),
        XRepoQueryError,
        r"'ctiy'.*there are: id, city.*'city'",
    ),
    "unknown operator": (
        ask("cities.csv", {"id": {"$gtt": 1}}),
        XRepoQueryError,
        r"\$gtt.*did you mean '\$gte?'",
    ),
    "wrong type in a filter": (ask("cities.csv", {"id": {"$in": 1}}), XRepoQueryError, r"\$in.*"),
    "value of a wrong type": (ask("cities.csv", {"id": "x"}), XRepoQueryError, r"'id' holds int, .*string"),
    "negative limit": (
        lambda folder: resource_for(folder / "cities.csv").resource.query(limit=-1),
        XRepoQueryError,
        "negative",
    ),
    "duplicate id": (add({"id": 2}, {"id": 1}), XRepoConflictError, r"a record with this id exists"),
    "missing key": (add({"name": "x"}), XRepoValidationError, r"needs a value for its key id"),
    "unknown kind": (make("cvs"), XRepoConfigurationError, r"'cvs'; there are: csv, .*did you mean 'csv'"),
    "server not there yet": (
        make("mongodb", connection_string="x"),
        XRepoConfigurationError,
        r"'mongodb'; there are",
    ),
    "unknown option": (
        make("csv", path="a.csv"),
        XRepoConfigurationError,
        r"no option 'path'; there are: file_path",
    ),
    "too long a separator": (
        read("cities.csv", separator="||"),
        XRepoConfigurationError,
        r"separator must be one",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_named(case: str, folder: Path) -> None:
    do, error, message = BAD[case]
    with pytest.raises(error, match=f"(?s){message}") as caught:
        await do(folder)
    assert type(caught.value) is error
    assert str(folder) not in str(caught.value)


async def test_nothing_of_a_refused_file_is_served(folder: Path) -> None:
    source = resource_for(folder / "broken.csv").resource
    for _ in range(2):
        with pytest.raises(XRepoValidationError):
            await source.query()
    assert source.reports == {}  # type: ignore[attr-defined]
