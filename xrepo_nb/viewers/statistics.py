"""Statistics: how much there is, what changed today, how fast it answers."""

from __future__ import annotations

from dataclasses import dataclass

from xrepo_nb.core.errors import counted
from xrepo_nb.observe.stats import RepoStats
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import bar, fold, grid, heading, note, right

_COUNTS = {
    "total_count": "rows",
    "created_today": "created today",
    "updated_today": "updated today",
    "deleted_today": "deleted today",
}


@dataclass(frozen=True, repr=False)
class StatisticsView(View):
    """The numbers of a `RepoStats`."""

    stats: RepoStats
    name: str = ""

    def body(self) -> Html:
        more = (
            None
            if self.stats.field_cardinalities
            else note("`await repo.get_statistics()` counts rows and values")
        )
        return join([heading("statistics", self.name), self.counts(), self.speed(), self.fields(), more])

    def counts(self) -> Html:
        """Rows, today's changes and size, each a number with its label."""
        stats = self.stats
        facts = [(label, f"{getattr(stats, name):,}") for name, label in _COUNTS.items()]
        if not self._counted():
            facts[0] = ("rows", "not counted")
        if stats.storage_size_bytes is not None:
            facts.append(("stored", bytes_text(stats.storage_size_bytes)))
        return tag(
            "div",
            [tag("div", tag("small", name), tag("b", value)) for name, value in facts],
            class_="xr-facts",
        )

    def _counted(self) -> bool:
        return "total_count" in self.stats.model_fields_set

    def speed(self) -> Html:
        """The mean time of each operation, slowest first."""
        performance = sorted(self.stats.query_performance.items(), key=lambda item: -item[1])
        if not performance:
            return note("no operation was timed yet")
        slowest = performance[0][1] or 1.0
        rows = [
            (
                tag("th", name, scope="row"),
                right(milliseconds(ms), "td"),
                bar(ms / slowest, f"{name}: {milliseconds(ms)}"),
            )
            for name, ms in performance
        ]
        headers = ["operation", right("mean time"), "of the slowest"]
        return grid(headers, rows, "time of each operation")

    def fields(self) -> Html | None:
        """How many distinct values each field has; the share is of all rows."""
        known = self.stats.field_cardinalities
        if not known:
            return None
        rows = [_cardinality(name, distinct, self.stats.total_count) for name, distinct in known.items()]
        headers = ["field", right("distinct"), "of the rows"]
        return fold(
            f"distinct values of {counted(len(rows), 'field')}",
            grid(headers, rows, "distinct values"),
            len(rows) <= 12,
        )

    def to_text(self) -> str:
        speed = ", ".join(f"{name} {milliseconds(ms)}" for name, ms in self.stats.query_performance.items())
        rows = counted(self.stats.total_count, "row") if self._counted() else "rows not counted"
        return f"statistics: {rows}; {speed or 'nothing timed'}"


def _cardinality(name: str, distinct: int, rows: int) -> tuple[Html, ...]:
    share = distinct / rows if rows else 0.0
    return (
        tag("th", name, scope="row"),
        right(f"{distinct:,}", "td"),
        bar(share, f"{name}: {share:.1%} of the rows"),
    )


def milliseconds(value: float) -> str:
    """A duration in the unit that fits.

    >>> milliseconds(0.0123), milliseconds(4.2), milliseconds(61234.5)
    ('12 µs', '4.2 ms', '61.23 s')
    """
    if value < 1:
        return f"{value * 1000:.0f} µs"
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:,.2f} s"


def bytes_text(size: int) -> str:
    """A size in the unit that fits.

    >>> bytes_text(532), bytes_text(3_400_000)
    ('532 B', '3.4 MB')
    """
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} TB"
