"""The card of a repo: what it is, where its rows come from, the first of them, how it is doing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xrepo_nb.core.errors import counted
from xrepo_nb.observe.stats import RepoStats
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join
from xrepo_nb.viewers.parts import fold, heading, note
from xrepo_nb.viewers.schema import SchemaView
from xrepo_nb.viewers.statistics import milliseconds
from xrepo_nb.viewers.table import ROWS, TableView


@dataclass(frozen=True, repr=False)
class RepoView(View):
    """A repo as far as it is in memory: making and showing this reads nothing.

    `table` is None when the rows stay in their source. `repo` is what the widget explores.
    """

    kind: str
    name: str
    schema: Schema
    description: str | None = None
    table: TableView | None = None
    statistics: RepoStats | None = None
    remarks: tuple[str, ...] = ()
    repo: Any = field(default=None, compare=False)

    @classmethod
    def of(cls, repo: Any) -> RepoView:
        """The card of a repo, as the present caller may see it."""
        schema, name = repo.schema, repo.metadata.name
        glimpsed = repo.peek(ROWS)
        return cls(
            kind=repo.kind if repo.kind == "view" else f"{repo.kind} repo",
            name=name,
            schema=schema,
            description=repo.metadata.description,
            table=None if glimpsed is None else _first(glimpsed, schema, name, repo.height),
            statistics=repo.statistics,
            remarks=tuple(_remarks(repo)),
            repo=repo,
        )

    def body(self) -> Html:
        source = self.schema.source if self.schema.source != self.name else None
        facts = [self._rows(), counted(len(self.schema.fields), "field"), source]
        described = note(self.description) if self.description else None
        below = [note(said) for said in (*self.remarks, self._timed()) if said]
        return join([heading(self.kind, self.name, *facts), described, self._content(), below])

    def _rows(self) -> str | None:
        total = self.table.total if self.table else None
        return None if total is None else counted(total, "row")

    def _content(self) -> Html:
        if not self.schema.fields:
            return join([])
        fields = SchemaView(self.schema).fields()
        if self.table is None:
            return fields
        more = fold(f"schema: {counted(len(self.schema.fields), 'field')}", fields)
        return join([self.table.grid(), note(self.table.caption()), more])

    def _timed(self) -> str | None:
        if self.statistics is None or not self.statistics.query_performance:
            return None
        timed = self.statistics.query_performance.items()
        return "mean times: " + ", ".join(f"{name} {milliseconds(ms)}" for name, ms in timed)

    def to_text(self) -> str:
        names = ", ".join(f"{found.name}: {found.type.kind}" for found in self.schema.fields)
        return f"{self.kind} {self.name}: {names}"

    def widget(self) -> Any:
        """A table that sorts, filters and pages through the repo, as the present caller."""
        from xrepo_nb.viewers.explorer import explorer_widget

        return explorer_widget(self.repo, self.kind) if self.repo is not None else super().widget()


def _first(glimpsed: Table, schema: Schema, name: str, total: int | None) -> TableView:
    keyed = glimpsed.schema.replace(primary_key=schema.primary_key)
    return TableView(keyed, glimpsed.slice(0, ROWS).documents, name=name, total=total)


def _remarks(repo: Any) -> Iterator[str]:
    """What its join matched, whether loading changed or refused anything, and why nothing is shown."""
    if repo.metadata.acl_rules and not repo.schema.fields:
        yield "its rules show you nothing of it: act as someone else, by acting_as(...) or user_id="
    yield from map(str, getattr(repo, "join_report", None) or ())
    report = getattr(repo, "report", None)
    if report is not None and not report.clean:
        yield "its data were not of one form throughout: see `report`"
