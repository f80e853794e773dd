"""View: what is shown of one object, as data from which HTML, text and widget are made."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from xrepo_nb.viewers.html import Html, tag

STATIC = Path(__file__).parent / "static"


def _style() -> Html:
    css = re.sub(r"/\*.*?\*/", "", (STATIC / "view.css").read_text("utf-8"), flags=re.DOTALL)
    return Html(f"<style>{' '.join(css.split())}</style>")


_STYLE = _style()
"""Read once, at import: showing something reads nothing."""
_NO_MATHEMATICS = "tex2jax_ignore mathjax_ignore"
"""For MathJax, of either version: a notebook would else set what stands between two dollars as a formula."""


class View(ABC):
    """Base of the view models. A subclass holds plain data and says how its body is built.

    Showing a view does no I/O and needs no kernel: the HTML carries its style, no script and
    no address of anything outside.
    """

    @abstractmethod
    def body(self) -> Html:
        """The markup, without the frame and style around it."""

    @abstractmethod
    def to_text(self) -> str:
        """One or more lines for a terminal."""

    def to_html(self) -> str:
        """Self-contained HTML, a few kilobytes."""
        return tag("div", _STYLE, self.body(), class_=f"xr {_NO_MATHEMATICS}")

    def widget(self) -> Any:
        """The same as a widget; an `anywidget.AnyWidget`."""
        from xrepo_nb.viewers.widgets import ViewWidget

        return ViewWidget(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return self.to_text()
