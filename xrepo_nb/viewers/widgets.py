"""Widgets: the HTML of a view in a notebook, drawn anew whenever the view changes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import anywidget
import traitlets

from xrepo_nb.notebook.loops import run
from xrepo_nb.viewers.base import STATIC, View
from xrepo_nb.viewers.explorer import Explorer, Question


class ViewWidget(anywidget.AnyWidget):
    """Shows a view. Assigning another to `view` redraws it.

    Its only content is the view's own HTML, so that what a widget shows and what a saved
    notebook keeps cannot differ.
    """

    _esm = STATIC / "widget.js"
    html = traitlets.Unicode().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, view: View) -> None:
        super().__init__(html=view.to_html())
        self._view = view

    @property
    def view(self) -> View:
        """What is shown."""
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        self._view = view
        self.html = view.to_html()

    async def ready(self) -> None:
        """Returns when what is shown has come."""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/html": self.html, "text/plain": self.view.to_text()}, metadata


class ExplorerWidget(ViewWidget):
    """Explores a repo: clicks and typed filters become questions, asked as whoever made the widget.

    `code` is the last question as a line of Python.
    """

    code = traitlets.Unicode().tag(sync=True)

    def __init__(self, explorer: Explorer) -> None:
        super().__init__(explorer.view)
        self._explorer = explorer
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_msg(self._told)
        self._start(self.ask(explorer.view.question))

    async def ask(self, question: Question) -> None:
        """Asks, and shows the answer."""
        self.busy = True
        try:
            view = await self._explorer.ask(question)
        finally:
            self.busy = False
        self.view = view
        if not view.error:
            self.code = view.code

    async def ready(self) -> None:
        """Returns when the questions asked so far are answered."""
        await asyncio.gather(*self._tasks)

    def _told(self, _: Any, message: Any, __: Any) -> None:
        question = told(self._explorer.view.question, message)
        if question is not None:
            self._start(self.ask(question))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        context = self._context.copy()
        try:
            task = asyncio.get_running_loop().create_task(work, context=context)
        except RuntimeError:
            context.run(run, work)
        else:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def told(question: Question, message: Any) -> Question | None:
    """The question after what the browser told; None when it told nothing that makes sense.

    >>> told(Question(), {"do": "sort", "field": "age", "value": ""}).sort
    (('age', 1),)
    """
    if not isinstance(message, dict):
        return None
    act, name, value = message.get("do"), str(message.get("field")), str(message.get("value"))
    if act == "sort":
        return question.sorted_by(name)
    if act == "filter":
        return question.filtered(name, value)
    if act == "page" and value.isdecimal():
        return question.at(int(value))
    return None
