"""Viewers: how repos, rows, schemas, statistics, logs and plans show themselves."""

from typing import Any

from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.registry import Viewer, attach, register, unregister, view

__all__ = ["View", "Viewer", "attach", "explore", "register", "unregister", "view", "widget"]


def widget(shown: object) -> Any:
    """The widget of an object: its view, with sorting, filtering and paging where rows are shown.

    Rows that have to be read appear when they have come.
    """
    return view(shown).widget()


async def explore(shown: object) -> Any:
    """The widget of an object once its rows have come, so that a saved notebook has them too."""
    made = widget(shown)
    await made.ready()
    return made
