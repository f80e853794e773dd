"""Files of documents: what JSON and NDJSON share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from xrepo_nb.core.errors import XRepoValidationError, chosen
from xrepo_nb.resources.files import ON_ERROR, FileResource, Format, LoadedFiles, OnError
from xrepo_nb.resources.json_text import NotJSON
from xrepo_nb.resources.remote import selected
from xrepo_nb.resources.union import require_equal
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.redescribing import Documents, inferred
from xrepo_nb.schema.report import Rejected
from xrepo_nb.schema.schema import Schema


@dataclass(frozen=True)
class DocumentFormat(Format):
    """A format of documents: how the text is encoded, and what becomes of items that are none."""

    encoding: str = "utf-8"
    on_error: OnError = "raise"


class DocumentFileResource(FileResource):
    """Files of documents; a subclass says in which format."""

    format: ClassVar[type[DocumentFormat]]

    def __init__(
        self,
        file_path: str | Path | None = None,
        *,
        root: str | Path | None = None,
        pattern: str | Mapping[str, str] | None = None,
        union_by_name: bool = False,
        encoding: str = "utf-8",
        on_error: OnError = "raise",
        storage_options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        files = selected(file_path, root, pattern, storage_options)
        format = self.format(encoding, chosen("on_error", on_error, ON_ERROR))
        super().__init__(files, [format], name=name, union_by_name=union_by_name)


@dataclass(slots=True)
class Read:
    """The documents of one file or block, and what in it is none."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    is_json: bool = True

    @classmethod
    def joined(cls, parts: Iterable[Read]) -> Read:
        """All of them in one."""
        whole = cls()
        for part in parts:
            whole.documents += part.documents
            whole.rejected += part.rejected
        return whole


def held(
    paths: Sequence[Path], parts: Sequence[Read], union_by_name: bool, again: Callable[[], Documents]
) -> LoadedFiles:
    """The documents of all files as one collection in memory, exact for mixed fields too; `again` reads
    them once more."""
    if len(parts) > 1 and not union_by_name:
        require_equal(paths, [kinds(infer(part.documents).schema) for part in parts])
    frame, schema, report = infer([document for part in parts for document in part.documents])
    report.rejected += [row for part in parts for row in part.rejected]
    return LoadedFiles(frame, schema, report, untyped=inferred(frame, schema, report, again))


def kinds(schema: Schema) -> dict[str, str]:
    """The types of a schema's fields, to be compared."""
    return {field.name: str(field.type) for field in schema.fields}


def broken(path: Path, line: int, error: NotJSON) -> XRepoValidationError:
    """The error for a line that is no document."""
    column = f", column {error.column}" if error.column else ""
    hint = "on_error='report' loads the other rows and lists the broken ones"
    return XRepoValidationError(
        f"file {path.name!r}, line {line}{column}: {error}",
        asked=path.name,
        hint="; ".join(filter(None, (error.hint, hint))),
    )
