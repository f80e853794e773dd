"""Viewers: how repos, rows, schemas, statistics, logs and plans show themselves."""

from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.registry import Viewer, attach, register, unregister, view

__all__ = ["View", "Viewer", "attach", "register", "unregister", "view", "widget"]


def widget(shown: object) -> object:
    """The widget of an object: its view, with sorting, filtering and paging where rows are shown."""
    return view(shown).widget()
