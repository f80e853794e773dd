"""The inference report: what was seen in each field, what was changed, which rows were refused."""

from __future__ import annotations

from dataclasses import dataclass

from xrepo_nb.core.errors import counted
from xrepo_nb.schema.report import FieldReport, InferenceReport, counts
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import grid, heading, note, right

REJECTED = 20


@dataclass(frozen=True, repr=False)
class InferenceView(View):
    """A report as a table of fields, with the refused rows below."""

    report: InferenceReport
    name: str = ""

    def body(self) -> Html:
        report = self.report
        verdict = "clean" if report.clean else "needs a look"
        refused = f"{counted(len(report.rejected), 'row')} refused" if report.rejected else None
        facts = [counted(report.rows, "row"), refused, tag("span", verdict, class_=_tone(report.clean))]
        headers = ["field", "type", "seen", right("null"), right("missing"), "changed", "note"]
        table = grid(headers, [_row(found) for found in report], "what was seen in each field")
        return join([heading("inference report", self.name, *facts), table, self.rejected()])

    def rejected(self) -> Html | None:
        """The refused rows: line, field, reason."""
        rejected = self.report.rejected
        if not rejected:
            return None
        rows = [(right(f"{row.line:,}", "td"), row.field, row.reason) for row in rejected[:REJECTED]]
        more = len(rejected) - REJECTED
        table = grid([right("line"), "field", "reason"], rows, "refused rows")
        return join([note("refused rows"), table, note(f"and {more:,} more") if more > 0 else None])

    def to_text(self) -> str:
        return str(self.report)


def _tone(clean: bool) -> str:
    return "xr-good" if clean else "xr-bad"


def _row(found: FieldReport) -> list[Html | str]:
    mixed = "xr-bad" if found.type.kind == "mixed" else None
    return [
        tag("th", found.path, scope="row"),
        tag("td", str(found.type), class_=mixed, title=str(found.type)),
        tag("td", counts(found.types), class_="xr-wrap"),
        right(f"{found.nulls:,}" if found.nulls else "", "td"),
        right(f"{found.missing:,}" if found.missing else "", "td"),
        tag("td", counts(found.coerced), class_="xr-wrap"),
        tag("td", found.hint, class_="xr-wrap"),
    ]
