"""A folder of files of several formats, or a file whose format only its content tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xrepo_nb.resources.csv import CSVFormat
from xrepo_nb.resources.files import FileResource
from xrepo_nb.resources.json import JSONFormat
from xrepo_nb.resources.ndjson import NDJSONFormat
from xrepo_nb.resources.parquet import ParquetFormat
from xrepo_nb.resources.remote import selected


class FolderResource(FileResource):
    """A folder, each file of a known format a collection named by its stem; read-only.

    Files of other formats are passed over, and folders within it: `pattern="**/*.csv"` reaches
    those. Two files of one stem are named with their extensions.

    >>> FolderResource("datasets")
    <FolderResource datasets>
    """

    connection_type = "folder"

    def __init__(
        self,
        root: str | Path | None,
        *,
        pattern: str | Mapping[str, str] | None = None,
        union_by_name: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        formats = [CSVFormat(), JSONFormat(), NDJSONFormat(), ParquetFormat()]
        files = selected(None, root, pattern, storage_options)
        super().__init__(files, formats, name=name, union_by_name=union_by_name)
