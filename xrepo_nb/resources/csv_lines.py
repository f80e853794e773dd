"""The lines of a CSV file: its header, and which lines are no rows, and why.

A vectorised look at each block of lines shows that all is well, which it mostly is; a block in
doubt is read record by record.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoValidationError, counted
from xrepo_nb.resources.bytes import line_blocks

_LONGEST = 1 << 16
"""Lines that one quoted field may span; past it a quote counts as unclosed."""
_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written."""

    separator: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"
    has_header: bool = True

    def __post_init__(self) -> None:
        for name in ("separator", "quote"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and len(value) == 1 and value.isascii()):
                raise XRepoConfigurationError(f"{name} must be one ASCII character", asked=repr(value))


@dataclass(slots=True)
class Lines:
    """What a pass over the lines found; lines count from 1."""

    names: tuple[str, ...]
    header_lines: int
    rejected: dict[int, str] = field(default_factory=dict)
    blank: set[int] = field(default_factory=set)


def check_lines(path: Path, dialect: Dialect) -> Lines:
    """Reads the whole file once, in blocks, and tells its header and its broken lines.

    Raises `XRepoValidationError` where there is no header to go by.
    """
    checker: _Checker | None = None
    for block in line_blocks(path, dialect.encoding):
        if checker is None:
            checker = _Checker(path, dialect, block)
        checker.feed(block)
    if checker is None:
        raise XRepoValidationError(f"file {path.name!r} is empty: it has no header", asked=path.name)
    checker.finish()
    return checker.found


def good_lines(path: Path, dialect: Dialect, found: Lines) -> bytes:
    """The file in UTF-8 without its rejected and blank lines, held in memory."""
    left_out = found.rejected.keys() | found.blank
    kept, number = [], 0
    for block in line_blocks(path, dialect.encoding):
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number not in left_out:
                kept.append(line)
    return b"\n".join(kept)


class _Checker:
    """Goes through the blocks of one file and keeps what is open at a block's end."""

    def __init__(self, path: Path, dialect: Dialect, first: bytes) -> None:
        self._quote, self._separator = dialect.quote, dialect.separator
        quote, separator = re.escape(dialect.quote or '"'), re.escape(dialect.separator)
        self._quoted = f"{quote}[^{quote}]*{quote}"
        self._stray = f"[^{quote}{separator}\n]{quote}|{quote}[^{quote}{separator}\n]"
        self._open: list[str | None] = []
        self._number = 1
        self._width = 0
        self.found = self._header(path, dialect, first)

    def _header(self, path: Path, dialect: Dialect, block: bytes) -> Lines:
        lines = _decoded(block[:_HEADER])
        record = lines[: self._end(lines, 0) or 1]
        try:
            names = self._fields("\n".join(line or "" for line in record))
        except csv.Error as error:
            raise _headless(path, _CSV_ERRORS.get(str(error)[:13], str(error))) from None
        self._width = len(names)
        reason = self._fault(record) or ("it has carriage returns" if "\r" in "".join(names) else None)
        if not names or reason is not None:
            raise _headless(path, reason if names and reason else "it is blank")
        if not dialect.has_header:
            return Lines(tuple(f"column_{i + 1}" for i in range(len(names))), 0)
        return Lines(tuple(name or f"column_{i + 1}" for i, name in enumerate(names)), len(record))

    def _fields(self, record: str) -> list[str]:
        quoting: Literal[0, 3] = csv.QUOTE_NONE if self._quote is None else csv.QUOTE_MINIMAL
        rows = csv.reader([record], delimiter=self._separator, quotechar=self._quote or '"', quoting=quoting)
        return next(rows, [])

    def feed(self, block: bytes) -> None:
        """Looks at one block of whole lines."""
        if not self._open and self._all_well(block):
            self._number += block.count(b"\n") + (not block.endswith(b"\n"))
            return
        self._open += _decoded(block)
        self._read(last=False)

    def finish(self) -> None:
        """Looks at what is still open."""
        self._read(last=True)

    def _all_well(self, block: bytes) -> bool:
        try:
            text = block.decode()
        except UnicodeDecodeError:
            return False
        lines = pl.Series(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))
        if self._quote is not None and self._quote in text:
            if (lines.str.count_matches(self._quote, literal=True) % 2 != 0).any():
                return False
            lines = lines.str.replace_all(self._quoted, self._quote)
            if lines.str.contains(self._stray).any():
                return False
        return bool((lines.str.count_matches(self._separator, literal=True) == self._width - 1).all())

    def _read(self, *, last: bool) -> None:
        """Judges the open lines record by record; after a broken one it goes on at the next line."""
        lines, at = self._open, 0
        while at < len(lines):
            end = self._end(lines, at)
            if end is None and not last and len(lines) - at < _LONGEST:
                break
            reason = self._fault(lines[at:end]) if end else "a quote is opened and not closed"
            if reason == "":
                self.found.blank.add(self._number + at)
            elif reason is not None:
                self.found.rejected[self._number + at] = reason
            at = end if end and reason is None else at + 1
        self._number += at
        self._open = lines[at:]

    def _end(self, lines: Sequence[str | None], at: int) -> int | None:
        """The index after the record's last line; None while a quote is open."""
        if self._quote is None:
            return at + 1
        is_open = False
        for index in range(at, len(lines)):
            line = lines[index]
            if line is None and index > at:
                return None
            is_open ^= (line or "").count(self._quote) % 2 == 1
            if not is_open:
                return index + 1
        return None

    def _fault(self, record: Sequence[str | None]) -> str | None:
        """Why the record is no row: "" for a blank line, None when it is one."""
        if record[0] is None:
            return "not valid UTF-8"
        text = "\n".join(line or "" for line in record)
        if text == "" and self._width > 1:
            return ""
        if self._quote is not None and self._quote in text:
            text = re.sub(self._quoted, self._quote, text)
            if re.search(self._stray, text):
                return "a quote stands inside a field that is not quoted"
        count = text.count(self._separator) + 1
        return None if count == self._width else f"{counted(count, 'field')} instead of {self._width}"


_CSV_ERRORS = {"new-line char": "it has carriage returns", "field larger ": "it is too long"}
"""What Python's reader means, by the beginning of what it says."""


def _headless(path: Path, reason: str) -> XRepoValidationError:
    return XRepoValidationError(
        f"file {path.name!r} is not CSV: line 1 is no header: {reason}",
        asked=path.name,
        hint="lines end with a line feed; name another separator= or encoding=",
    )


def _decoded(block: bytes) -> list[str | None]:
    return [_text(line) for line in block.removesuffix(b"\n").split(b"\n")]


def _text(line: bytes) -> str | None:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return None
