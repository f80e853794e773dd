"""An explanation: the stages of a plan, where each runs, and why there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xrepo_nb.core.errors import counted
from xrepo_nb.engines.explain import Explanation
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import bar, fold, grid, heading, note, right
from xrepo_nb.viewers.statistics import milliseconds


@dataclass(frozen=True, repr=False)
class ExplainView(View):
    """An explanation as a tree, the last stage first; only where it branches is it indented.

    Rows and times are shown where they were measured, native texts below.
    """

    explanation: Explanation

    def body(self) -> Html:
        stages = list(self.explanation.walk())
        measured = any(stage.milliseconds is not None for stage in stages)
        longest = max((stage.milliseconds or 0.0 for stage in stages), default=0.0)
        headers = ["stage, the last first", "runs on"]
        headers += [right("rows"), right("time"), "of the slowest"] if measured else []
        noted = any(stage.reason for stage in stages)
        rows = [
            [
                *_what(stage, depth),
                *(_measures(stage, longest) if measured else ()),
                *([_why(stage)] if noted else ()),
            ]
            for stage, depth in branches(self.explanation)
        ]
        table = grid(headers + ["why"] * noted, rows, "stages of the plan")
        return join(
            [
                heading("explain", "", counted(len(stages), "stage")),
                table,
                self.natives(),
                self.remark(measured),
            ]
        )

    def natives(self) -> list[Html]:
        """The native text of each stage that has one, folded away."""
        return [
            fold(f"as {stage.engine} runs it: {stage.stage}", tag("pre", stage.native))
            for stage in self.explanation.walk()
            if stage.native
        ]

    def remark(self, measured: bool) -> Html | None:
        """What to know about measured times."""
        return note("each stage was measured by itself; together they run faster") if measured else None

    def to_text(self) -> str:
        return str(self.explanation)


def branches(root: Explanation, depth: int = 0) -> Iterator[tuple[Explanation, int]]:
    """The stages with their depth: one more below a stage that reads several others.

    >>> chain = Explanation("limit 1", "polars", children=(Explanation("scan", "polars"),))
    >>> [(stage.stage, depth) for stage, depth in branches(chain)]
    [('limit 1', 0), ('scan', 0)]
    """
    yield root, depth
    for child in root.children:
        yield from branches(child, depth + (len(root.children) > 1))


def _what(stage: Explanation, depth: int) -> list[Html]:
    indent = f"padding-left:{10 + 22 * depth}px" if depth else None
    code = tag("code", stage.stage)
    where = [stage.engine, [" ", tag("span", "in the source", class_="xr-tag")] if stage.pushed else None]
    return [tag("th", code, class_="xr-wrap xr-wide", scope="row", style=indent), tag("td", where)]


def _measures(stage: Explanation, longest: float) -> list[Html]:
    if stage.milliseconds is None:
        return [tag("td"), tag("td"), tag("td")]
    said = milliseconds(stage.milliseconds)
    rows = f"{stage.rows:,}" if stage.rows is not None else ""
    return [right(rows, "td"), right(said, "td"), tag("td", bar(stage.milliseconds / (longest or 1.0), said))]


def _why(stage: Explanation) -> Html:
    return tag("td", stage.reason, class_="xr-wrap")
