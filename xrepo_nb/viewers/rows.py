"""The rows that a repo method gave back, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel

from xrepo_nb.core.errors import counted
from xrepo_nb.repos.rows import Rows
from xrepo_nb.schema.table import Table
from xrepo_nb.viewers.table import ROWS, TableView, repo_of

WHOLE = 20
"""Rows up to which all are shown: the months of a year, the states of a status."""


def rows_view(rows: Rows[Any]) -> TableView:
    """All of a few rows, else the first ones, and of how many."""
    first = documents(rows[: WHOLE if len(rows) <= WHOLE else ROWS])
    schema = rows.schema if rows.schema is not None else Table(documents=first).schema
    name = rows.provenance.repo if rows.provenance else ""
    source = partial(repo_of, lambda: documents(rows), schema, name or "rows")
    remark = f"{rows.total:,} match in all" if rows.truncated else ""
    if rows.written is not None:
        remark = f"{counted(rows.written, 'record')} went to the target of the pipeline"
    return TableView(schema, first, name, len(rows), kind="rows", remark=remark, source=source)


def document(row: Any) -> dict[str, Any]:
    """A record as a document; a model under the names that its source uses, what was not set left out."""
    if isinstance(row, BaseModel):
        return row.model_dump(by_alias=True, exclude_unset=True)
    return dict(row) if isinstance(row, Mapping) else {"value": row}


def documents(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """All records as documents."""
    return [document(row) for row in rows]
