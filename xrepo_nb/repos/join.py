"""JoinReport: what a join did with the rows it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from xrepo_nb.core.errors import counted
from xrepo_nb.query.plan import Join


@dataclass(frozen=True, slots=True)
class JoinStep:
    """One join: rows in on both sides, how many found a partner, and how many rows came out.

    `fan_out` is the largest number of right rows that met one left row.
    """

    left: str
    right: str
    on: tuple[tuple[str, str], ...]
    how: str
    left_rows: int
    right_rows: int
    left_matched: int
    right_matched: int
    fan_out: int

    @property
    def left_unmatched(self) -> int:
        """Left rows without a partner."""
        return self.left_rows - self.left_matched

    @property
    def left_kept(self) -> int:
        """Left rows that are in the result, however often."""
        if self.how == "anti":
            return self.left_unmatched
        return self.left_matched if self.how in ("inner", "right", "semi") else self.left_rows

    @property
    def selects(self) -> bool:
        """Whether the join keeps left rows as they are, and takes nothing from the right."""
        return self.how in ("semi", "anti")

    @property
    def right_unmatched(self) -> int:
        """Right rows without a partner."""
        return self.right_rows - self.right_matched

    def __str__(self) -> str:
        keys = ", ".join(a if a == b else f"{a} = {b}" for a, b in self.on)
        joined = f"{self.left} {self.how} join {self.right} on {keys}: "
        if self.selects:
            partner = "without" if self.how == "anti" else "with"
            return (
                f"{joined}kept the {self.left_kept:,} of {self.left_rows:,} left rows "
                f"{partner} a partner among {self.right_rows:,} right rows"
            )
        return (
            f"{joined}{self.left_matched:,} of {self.left_rows:,} left rows and "
            f"{self.right_matched:,} of {self.right_rows:,} right rows matched, fan-out {self.fan_out}"
        )


@dataclass(frozen=True, slots=True)
class JoinReport(Sequence[JoinStep]):
    """The steps of a view's join in order, and the rows it came to. Shows itself inline."""

    steps: tuple[JoinStep, ...]
    rows: int

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: Any) -> Any:
        return self.steps[index]

    def __iter__(self) -> Iterator[JoinStep]:
        return iter(self.steps)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), counted(self.rows, "row")])


def report_of(
    joins: Sequence[Join], rows: int, frames: Mapping[int, pl.LazyFrame], labels: Mapping[int, str]
) -> JoinReport:
    """The report on a chain of joins.

    `frames` and `labels` give the key columns and the name of each side, by the plan's `id`. Blocking.
    """
    steps = [
        _step(
            join, frames[id(join.left)], frames[id(join.right)], labels[id(join.left)], labels[id(join.right)]
        )
        for join in joins
    ]
    return JoinReport(tuple(steps), rows)


def _step(join: Join, left: pl.LazyFrame, right: pl.LazyFrame, left_name: str, right_name: str) -> JoinStep:
    ours, theirs = ([pair[side] for pair in join.on] for side in (0, 1))
    if join.how == "asof":
        ours, theirs = ours[:-1], theirs[:-1]
    left_counts = (
        left.group_by(ours).agg(pl.len().alias("left")) if ours else left.select(pl.len().alias("left"))
    )
    right_counts = (
        right.group_by(theirs).agg(pl.len().alias("right"))
        if theirs
        else right.select(pl.len().alias("right"))
    )
    if ours:
        both = left_counts.join(right_counts, left_on=ours, right_on=theirs, how="inner")
    else:
        both = left_counts.join(right_counts, how="cross")
    met = both.select(
        pl.col("left").sum().alias("left"),
        pl.col("right").sum().alias("right"),
        pl.col("right").max().alias("most"),
    )
    totals, counts, matched = pl.collect_all([left.select(pl.len()), right.select(pl.len()), met])
    found = matched.row(0, named=True)
    return JoinStep(
        left_name,
        right_name,
        join.on,
        join.how,
        int(totals.item()),
        int(counts.item()),
        int(found["left"] or 0),
        int(found["right"] or 0),
        int(found["most"] or 0),
    )
