"""FileResource: what all file sources share, whatever the format."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import polars as pl

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoError,
    XRepoUnsupportedError,
)
from xrepo_nb.core.offload import offload
from xrepo_nb.resources.base import Capabilities, ScanRequest, XResource
from xrepo_nb.resources.paths import extension
from xrepo_nb.resources.remote import Selected
from xrepo_nb.resources.running import reading, run
from xrepo_nb.resources.selection import Stamp, one_of, stamp
from xrepo_nb.schema.redescribing import Untyped
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.schema.report import InferenceReport

OnError = Literal["raise", "report"]
ON_ERROR = get_args(OnError)
"""What becomes of rows that cannot be read: an error, or an entry in the report."""


@dataclass(frozen=True, slots=True)
class LoadedFiles:
    """A collection as its files are now: rows, mostly not yet read, and what inference saw."""

    rows: pl.DataFrame | pl.LazyFrame
    schema: Schema
    report: InferenceReport
    origin: tuple[Path, ...] = ()
    """The Parquet files that hold these rows as they are, if they come from such."""
    untyped: Untyped | None = None
    """The rows before all of them decided on the types, where they did."""

    def table(self, **described: Any) -> Table:
        """The rows, with the schema changed as the arguments say."""
        schema = self.schema.replace(**described)
        if isinstance(self.rows, pl.LazyFrame):
            return Table(
                lazy=self.rows,
                schema=schema,
                origin=self.origin,
                height=self.report.rows,
                untyped=self.untyped,
            )
        return Table(frame=self.rows, schema=schema, untyped=self.untyped)


class Format(ABC):
    """How files of one format are read. Immutable; its methods block."""

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]

    @abstractmethod
    def load(self, paths: Sequence[Path], union_by_name: bool = False) -> LoadedFiles:
        """The files as one collection, rows in the order of the paths.

        Their schemas must be equal; with `union_by_name` columns are matched by name, absent
        ones are null, and types widen where nothing is lost. Raises `XRepoValidationError`
        naming the file, and the column or line, where that cannot be.
        """


class FileResource(XResource):
    """Files as collections: read-only, looked at anew when they change.

    Remote ones, named by a URL, are read through copies on this machine: a file is fetched when its
    rows or types are first asked for, and again when what its server tells of it has changed.
    `reports` holds the `InferenceReport` of each collection that has been looked at. Nothing is
    read before it is asked for; what inference found is kept until a file's time, size or inode
    changes. Rows are scanned lazily, except where a format's page says that they are held.
    """

    capabilities = Capabilities(lazy=True, inferred=True)
    formats: tuple[Format, ...]

    def __init__(
        self,
        selection: Selected,
        formats: Sequence[Format],
        *,
        name: str | None = None,
        union_by_name: bool = False,
    ) -> None:
        self.name = name or selection.name
        self.formats = tuple(formats)
        self.reports: dict[str, InferenceReport] = {}
        self._selection = selection
        self._union_by_name = union_by_name
        self._tables: dict[str, tuple[Stamp, Table]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._connected = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._selection}>"

    async def connect(self) -> None:
        """Checks that the files are there. Raises `XRepoNotFoundError` when they are not."""
        await offload(self._files)
        self._connected = True

    async def close(self) -> None:
        """Forgets what was found in the files, and removes copies of remote ones."""
        self._connected = False
        self._tables.clear()
        await offload(self._selection.close)

    async def validate_connection(self) -> bool:
        """Whether it is connected and the files are still there."""
        try:
            await offload(self._files)
        except XRepoError:
            return False
        return self._connected

    async def list_collections_or_tables(self) -> list[str]:
        """The names of the collections, sorted: stems of files, or names of patterns."""
        return sorted(await offload(self._files))

    async def describe(self, collection: str | None = None) -> Schema:
        """The fields of the collection.

        Looks at all rows of text files (once, until they change) and at the footers of Parquet.
        Afterwards `reports[collection].rows` is the number of rows.
        """
        return (await offload(self._table, collection)).schema

    async def size_bytes(self, collection: str | None = None) -> int | None:
        """How many bytes the files of the collection have now."""
        files = await offload(self._files)
        return await offload(self._selection.size_bytes, files[one_of(files, collection)])

    async def table(self, collection: str | None = None) -> Table:
        """The collection as a lazy table, and its files, if they are Parquet and need no change."""
        return await offload(self._table, collection)

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        """The rows of the plan, in batches."""
        table = await offload(self._table, collection)
        with reading(table.schema.name):
            async with closing(run(request, table)) as batches:
                async for batch in batches:
                    yield batch

    def _files(self) -> Mapping[str, tuple[Any, ...]]:
        with _allowed():
            return self._selection.files([suffix for each in self.formats for suffix in each.extensions])

    def _table(self, collection: str | None) -> Table:
        files = self._files()
        name = one_of(files, collection)
        with self._locks[name], _allowed():
            paths = self._selection.local(files[name])
            found = stamp(paths)
            known = self._tables.get(name)
            if known is not None and known[0] == found:
                return known[1]
            loaded = self._format(paths).load(paths, self._union_by_name)
            table = loaded.table(name=name, source=_origin(paths))
            self._tables[name] = found, table
            self.reports[name] = loaded.report
            return table

    def _format(self, paths: Sequence[Path]) -> Format:
        """The one format of the files; a source of one format takes files of any name."""
        if len(self.formats) == 1:
            return self.formats[0]
        suffixes = sorted({extension(path) for path in paths})
        found = [format for format in self.formats if format.extensions and suffixes[0] in format.extensions]
        if not found or not set(suffixes) <= set(found[0].extensions):
            raise XRepoConfigurationError(
                f"the files of one collection must be of one format, not {', '.join(suffixes)}",
                exists=[format.name for format in self.formats],
                hint="name the format: ResourceFactory.create('csv', pattern=...)",
            )
        return found[0]

    def _unsupported(self, what: str) -> XRepoUnsupportedError:
        if what.endswith("records"):
            return XRepoUnsupportedError(
                f"{self.connection_type} files are read-only: this source cannot {what}",
                asked=what,
                hint="materialise it (materialized=True) and work on the copy",
            )
        return super()._unsupported(what)


@contextmanager
def _allowed() -> Iterator[None]:
    """Turns the operating system's refusal into ours."""
    try:
        yield
    except PermissionError as error:
        name = Path(error.filename or "").name
        raise XRepoConnectionError(f"file {name!r} may not be read by this process", asked=name) from error


def _origin(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{len(paths)} files"
