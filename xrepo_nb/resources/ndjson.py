"""NDJSON files: one document a line, scanned lazily where their fields are typed."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from xrepo_nb.resources.bytes import is_plain, line_blocks
from xrepo_nb.resources.documents import (
    DocumentFileResource,
    DocumentFormat,
    Read,
    broken,
    held,
    kinds,
)
from xrepo_nb.resources.files import LoadedFiles
from xrepo_nb.resources.json_text import NotJSON, as_document, parse
from xrepo_nb.resources.merging import united_report, united_schema
from xrepo_nb.resources.union import require_equal
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.redescribing import Untyped, of_documents, redescribed
from xrepo_nb.schema.report import InferenceReport, Rejected
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.unite import merged_names

Inferred = tuple[Schema, InferenceReport]

_NOT_JSON = (b"NaN", b"Infinity")
"""Words that Python reads and a strict reader does not."""


@dataclass(frozen=True)
class NDJSONFormat(DocumentFormat):
    """NDJSON: every document is looked at before a type is decided."""

    name: ClassVar[str] = "ndjson"
    extensions: ClassVar[tuple[str, ...]] = (".ndjson", ".jsonl")

    def load(self, paths: Sequence[Path], union_by_name: bool = False) -> LoadedFiles:
        return self._scanned(paths, union_by_name) or self._held(paths, union_by_name)

    def _scanned(self, paths: Sequence[Path], union_by_name: bool) -> LoadedFiles | None:
        """The files as a lazy scan; None where only documents in memory are exact."""
        if not all(is_plain(path, self.encoding) for path in paths):
            return None
        parts = [self._inferred(path) for path in paths]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if not union_by_name:
            require_equal(paths, [kinds(schema) for schema, _ in known])
        whole = reduce(_merged, parts)
        if whole is None:
            return None
        schema, report = whole
        target = schema.to_polars()
        scans = [pl.scan_ndjson(glob.escape(str(path)), schema=target) for path in paths]
        return LoadedFiles(
            pl.concat(scans), schema, report, untyped=self._untyped(paths, schema, report, scans)
        )

    def _untyped(
        self, paths: Sequence[Path], schema: Schema, report: InferenceReport, scans: Sequence[pl.LazyFrame]
    ) -> Untyped:
        """The scan itself, whose values are of one type each; else the documents, read again."""
        if any(entry.coerced for entry in report):
            return of_documents(lambda: self._documents(paths))
        return Untyped(lambda: self._in_order(paths, pl.concat(scans), schema), redescribed)

    def _in_order(self, paths: Sequence[Path], rows: pl.LazyFrame, schema: Schema) -> Table:
        """The rows, columns in an order that all documents keep, if there is one."""
        shapes = {tuple(d): None for path in paths for read in self._blocks(path) for d in read.documents}
        schema = schema.select(merged_names(shapes) or schema.names)
        return Table(lazy=rows.select(schema.names), schema=schema)

    def _documents(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        return [document for path in paths for document in Read.joined(self._blocks(path)).documents]

    def _inferred(self, path: Path) -> Inferred | None:
        """The schema and report of one file, a block at a time; None when a scan would not be exact."""
        found: Inferred | None = _typed(Read())
        for number, read in enumerate(self._blocks(path)):
            found = _merged(found, _typed(read)) if number else _typed(read)
            if found is None:
                break
        return found

    def _held(self, paths: Sequence[Path], union_by_name: bool) -> LoadedFiles:
        parts = [Read.joined(self._blocks(path)) for path in paths]
        return held(paths, parts, union_by_name, lambda: self._documents(paths))

    def _blocks(self, path: Path) -> Iterator[Read]:
        """The documents of the file, block by block of lines."""
        number = 0
        for block in line_blocks(path, self.encoding):
            read = Read(is_json=not any(word in block for word in _NOT_JSON))
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                try:
                    if line.strip():
                        read.documents.append(as_document(parse(line)))
                except NotJSON as error:
                    if self.on_error == "raise":
                        raise broken(path, number, error) from error
                    read.rejected.append(Rejected(number, str(error)))
            yield read


def _typed(read: Read) -> Inferred | None:
    _, schema, report = infer(read.documents)
    return None if read.rejected or not read.is_json or not schema.is_typed else (schema, report)


def _merged(first: Inferred | None, second: Inferred | None) -> Inferred | None:
    if first is None or second is None:
        return None
    schema = united_schema(first[0], second[0])
    return None if schema is None else (schema, united_report(first[1], second[1], schema))


class NDJSONResource(DocumentFileResource):
    """NDJSON files: one, a folder of them, or a pattern; read-only.

    Every document is looked at, in blocks, before a type is decided; where all fields are typed
    the file is scanned lazily. A file with a field of several types, or of ints in one place and
    floats in another, is held in memory, exactly. A line that is no document raises
    `XRepoValidationError`; with `on_error="report"` the others load, and
    `resource.reports[collection].rejected` lists it.

    >>> NDJSONResource(file_path="data/events.ndjson")
    <NDJSONResource data/events.ndjson>
    """

    connection_type = "ndjson"
    format = NDJSONFormat
