"""The join report: what came in, what found a partner, what came out."""

from __future__ import annotations

from dataclasses import dataclass

from xrepo_nb.core.errors import counted
from xrepo_nb.repos.join import JoinReport, JoinStep
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import bar, grid, heading, right


@dataclass(frozen=True, repr=False)
class JoinReportView(View):
    """A report as a table with a row a join; the bars are the share of rows that found a partner."""

    report: JoinReport
    name: str = ""

    def body(self) -> Html:
        headers = [
            "join",
            "on",
            right("left rows"),
            "matched",
            right("right rows"),
            "matched",
            right("fan-out"),
        ]
        table = grid(headers, map(_row, self.report.steps), "what each join matched")
        return join(
            [heading("join report", self.name, f"{counted(self.report.rows, 'row')} came out"), table]
        )

    def to_text(self) -> str:
        return str(self.report)


def _row(step: JoinStep) -> list[Html | str]:
    return [
        tag("th", step.title, scope="row", title=f"{step.left} {step.how} join {step.right}"),
        step.keys,
        right(f"{step.left_rows:,}", "td"),
        _selected(step) if step.selects else _matched(step.left_matched, step.left_rows),
        right(f"{step.right_rows:,}", "td"),
        _matched(step.right_matched, step.right_rows),
        right("–" if step.selects else f"{step.fan_out:,}", "td"),
    ]


def _matched(matched: int, rows: int) -> Html:
    missed = rows - matched
    said = f"{matched:,}, {missed:,} without a partner" if missed else "all"
    return _share(matched, rows, said)


def _selected(step: JoinStep) -> Html:
    said = f"{step.left_kept:,} kept, {step.left_rows - step.left_kept:,} left out"
    return _share(step.left_matched, step.left_rows, said)


def _share(part: int, rows: int, said: str) -> Html:
    return tag("td", bar(part / rows if rows else 0.0, said), tag("small", " ", said))
