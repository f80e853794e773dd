"""Parquet files, read lazily: filters and columns are pushed into the scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.base import Capabilities
from xrepo_nb.resources.files import FileResource, Format, LoadedFiles
from xrepo_nb.resources.remote import selected
from xrepo_nb.resources.storage import stored
from xrepo_nb.resources.tables import report_of
from xrepo_nb.resources.union import concat
from xrepo_nb.schema.schema import Schema

_MAGIC = b"PAR1"


class ParquetFormat(Format):
    """Parquet: types and row counts come from the footers, so no row is read to describe it."""

    name = "parquet"
    extensions: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def load(self, paths: Sequence[Path], union_by_name: bool = False) -> LoadedFiles:
        scans = [_scan(path) for path in paths]
        frame, notes = stored(_together(paths, scans, union_by_name))
        count: int = pl.concat([scan.select(pl.len()) for scan in scans]).sum().collect().item()
        schema = Schema.from_polars(frame.collect_schema())
        as_they_are = not union_by_name and not notes
        return LoadedFiles(
            frame, schema, report_of(schema, notes, count), tuple(paths) if as_they_are else ()
        )


class ParquetResource(FileResource):
    """Parquet files: one, a folder of them, or a pattern; read-only.

    >>> ParquetResource(file_path="data/flights.parquet")
    <ParquetResource data/flights.parquet>
    """

    connection_type = "parquet"
    capabilities = Capabilities(lazy=True)

    def __init__(
        self,
        file_path: str | Path | None = None,
        *,
        root: str | Path | None = None,
        pattern: str | Mapping[str, str] | None = None,
        union_by_name: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        files = selected(file_path, root, pattern, storage_options)
        super().__init__(files, [ParquetFormat()], name=name, union_by_name=union_by_name)


def _together(paths: Sequence[Path], scans: Sequence[pl.LazyFrame], union_by_name: bool) -> pl.LazyFrame:
    """The rows of all files; of ones with the same columns as one scan, which is planned once."""
    first, *others = (list(scan.collect_schema().items()) for scan in scans)
    if others and all(columns == first for columns in others):
        return _scanned(list(paths))
    return concat(paths, scans, union_by_name)


def _scanned(paths: Path | list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(paths, glob=False, hive_partitioning=False)


def _scan(path: Path) -> pl.LazyFrame:
    """The file, its footer checked."""
    _check_ends(path)
    try:
        frame = _scanned(path)
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise XRepoValidationError(
            f"file {path.name!r} is not readable as Parquet", asked=path.name
        ) from error
    return frame


def _check_ends(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(path.stat().st_size - 4, 0))
        tail = file.read(4)
    if head != _MAGIC:
        raise XRepoValidationError(
            f"file {path.name!r} is not a Parquet file: its first bytes are not PAR1",
            asked=path.name,
            hint="open it by its own format, as in ResourceFactory.create('csv', file_path=...)",
        )
    if tail != _MAGIC:
        raise XRepoValidationError(
            f"file {path.name!r} is truncated: the footer of the Parquet format is missing", asked=path.name
        )
