"""Accumulators over frames that begin with the partition: one pass instead of one a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xrepo_nb.engines.document import numbers, statistics
from xrepo_nb.engines.document import values as v

Running = Callable[[Sequence[Any], Sequence[int]], list[Any]]
"""The results over the first `ends[i]` values, for ends that do not fall."""


def _folded(step: Callable[[Any, Any], Any], start: Any) -> Running:
    def run(values: Sequence[Any], ends: Sequence[int]) -> list[Any]:
        state, done, out = start, 0, []
        for end in ends:
            while done < end:
                state = step(state, values[done])
                done += 1
            out.append(state)
        return out

    return run


class _Sum:
    """A sum of numbers of any types: whole numbers exactly, doubles by parts without error."""

    __slots__ = ("count", "floats", "long", "others", "partials", "whole")

    def __init__(self) -> None:
        self.count = self.whole = 0
        self.long = self.floats = False
        self.partials: list[float] = []
        self.others: Any = None

    def add(self, value: Any) -> None:
        """Takes one value; what is no number is ignored."""
        if not v.is_number(value):
            return
        self.count += 1
        if isinstance(value, int):
            self.whole += int(value)
            self.long = self.long or v.is_long(value)
        elif isinstance(value, float):
            self.floats = True
            _grow(self.partials, value)
        else:
            self.others = value if self.others is None else numbers.add(self.others, value)

    def total(self) -> Any:
        """The sum so far."""
        found = self._float() if self.floats else numbers.integer(self.whole, long=self.long)
        return found if self.others is None else numbers.add(self.others, found)

    def _float(self) -> float:
        return sum(reversed(self.partials), float(self.whole))


def _grow(partials: list[float], value: float) -> None:
    """Adds to a sum kept as parts that do not overlap."""
    kept = 0
    for part in partials:
        if abs(value) < abs(part):
            value, part = part, value
        high = value + part
        low = part - (high - value)
        if low and low == low:
            partials[kept] = low
            kept += 1
        value = high
    partials[kept:] = [value]


def _sums(result: Callable[[_Sum], Any]) -> Running:
    def run(values: Sequence[Any], ends: Sequence[int]) -> list[Any]:
        state, done, out = _Sum(), 0, []
        for end in ends:
            while done < end:
                state.add(values[done])
                done += 1
            out.append(result(state))
        return out

    return run


def _mean(state: _Sum) -> Any:
    if not state.count:
        return None
    if not state.floats and state.others is None:
        return state.whole / state.count
    total = state.total()
    return numbers.divide(total, state.count) if v.is_decimal(total) else float(total) / state.count


def _least(best: Any, value: Any) -> Any:
    return statistics.least([best, value])


def _greatest(best: Any, value: Any) -> Any:
    return statistics.greatest([best, value])


RUNNING: dict[str, Running] = {
    "$sum": _sums(_Sum.total),
    "$avg": _sums(_mean),
    "$min": _folded(_least, None),
    "$max": _folded(_greatest, None),
}
