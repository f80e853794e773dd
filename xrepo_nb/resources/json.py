"""JSON files: an array of documents, or one document; held in memory, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.bytes import whole_text
from xrepo_nb.resources.documents import DocumentFileResource, DocumentFormat, Read, held
from xrepo_nb.resources.files import LoadedFiles
from xrepo_nb.resources.json_text import NotJSON, as_document, parse
from xrepo_nb.schema.report import Rejected


@dataclass(frozen=True)
class JSONFormat(DocumentFormat):
    """JSON: the whole file is one value, an array of objects or one object."""

    name: ClassVar[str] = "json"
    extensions: ClassVar[tuple[str, ...]] = (".json",)

    def load(self, paths: Sequence[Path], union_by_name: bool = False) -> LoadedFiles:
        def parts() -> list[Read]:
            return [self._read(path) for path in paths]

        return held(paths, parts(), union_by_name, lambda: Read.joined(parts()).documents)

    def _read(self, path: Path) -> Read:
        try:
            value = parse(whole_text(path, self.encoding))
        except NotJSON as error:
            raise _unreadable(path, error) from error
        read = Read()
        for number, item in enumerate(value if isinstance(value, list) else [value], 1):
            try:
                read.documents.append(as_document(item))
            except NotJSON as error:
                if self.on_error == "raise":
                    raise XRepoValidationError(
                        f"file {path.name!r}, item {number}: {error}",
                        asked=path.name,
                        hint="on_error='report' loads the other items and lists these",
                    ) from error
                read.rejected.append(Rejected(number, str(error)))
        return read


def _unreadable(path: Path, error: NotJSON) -> XRepoValidationError:
    place = f", line {error.line}" if error.line else ""
    place += f", column {error.column}" if error.column else ""
    return XRepoValidationError(
        f"file {path.name!r} is not readable as JSON{place}: {error}",
        asked=path.name,
        hint=error.hint,
    )


class JSONResource(DocumentFileResource):
    """JSON files: one, a folder of them, or a pattern; read-only.

    A file is an array of documents, or one document. It is held in memory, typed where its
    values are of one type and exact where they are not; see `reports`. Text that is not JSON
    raises `XRepoValidationError` with line and column; so do items that are no documents,
    unless `on_error="report"`: then they are listed, by their place in the array.

    >>> JSONResource(file_path="data/airports.json")
    <JSONResource data/airports.json>
    """

    connection_type = "json"
    format = JSONFormat
