"""CSV files, read lazily once their lines and types are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoValidationError, chosen, texts
from xrepo_nb.resources.bytes import is_plain
from xrepo_nb.resources.csv_lines import Dialect, Lines, check_lines, good_lines
from xrepo_nb.resources.csv_types import (
    DATES,
    NUMBERS,
    TEXT,
    Reading,
    count_readings,
    decide,
    described,
    of_text,
    typed,
)
from xrepo_nb.resources.files import ON_ERROR, FileResource, Format, LoadedFiles, OnError
from xrepo_nb.resources.paths import extension
from xrepo_nb.resources.remote import selected
from xrepo_nb.resources.union import aligned, require_equal
from xrepo_nb.schema.report import Rejected


@dataclass(frozen=True)
class CSVFormat(Format):
    """CSV: every line is checked and every value looked at before a type is decided."""

    name: ClassVar[str] = "csv"
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab")

    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    has_header: bool = True
    columns: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = ()
    try_parse_dates: bool = True
    on_error: OnError = "raise"

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The types to try, in order."""
        return NUMBERS + DATES if self.try_parse_dates else NUMBERS

    def load(self, paths: Sequence[Path], union_by_name: bool = False) -> LoadedFiles:
        parts = [_Part(self, path) for path in paths]
        if not union_by_name:
            require_equal(paths, [part.kinds for part in parts])
        names = list(dict.fromkeys(name for part in parts for name in part.names))
        counts = [sum((part.counts.get(name, Counter()) for part in parts), Counter()) for name in names]
        readings = {n: decide(c, self.readings) for n, c in zip(names, counts, strict=True)}
        rows = sum(part.rows for part in parts)
        schema, report = described(names, counts, list(readings.values()), rows)
        report.rejected = [row for part in parts for row in part.rejected(named=len(parts) > 1)]
        frames = [aligned(part.frame(readings), schema.to_polars()) for part in parts]
        text = pl.concat([aligned(part.text, dict.fromkeys(names, pl.String())) for part in parts])
        untyped = of_text(text, readings, self.readings)
        return LoadedFiles(pl.concat(frames), schema, report, untyped=untyped)

    def dialect(self, path: Path) -> Dialect:
        """How that file is written: with tabs between the fields if its name says so."""
        usual = "\t" if extension(path) in (".tsv", ".tab") else ","
        return Dialect(
            usual if self.separator is None else self.separator, self.quote, self.encoding, self.has_header
        )


class _Part:
    """One file: its lines checked, its values counted."""

    def __init__(self, format: CSVFormat, path: Path) -> None:
        self._format, self._path, self._dialect = format, path, format.dialect(path)
        self._lines = check_lines(path, self._dialect)
        if self._lines.rejected and format.on_error == "raise":
            raise _broken(path, self._lines)
        self.names = self._renamed(format.columns)
        if format.separator is None and len(self.names) == 1:
            _refuse_other_separator(path, self.names[0], self._dialect.separator)
        whole = not self._lines.rejected and not self._lines.blank
        as_is = whole and is_plain(path, self._dialect.encoding)
        self._source = path if as_is else good_lines(path, self._dialect, self._lines)
        self.text = self._scan(dict.fromkeys(self.names, TEXT))
        self.rows, self.counts = count_readings(self.text, format.readings)

    @property
    def kinds(self) -> dict[str, str]:
        """The type of each column, by this file alone."""
        return {name: decide(count, self._format.readings).kind for name, count in self.counts.items()}

    def rejected(self, *, named: bool) -> list[Rejected]:
        """The lines that are no rows; `named` tells the file too."""
        prefix = f"{self._path.name}: " if named else ""
        return [Rejected(line, prefix + reason) for line, reason in sorted(self._lines.rejected.items())]

    def frame(self, readings: Mapping[str, Reading]) -> pl.LazyFrame:
        """The rows, each column by its reading."""
        own = {name: readings[name] for name in self.names}
        return typed(self._scan(own), own)

    def _scan(self, readings: Mapping[str, Reading]) -> pl.LazyFrame:
        return pl.scan_csv(
            self._source,
            separator=self._dialect.separator,
            quote_char=self._dialect.quote,
            null_values=list(self._format.null_values) or None,
            schema={name: reading.dtype for name, reading in readings.items()},
            has_header=False,
            skip_lines=self._lines.header_lines,
            raise_if_empty=False,
            glob=False,
        )

    def _renamed(self, columns: tuple[str, ...] | None) -> tuple[str, ...]:
        found = self._lines.names
        if columns is not None and len(columns) != len(found):
            raise XRepoConfigurationError(
                f"{len(columns)} column names for the {len(found)} columns of {self._path.name!r}",
                asked=", ".join(columns),
                exists=found,
            )
        names = columns or found
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise XRepoValidationError(
                f"file {self._path.name!r} has two columns named {twice!r}",
                asked=twice,
                hint="name the columns yourself: columns=[...]",
            )
        return names


