"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from xrepo_nb.viewers.values import Shown

WIDTH = 100
_CELL = 30


def text_table(names: Sequence[str], rows: Sequence[Sequence[Shown]]) -> str:
    """Aligned columns, as many as fit the width; numbers to the right.

    >>> from xrepo_nb.viewers.values import show
    >>> print(text_table(["name", "age"], [[show("Ann"), show(30)], [show("Bo"), show(None)]]))
    name   age
    Ann     30
    Bo    null
    """
    columns = [_column(name, [row[index] for row in rows]) for index, name in enumerate(names)]
    fitting: list[list[str]] = []
    used = 0
    for column in columns:
        used += len(column[0]) + 2
        if used > WIDTH and fitting:
            fitting.append(["…"] * (len(rows) + 1))
            break
        fitting.append(column)
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*fitting, strict=True))


def _column(name: str, cells: Sequence[Shown]) -> list[str]:
    right = any(cell.kind == "number" for cell in cells)
    texts = [_short(text) for text in (name, *(cell.text for cell in cells))]
    width = max(map(len, texts))
    return [text.rjust(width) if right else text.ljust(width) for text in texts]


def _short(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
