"""The table: rows under typed headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from xrepo_nb.core.errors import counted
from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import NUMERIC, Field
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import grid, heading, note
from xrepo_nb.viewers.text import text_table
from xrepo_nb.viewers.values import decimals_of, digits_of, show

ROWS = 10
COLUMNS = 50

_ABSENCE = {"null": "may be null", "missing": "may be missing", "both": "may be null or missing"}


@dataclass(frozen=True, repr=False)
class TableView(View):
    """Some rows of something, with its schema.

    `rows` are documents: an absent key is shown as missing, None as null. `total` is how many
    rows there are, None when nobody counted; `skip` how many come before the first shown; `remark`
    is said below; `source` makes a repo of all rows for the widget.
    """

    schema: Schema
    rows: Sequence[Mapping[str, Any]]
    name: str = ""
    total: int | None = None
    skip: int = 0
    kind: str = "table"
    remark: str = ""
    source: Callable[[], Any] | None = field(default=None, compare=False)

    @classmethod
    def of(cls, table: Table) -> TableView:
        """The first rows of a table in memory; of a lazy one, whose rows would have to be read, none."""
        if table.is_lazy:
            return cls(table.schema, ())
        source = partial(repo_of, lambda: table.documents, table.schema)
        return cls(table.schema, table.slice(0, ROWS).documents, total=len(table), source=source)

    def body(self) -> Html:
        return join([self.head(), self.grid(), note(self.caption())])

    def head(self) -> Html:
        """The first line."""
        fields = counted(len(self.schema.fields), "column")
        return heading(
            self.kind, self.name, counted(self.total, "row") if self.total is not None else None, fields
        )

    def grid(self, headers: Sequence[Html] | None = None) -> Html:
        """The rows under their headers; `headers` replaces the plain ones."""
        fields = self.schema.fields[:COLUMNS]
        columns = [_column(field, self.rows) for field in fields]
        rows = zip(*columns, strict=True) if columns else ()
        label = f"rows of {self.name or self.kind}"
        return grid(headers or [header(field, self.schema) for field in fields], rows, label)

    def caption(self) -> str:
        """Which rows are shown, of how many.

        >>> TableView(Schema(()), [{}] * 10, total=336776).caption()
        'first 10 of 336,776 rows'
        """
        more = len(self.schema.fields) - COLUMNS
        said = [self._which(), f"{more} more columns are not shown" if more > 0 else "", self.remark]
        return "; ".join(filter(None, said))

    def _which(self) -> str:
        shown = len(self.rows)
        if self.total is None:
            return f"first {counted(shown, 'row')}" if shown else "no rows shown"
        if self.total <= shown:
            return counted(shown, "row") if shown else "no rows"
        if self.skip:
            return f"rows {self.skip + 1:,} to {self.skip + shown:,} of {self.total:,}"
        return f"first {shown:,} of {self.total:,} rows"

    def widget(self) -> Any:
        """A table that sorts, filters and pages through all of the rows."""
        from xrepo_nb.viewers.explorer import explorer_widget

        if self.source is None:
            return super().widget()
        return explorer_widget(self.source(), self.kind, target="xr.MaterializedRepo(data=rows)")

    def to_text(self) -> str:
        names = [found.name for found in self.schema.fields]
        rows = [[show(row.get(name, MISSING)) for name in names] for row in self.rows]
        first = " ".join(filter(None, [self.kind, self.name])) + f": {self.caption()}"
        return f"{first}\n{text_table(names, rows)}"


def repo_of(documents: Callable[[], Sequence[Mapping[str, Any]]], schema: Schema, name: str = "rows") -> Any:
    """A repo of its own over the documents, for a widget to ask."""
    from xrepo_nb.repos.materialized import MaterializedRepo

    return MaterializedRepo(schema=schema, data=documents(), name=name)


def header(field: Field, schema: Schema) -> Html:
    """A column's header: its name above its type."""
    return tag("th", *label(field, schema), **header_attributes(field))


def label(field: Field, schema: Schema) -> tuple[Html, Html]:
    """A field's name, and its type with what else matters in a word."""
    key = " · key" if field.name in schema.primary_key else ""
    return tag("span", field.name), tag("small", " ", short_type(field) + key)


def header_attributes(field: Field) -> dict[str, str | None]:
    """Alignment and the full description for hovering."""
    said = [f"{field.name}: {field.type}", _ABSENCE.get(field.absence), field.description]
    title = ", ".join(s for s in said if s)
    return {"scope": "col", "class_": "xr-n" if is_numeric(field) else None, "title": title}


def is_numeric(field: Field) -> bool:
    """Whether its column stands to the right."""
    return field.type.kind in NUMERIC


def short_type(field: Field) -> str:
    """The type in a word or two.

    >>> from xrepo_nb.schema.types import DataType
    >>> short_type(Field("tags", DataType("array", item=DataType("string"))))
    'array<string>'
    """
    text = str(field.type)
    return text if len(text) <= 24 else field.type.kind


def _column(field: Field, rows: Sequence[Mapping[str, Any]]) -> list[Html]:
    values = [row.get(field.name, MISSING) for row in rows]
    decimals = decimals_of(values) if field.type.kind == "float" else None
    digits = digits_of(values)
    return [show(value, decimals, digits).cell(right=is_numeric(field)) for value in values]