def _broken(path: Path, lines: Lines) -> XRepoValidationError:
    line, reason = min(lines.rejected.items())
    more = len(lines.rejected) - 1
    return XRepoValidationError(
        f"file {path.name!r}, line {line}: {reason}" + (f" (and {more} more broken lines)" if more else ""),
        asked=path.name,
        hint=("is it in another encoding, as encoding='latin-1'? " if "UTF-8" in reason else "")
        + "on_error='report' loads the other rows and lists the broken ones",
    )


def _refuse_other_separator(path: Path, header: str, separator: str) -> None:
    """One column whose name holds another usual separator is a file read the wrong way."""
    found = next((mark for mark in ";\t|," if mark in header and mark != separator), None)
    if found is not None:
        raise XRepoValidationError(
            f"file {path.name!r} has one column, {header!r}, when separated by {separator!r}",
            asked=path.name,
            hint=f"say how it is separated: separator={found!r}, or separator={separator!r} if it is",
        )


class CSVResource(FileResource):
    """CSV files: one, a folder of them, or a pattern; read-only.

    A column is int, float, bool, date or datetime when every value of it is, exactly;
    otherwise text: so are codes with leading zeros, and integers too long for a number. Dates
    and datetimes are ISO 8601, naive ones taken as UTC; `try_parse_dates=False` leaves them
    text. Empty fields and `null_values` are null, `""` is the empty text. `.gz` and `.zst` are
    read as they are.

    A line with another number of fields, an unclosed quote or text that is not in `encoding`
    raises `XRepoValidationError`; with `on_error="report"` the other rows load, and
    `resource.reports[collection].rejected` lists the broken lines. Looking at the file costs
    two passes over it; afterwards it is scanned lazily. A file with broken or blank lines, or
    in another encoding than UTF-8, is held in memory.

    >>> CSVResource(file_path="data/products.csv")
    <CSVResource data/products.csv>
    """

    connection_type = "csv"

    def __init__(
        self,
        file_path: str | Path | None = None,
        *,
        root: str | Path | None = None,
        pattern: str | Mapping[str, str] | None = None,
        union_by_name: bool = False,
        separator: str | None = None,
        quote: str | None = '"',
        encoding: str = "utf-8",
        has_header: bool = True,
        columns: Sequence[str] | None = None,
        null_values: str | Sequence[str] = (),
        try_parse_dates: bool = True,
        on_error: OnError = "raise",
        storage_options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        format = CSVFormat(
            separator,
            quote,
            encoding,
            has_header,
            texts("columns", columns) if columns is not None else None,
            texts("null_values", null_values),
            try_parse_dates,
            chosen("on_error", on_error, ON_ERROR),
        )
        files = selected(file_path, root, pattern, storage_options)
        super().__init__(files, [format], name=name, union_by_name=union_by_name)
