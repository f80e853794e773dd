"""The explorer: a table that sorts, filters and pages by asking the repo, and shows the question."""

from __future__ import annotations

import builtins
import keyword
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.condition import condition
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.rows import documents
from xrepo_nb.viewers.table import COLUMNS, ROWS, TableView, header_attributes, is_numeric, label

logger = logging.getLogger(__name__)


class Explorable(Protocol):
    """What an explorer asks: a repo."""

    @property
    def schema(self) -> Schema: ...
    @property
    def metadata(self) -> Any: ...
    async def list(
        self, filters: Any = None, skip: int = 0, limit: int = 100, sort: Any = None
    ) -> Sequence[Any]: ...
    async def count(self, filters: Any = None) -> int: ...


@dataclass(frozen=True)
class Question:
    """What the user clicked: texts of the filter boxes, sort keys, first row, rows a page."""

    typed: Mapping[str, str] = field(default_factory=dict)
    sort: tuple[tuple[str, int], ...] = ()
    skip: int = 0
    limit: int = ROWS

    def filters(self, schema: Schema) -> dict[str, Any]:
        """The filter; raises `XRepoQueryError` for a text that does not fit its field."""
        fields = {found.name: found for found in schema.fields}
        return {name: condition(text, fields[name]) for name, text in self.typed.items() if name in fields}

    def code(self, target: str, schema: Schema) -> str:
        """The question as a line of Python; `target` is how the repo is called there.

        >>> Question(sort=(("dep_delay", -1),), skip=10).code("flights", Schema(()))
        "await flights.list({}, sort=[('dep_delay', -1)], skip=10, limit=10)"
        """
        given = [repr(self.filters(schema))]
        given += [f"sort={list(self.sort)}"] * bool(self.sort)
        given += [f"skip={self.skip}"] * bool(self.skip)
        return f"await {target}.list({', '.join(given)}, limit={self.limit})"

    def sorted_by(self, name: str) -> Question:
        """Sorted by another field: first upwards, then downwards, then no more."""
        now = dict(self.sort).get(name)
        order: tuple[tuple[str, int], ...] = {None: ((name, 1),), 1: ((name, -1),)}.get(now, ())
        return replace(self, sort=order, skip=0)

    def filtered(self, name: str, text: str) -> Question:
        """With another text in the filter box of a field; an empty one takes the filter away."""
        typed = {**self.typed, name: text}
        return replace(self, typed={key: value for key, value in typed.items() if value.strip()}, skip=0)

    def at(self, skip: int) -> Question:
        """Another page: the one that starts at row `skip`."""
        return replace(self, skip=skip)


def _variable(name: str) -> str:
    return (
        name
        if name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name)
        else "repo"
    )


@dataclass(frozen=True, repr=False)
class ExplorerView(View):
    """One page of a repo, and the question that gave it.

    Where a question was wrong, `typed` are its texts and `error` says what is wrong with it.
    """

    table: TableView
    target: str = "repo"
    question: Question = Question()
    typed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    def body(self) -> Html:
        return join([self.table.head(), self.table.grid(self._headers()), self._pager(), self._code()])

    def to_text(self) -> str:
        return self.table.to_text()

    def _headers(self) -> builtins.list[Html]:
        return [self._header(found) for found in self.table.schema.fields[:COLUMNS]]

    def _header(self, found: Field) -> Html:
        order = dict(self.question.sort).get(found.name)
        name, kind = label(found, self.table.schema)
        arrow = tag("span", {1: "▲", -1: "▼"}.get(order or 0, ""), class_="xr-arrow", aria_hidden="true")
        said = (arrow, name) if is_numeric(found) else (name, arrow)
        sort = tag("button", *said, type="button", data_do="sort", data_field=found.name)
        box = tag(
            "input",
            data_do="filter",
            data_field=found.name,
            value=self.typed.get(found.name, ""),
            placeholder="filter",
            aria_label=f"filter {found.name}",
            title="> 30, 10..20, null, not null, text, = whole text",
            size="6",
        )
        stated = {1: "ascending", -1: "descending"}.get(order or 0)
        return tag("th", sort, kind, box, aria_sort=stated, **header_attributes(found))

    def _pager(self) -> Html:
        total, asked = self.table.total or 0, self.question
        last = max(0, (total - 1) // asked.limit * asked.limit)
        targets = {
            "first": 0,
            "previous": max(0, asked.skip - asked.limit),
            "next": min(last, asked.skip + asked.limit),
            "last": last,
        }
        buttons = [
            tag(
                "button",
                name,
                type="button",
                data_do="page",
                data_field=name,
                data_value=skip,
                disabled=skip == asked.skip,
            )
            for name, skip in targets.items()
        ]
        said = tag("span", self.table.caption(), aria_live="polite")
        wrong = tag("span", self.error, class_="xr-bad", role="alert") if self.error else None
        return tag("div", buttons, said, wrong, class_="xr-line")

    @property
    def code(self) -> str:
        """The question as a line of Python."""
        return self.question.code(self.target, self.table.schema)

    def _code(self) -> Html:
        copy = tag(
            "button", "copy", type="button", data_do="copy", data_field="code", aria_label="copy the query"
        )
        return tag("div", tag("code", self.code), copy, class_="xr-line")


class Explorer:
    """Asks one question after the other; a wrong one leaves the rows as they are and says why."""

    def __init__(self, repo: Explorable, start: ExplorerView) -> None:
        self._repo = repo
        self.view = start
        self._turn = 0

    async def ask(self, question: Question) -> ExplorerView:
        """The page that answers; an older answer that arrives late is dropped."""
        self._turn += 1
        turn = self._turn
        try:
            answer = await self._answer(question)
        except XRepoError as error:
            answer = self._refused(question, str(error))
        except Exception as error:
            logger.exception("the explorer of %r failed", self.view.table.name)
            answer = self._refused(question, f"{type(error).__name__}: see the log")
        if turn == self._turn:
            self.view = answer
        return self.view

    def _refused(self, question: Question, error: str) -> ExplorerView:
        return replace(self.view, typed=question.typed, error=error)

    async def _answer(self, question: Question) -> ExplorerView:
        filters = question.filters(self._repo.schema)
        rows = await self._repo.list(
            filters, skip=question.skip, limit=question.limit, sort=list(question.sort) or None
        )
        total = getattr(rows, "total", None)
        if total is None:
            total = await self._repo.count(filters)
        table = replace(self.view.table, rows=documents(rows), total=total, skip=question.skip)
        return ExplorerView(table, self.view.target, question, question.typed)


def explorer_widget(repo: Explorable, kind: str = "repo", target: str | None = None) -> Any:
    """A widget that sorts, filters and pages through a repo, as the present caller; reads at once.

    `target` is how the repo is called in the code that it shows, by default its name.
    """
    from xrepo_nb.viewers.widgets import ExplorerWidget

    name = repo.metadata.name
    table = TableView(repo.schema, (), name=name, kind=kind)
    return ExplorerWidget(Explorer(repo, ExplorerView(table, target or _variable(name))))
