"""Files that break the reader beneath: each is an error of ours, or is read exactly."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import XRepoConfigurationError, XRepoConnectionError, XRepoNotFoundError, XRepoValidationError


async def rows(path: Path, **options: Any) -> list[dict[str, Any]]:
    """What the file holds."""
    repo = await xr.open(path, model=False, register=False, **options)
    return list(await repo.list())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a,b\r1,2\r3,4\r", "line 1 is no header: it has carriage returns"),
        ("a.csv", "x" * 200_000, "line 1 is no header: it is too long"),
        ("a.csv", "\n", "line 1 is no header: it is blank"),
        ("a.json", f'[{{"a": {"1" * 5000}}}]', "an integer of too many digits"),
        ("a.ndjson", f'{{"a": 1}}\n{{"a": {"1" * 5000}}}\n', "line 2: an integer of too many digits"),
        ("a.json", '[{"a": -1e400}]', "a number beyond those that a float holds"),
        ("a.ndjson", '{"a": 1e400}\n', "line 1: a number beyond those that a float holds"),
        ("a.json", '[{"a": 1, "b": 2, "a": 3}]', "the name 'a' comes twice in an object"),
        (
            "a.ndjson",
            '[{"a": 1}]\n',
            "line 1: an array where .*Hint: an array of documents is JSON",
        ),
    ],
)
async def test_text_that_no_reader_takes(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(XRepoValidationError, match=message):
        await rows(tmp_path / name)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
async def test_another_encoding_is_hinted_at(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(XRepoValidationError, match=r"line 1: not valid UTF-8\. Hint: .*encoding='latin-1'"):
        await rows(tmp_path / name)
    assert await rows(tmp_path / name, encoding="latin-1") == [{"a": "é"}]


async def test_a_number_that_a_float_holds_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1e308, "b": 1.5, "c": 123456789012345678901234567890}]')
    assert await rows(tmp_path / "a.json") == [{"a": 1e308, "b": 1.5, "c": 123456789012345678901234567890}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "skip"}, "on_error cannot be 'skip'; there are: raise, report"),
        ({"separator": ""}, "separator must be one ASCII character"),
        ({"separator": 3}, "separator must be one ASCII character"),
        ({"null_values": 3}, "null_values is a list of texts"),
        ({"columns": [1, 2]}, "columns is a list of texts"),
    ],
)
async def test_options_that_nobody_reads(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(XRepoConfigurationError, match=message):
        await rows(tmp_path / "a.csv", **options)


async def test_an_outcome_of_broken_documents_that_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(XRepoConfigurationError, match="on_error cannot be 'ignore'"):
        await rows(tmp_path / "a.json", on_error="ignore")


async def test_a_database_without_tables_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with pytest.raises(XRepoNotFoundError, match=r"a\.db holds no tables"):
        await rows(tmp_path / "a.db")


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_text("hello, this is text")
    with pytest.raises(XRepoConnectionError, match=r"Hint: it is no database of DuckDB"):
        await rows(tmp_path / "a.duckdb")


async def test_a_device_is_no_file() -> None:
    with pytest.raises(XRepoConfigurationError, match="'null' is no ordinary file"):
        await rows(Path("/dev/null"))


async def test_a_column_of_no_name_is_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, "" TEXT, made DATETIME)')
        connection.execute("INSERT INTO t VALUES (1, 'x', '2024-05-01 12:00:00')")
    connection.close()
    (row,) = await rows(tmp_path / "a.db")
    assert row == {"id": 1, "": "x", "made": datetime(2024, 5, 1, 12, tzinfo=UTC)}
