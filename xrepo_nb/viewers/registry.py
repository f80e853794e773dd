"""Which viewer shows which kind of object, and the hooks by which IPython asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.entry_points import loaded
from xrepo_nb.core.errors import XRepoNotFoundError
from xrepo_nb.notebook import display
from xrepo_nb.viewers.base import View

Viewer = Callable[[Any], View]
"""Makes the view of an object out of what it holds in memory."""

_viewers: dict[str, Viewer | str] = {
    "xrepo_nb.repos.base.XRepo": "xrepo_nb.viewers.repo:RepoView.of",
    "xrepo_nb.repos.rows.Rows": "xrepo_nb.viewers.rows:rows_view",
    "xrepo_nb.engines.explain.Explanation": "xrepo_nb.viewers.explain:ExplainView",
    "xrepo_nb.repos.join.JoinReport": "xrepo_nb.viewers.join_report:JoinReportView",
    "xrepo_nb.schema.table.Table": "xrepo_nb.viewers.table:TableView.of",
    "xrepo_nb.schema.schema.Schema": "xrepo_nb.viewers.schema:SchemaView",
    "xrepo_nb.schema.report.InferenceReport": "xrepo_nb.viewers.inference:InferenceView",
    "xrepo_nb.observe.stats.RepoStats": "xrepo_nb.viewers.statistics:StatisticsView",
    "xrepo_nb.governance.audit.AuditLog": "xrepo_nb.viewers.audit:AuditView.of",
    "xrepo_nb.governance.audit.AuditEntry": "xrepo_nb.viewers.audit:AuditView.of_entry",
}


def register(kind: type | str, viewer: Viewer) -> None:
    """Shows objects of `kind` (a class, or its full name) and of its subclasses with `viewer`.

    >>> from xrepo_nb.viewers.html import tag
    >>> class Note(View):
    ...     def __init__(self, text): self.text = text
    ...     def to_text(self): return self.text
    ...     def body(self): return tag("p", self.text)
    >>> register(str, Note)
    >>> view("hello")
    hello
    >>> unregister(str)
    """
    name = kind if isinstance(kind, str) else _name(kind)
    _viewers[name] = viewer
    display.attach([name], _html, _text)


def unregister(kind: type | str) -> None:
    """Takes a viewer back; harmless when there is none."""
    _viewers.pop(kind if isinstance(kind, str) else _name(kind), None)


def view(shown: Any) -> View:
    """The view of an object, made of what is in memory.

    Raises `XRepoNotFoundError` when no viewer is registered for its kind.
    """
    if isinstance(shown, View):
        return shown
    for cls in type(shown).__mro__:
        viewer = _viewers.get(_name(cls))
        if viewer is not None:
            made: View = (loaded(viewer) if isinstance(viewer, str) else viewer)(shown)
            return made
    kind = _name(type(shown))
    raise XRepoNotFoundError(f"no viewer is registered for {kind}", asked=kind, exists=sorted(_viewers))


def attach() -> None:
    """Lets IPython, if it is what runs us, show every registered kind. Imports nothing."""
    display.attach(_viewers, _html, _text)


def _html(shown: Any) -> str:
    return view(shown).to_html()


def _text(shown: Any) -> str:
    return view(shown).to_text()


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
