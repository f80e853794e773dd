"""Pieces that several viewers are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xrepo_nb.viewers.html import Html, join, tag


def heading(kind: str, name: str, *facts: str | Html | None) -> Html:
    """The first line: what it is, its name, and facts beside it."""
    named = [tag("strong", name)] if name else []
    said = [tag("span", kind, class_="xr-kind"), *named, *(fact for fact in facts if fact)]
    return tag("div", spaced(said), class_="xr-head")


def spaced(words: Iterable[str | Html]) -> list[Html]:
    """Words as elements with spaces between, so that they stay apart where styles are taken away."""
    apart: list[Html] = []
    for word in words:
        apart += [word if isinstance(word, Html) else tag("span", word), join([" "])]
    return apart[:-1]


def grid(headers: Sequence[Any], rows: Iterable[Iterable[Any]], label: str, **attributes: Any) -> Html:
    """A table that scrolls within itself, also by keyboard. Cells that are no `td` or `th` become `td`.

    The label is its caption, read aloud and not drawn.
    """
    head = tag("thead", tag("tr", [_cell(header, "th", scope="col") for header in headers]))
    body = tag("tbody", [tag("tr", [_cell(cell, "td") for cell in row]) for row in rows])
    return scrolling(tag("table", tag("caption", label), head, body, **attributes), label)


def scrolling(content: Html, label: str) -> Html:
    """Content that scrolls sideways within its frame when the screen is narrow."""
    return tag("div", content, class_="xr-scroll", tabindex="0", role="region", aria_label=label)


def _cell(content: Any, name: str, **attributes: Any) -> Html:
    if isinstance(content, Html) and content.startswith(("<td", "<th")):
        return content
    return tag(name, content, **attributes)


def right(content: Any, name: str = "th") -> Html:
    """A header, or a cell, of a column of numbers."""
    return tag(name, content, class_="xr-n", scope="col" if name == "th" else None)


def note(*content: Any) -> Html:
    """A quiet line below."""
    return tag("div", *content, class_="xr-note")


def bar(share: float, label: str) -> Html:
    """A bar of `share` (0 to 1) of its column's width."""
    track = tag("rect", class_="xr-track", x="0", y="2", width="120", height="8", rx="2")
    filled = tag(
        "rect",
        class_="xr-bar",
        x="0",
        y="2",
        width=f"{max(1.0, min(share, 1.0) * 120):.1f}",
        height="8",
        rx="2",
    )
    return tag(
        "svg", track, filled, width="120", height="12", viewBox="0 0 120 12", role="img", aria_label=label
    )


def fold(summary: str, content: Html, opened: bool = False) -> Html:
    """Content below a line that opens and closes it."""
    return tag("details", tag("summary", summary), content, open=opened)
