"""What holds for files of every format: names, patterns, unions, change, the event loop."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from blockbuster import BlockBuster

from tests.resources.conftest import Write
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError, XRepoValidationError
from xrepo_nb.resources.csv import CSVResource
from xrepo_nb.resources.files import FileResource
from xrepo_nb.resources.folder import FolderResource
from xrepo_nb.resources.ndjson import NDJSONResource
from xrepo_nb.resources.parquet import ParquetResource


def saved(frame: pl.DataFrame, folder: Path, name: str) -> Path:
    """The frame as files of every format."""
    frame.write_csv(folder / f"{name}.csv")
    frame.write_json(folder / f"{name}.json")
    frame.write_ndjson(folder / f"{name}.ndjson")
    frame.write_parquet(folder / f"{name}.parquet")
    return folder


async def test_a_folder_names_files_by_stem_and_twins_by_extension(tmp_path: Path, write: Write) -> None:
    saved(pl.DataFrame({"x": [1]}), tmp_path, "twin")
    write("one.csv", "x\n1\n")
    write(".hidden.csv", "x\n1\n")
    write("notes.txt", "hello")
    source = FolderResource(tmp_path)
    names = ["one", "twin.csv", "twin.json", "twin.ndjson", "twin.parquet"]
    assert await source.list_collections_or_tables() == names
    for name in names:
        assert await source.query(collection=name) == [{"x": 1}]
    with pytest.raises(XRepoConfigurationError, match=r"several collections; there are: one.*collection="):
        await source.describe()


async def test_a_pattern_is_one_collection(write: Write, tmp_path: Path) -> None:
    write("2024-a.csv", "x,y\n1,u\n")
    write("2024-b.csv", "y,x\nv,2\n")
    source = CSVResource(tmp_path / "2024-*.csv")
    assert await source.list_collections_or_tables() == ["2024"]
    assert await source.query() == [{"x": 1, "y": "u"}, {"x": 2, "y": "v"}]
    several = CSVResource(root=tmp_path, pattern={"a": "*-a.csv", "b": "*-b.csv"})
    assert await several.query(collection="b") == [{"y": "v", "x": 2}]


@pytest.mark.parametrize("format", [CSVResource, NDJSONResource, ParquetResource])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"a": [1]}, "'2.{0}' lacks column 'b'"),
        ({"a": [1], "b": [1.5], "c": [1]}, "'2.{0}' has a column 'c'"),
        ({"a": ["x"], "b": [1.5]}, "column 'a' is .*tring in '2.{0}', but .*nt.* in '1.{0}'"),
    ],
)
async def test_files_that_differ_are_named_with_the_column(
    tmp_path: Path, format: type[FileResource], second: dict[str, list[object]], message: str
) -> None:
    saved(pl.DataFrame({"a": [1], "b": [0.5]}), tmp_path, "1")
    saved(pl.DataFrame(second), tmp_path, "2")
    suffix = format.connection_type
    source = format(root=tmp_path, pattern=f"*.{suffix}")  # type: ignore[call-arg]
    with pytest.raises(XRepoValidationError, match=message.format(suffix) + ".*union_by_name=True"):
        await source.describe()


@pytest.mark.parametrize("format", [CSVResource, NDJSONResource, ParquetResource])
async def test_union_by_name_fills_with_nulls(tmp_path: Path, format: type[FileResource]) -> None:
    saved(pl.DataFrame({"a": [1], "b": [0.5]}), tmp_path, "1")
    saved(pl.DataFrame({"c": ["x"], "a": [2]}), tmp_path, "2")
    suffix = format.connection_type
    source = format(root=tmp_path, pattern=f"*.{suffix}", union_by_name=True)  # type: ignore[call-arg]
    frame = (await source.table()).lazy.collect().select("a", "b", "c")
    assert frame.rows() == [(1, 0.5, None), (2, None, "x")]


async def test_parquet_types_widen_only_without_loss(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}, schema={"a": pl.Int16}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": [2]}, schema={"a": pl.Int64}).write_parquet(tmp_path / "2.parquet")
    source = ParquetResource(tmp_path / "*.parquet", union_by_name=True)
    assert await source.query() == [{"a": 1}, {"a": 2}]
    pl.DataFrame({"a": [2**64 - 1]}, schema={"a": pl.UInt64}).write_parquet(tmp_path / "3.parquet")
    with pytest.raises(XRepoValidationError, match="column 'a'"):
        await ParquetResource(tmp_path / "*.parquet", union_by_name=True).describe()


async def test_a_changed_file_is_read_anew(write: Write) -> None:
    source = CSVResource(write("a.csv", "x\n1\n"))
    assert await source.query() == [{"x": 1}]
    write("a.csv", "x\none\n")
    assert await source.query() == [{"x": "one"}]
    path = write("a.csv", "y\n1\n")
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert await source.query() == [{"y": 1}]
    path.unlink()
    with pytest.raises(XRepoNotFoundError):
        await source.query()


async def test_an_unchanged_file_is_looked_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CSVResource(write("a.csv", "x\n1\n"))
    await source.describe()
    monkeypatch.setattr("xrepo_nb.resources.csv.check_lines", None)
    assert await source.query() == [{"x": 1}]
    await source.close()
    with pytest.raises(TypeError):
        await source.query()


async def test_nothing_blocks_the_loop(tmp_path: Path, unblocked: BlockBuster) -> None:
    unblocked.deactivate()
    saved(pl.DataFrame({"x": [1, 2]}), tmp_path, "a")
    unblocked.activate()
    for name in ("a.csv", "a.json", "a.ndjson", "a.parquet"):
        source = FolderResource(tmp_path)
        await source.connect()
        assert await source.validate_connection()
        await source.describe(name)
        assert await source.query({"x": 2}, collection=name) == [{"x": 2}]
        await source.close()
        assert not await source.validate_connection()


async def test_parquet_of_any_dtype_is_brought_to_storage(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a"], dtype=pl.Categorical),
            "naive": pl.Series(["2024-01-01"]).str.to_datetime(time_unit="ns"),
            "berlin": pl.Series(["2024-01-01"]).str.to_datetime().dt.replace_time_zone("Europe/Berlin"),
            "nested": [[{"kind": "x", "n": 1}]],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    source = ParquetResource(tmp_path / "a.parquet")
    (row,) = await source.query()
    assert row["category"] == "a" and row["nested"] == [{"kind": "x", "n": 1}]
    assert row["naive"].isoformat() == "2024-01-01T00:00:00+00:00"
    assert row["berlin"].isoformat() == "2023-12-31T23:00:00+00:00"
    changed = {f.path: list(f.coerced) for f in source.reports["a"] if f.coerced}
    assert changed == {"naive": ["taken as UTC, nanoseconds cut to microseconds"]}


async def test_a_name_that_looks_like_a_pattern(write: Write) -> None:
    assert await CSVResource(write("a[1].csv", "x\n1\n")).query() == [{"x": 1}]
