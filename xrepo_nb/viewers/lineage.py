"""Lineage as a picture: source fields on the left, the columns made of them on the right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xrepo_nb.schema.schema import Schema
from xrepo_nb.viewers.html import Html, tag
from xrepo_nb.viewers.parts import scrolling

_STEP = 20
_WIDTH = 232
_GAP = 150
_CUT = 32


@dataclass(frozen=True, slots=True)
class Link:
    """`column` is made, among others, of `origin`, written `source.field`."""

    origin: str
    column: str


def links(schema: Schema) -> list[Link]:
    """What each column is made of, in the order of the columns."""
    return [Link(origin, field.name) for field in schema.fields for origin in field.lineage]


def picture(found: list[Link]) -> Html:
    """The links as SVG, with a title for each node and for the whole."""
    origins = _rows(_by_source(link.origin for link in found))
    columns = _rows(dict.fromkeys(link.column for link in found))
    height = _STEP * (max(len(origins), len(columns)) + 1)
    content = [
        tag("title", f"{len(columns)} columns from {len(origins)} fields"),
        [_curve(origins[link.origin], columns[link.column]) for link in found],
        [_node(name, row, 0) for name, row in origins.items()],
        [_node(name, row, _WIDTH + _GAP) for name, row in columns.items()],
    ]
    width = 2 * _WIDTH + _GAP
    box = f"0 0 {width} {height}"
    drawn = tag("svg", content, viewBox=box, width=str(width), height=str(height), role="img")
    return scrolling(drawn, "where the columns come from")


def _by_source(origins: Iterable[str]) -> dict[str, None]:
    """The origins, each once, those of one source together."""
    met = dict.fromkeys(origins)
    sources = list(dict.fromkeys(_source(origin) for origin in met))
    return dict.fromkeys(sorted(met, key=lambda origin: sources.index(_source(origin))))


def _source(origin: str) -> str:
    return origin.partition(".")[0]


def _rows(names: Mapping[str, None]) -> dict[str, int]:
    return {name: row for row, name in enumerate(names)}


def _y(row: int) -> int:
    return _STEP * row + _STEP


def _node(name: str, row: int, x: int) -> Html:
    shown = name if len(name) <= _CUT else name[: _CUT - 1] + "…"
    box = tag(
        "rect", class_="xr-box", x=str(x + 1), y=str(_y(row) - 8), width=str(_WIDTH - 2), height="16", rx="4"
    )
    label = tag("text", shown, x=str(x + 8), y=str(_y(row) + 4))
    return tag("g", tag("title", name), box, label)


def _curve(left: int, right: int) -> Html:
    start, end = _WIDTH, _WIDTH + _GAP
    middle = (start + end) // 2
    path = f"M{start} {_y(left)}C{middle} {_y(left)} {middle} {_y(right)} {end} {_y(right)}"
    return tag("path", class_="xr-link", d=path)
