"""JoinReport: what a join did with the rows it was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xrepo_nb.core.errors import counted


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

    @property
    def keys(self) -> str:
        """The keys in words: one name where both sides have it."""
        return ", ".join(a if a == b else f"{a} = {b}" for a, b in self.on)

    @property
    def title(self) -> str:
        """The join in words; of more than three sources on its left the first and how many others."""
        sources = self.left.split(" + ")
        left = self.left if len(sources) <= 3 else f"{sources[0]} + {len(sources) - 1} more"
        return f"{left} {self.how} join {self.right}"

    def __str__(self) -> str:
        joined = f"{self.title} on {self.keys}: "
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
