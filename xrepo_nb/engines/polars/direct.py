"""Groups by direct addressing: where keys are whole numbers close to each other, a key is the place of its
group in an array, so that rows are neither hashed nor gathered.

It takes two nanoseconds a row and reduction, on one thread, whatever the number of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import polars as pl

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Function = Literal["add", "minimum", "maximum"]
"""The NumPy functions that reduce rows."""

CHUNK = 1 << 16
"""Rows at a time: their keys stay in the cache, and other threads get their turn between."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """What reduces a column of numbers without nulls; `ways`: so many times, each of other rows."""

    function: Function
    column: str
    ways: int = 1

    def start(self, size: int, dtype: Any) -> Array:
        """What so many groups begin with."""
        import numpy as np

        if self.function == "add":
            return np.zeros((self.ways, size), dtype)
        ends = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        return np.full((self.ways, size), ends[self.function == "minimum"], dtype)


class Output(Protocol):
    """A column of the result: what is reduced for it, and how it is made of that."""

    @property
    def name(self) -> str: ...

    @property
    def reductions(self) -> Sequence[Reduction]: ...

    def made(self, groups: Groups) -> pl.Series: ...


class Groups:
    """The groups that rows make by a column of whole numbers from 0 on, below `size`.

    >>> rows = pl.DataFrame({"k": [2, 0, 2], "v": [1, 2, 3]})
    >>> Groups(rows, "k", 3).gathered([Reduced("sum", "add", "v")]).to_dicts()
    [{'k': 0, 'sum': 2}, {'k': 2, 'sum': 4}]
    """

    def __init__(self, rows: pl.DataFrame, key: str, size: int) -> None:
        self._rows, self._key, self._size = rows, key, size
        self._reduced: dict[Reduction, Array] = {}

    def gathered(self, outputs: Sequence[Output]) -> pl.DataFrame:
        """A row for each group, ordered by key: its key and outputs."""
        self._reduce(reduction for output in outputs for reduction in output.reductions)
        series = [output.made(self).alias(output.name) for output in outputs]
        return pl.DataFrame([pl.Series(self._key, self._present), *series])

    @property
    def counts(self) -> Array:
        """How many rows each group has."""
        found: Array = self._counts[self._present]
        return found

    def reduced(self, reduction: Reduction) -> Array:
        """What a reduction has come to in each group."""
        found: Array = self._reduced[reduction][0, self._present]
        return found

    def _reduce(self, reductions: Iterable[Reduction]) -> None:
        import numpy as np

        self._counts = np.zeros(self._size, np.int64)
        for reduction in reductions:
            dtype = self._rows[reduction.column].head(0).to_numpy().dtype
            self._reduced[reduction] = reduction.start(self._size, dtype)
        for places, rows in self._chunks():
            np.add.at(self._counts, places, 1)
            for reduction, arrays in self._reduced.items():
                values, function = rows[reduction.column].to_numpy(), getattr(np, reduction.function)
                for way, array in enumerate(arrays):
                    function.at(array, places[way :: reduction.ways], values[way :: reduction.ways])
        self._present = np.flatnonzero(self._counts)

    def _chunks(self) -> Iterator[tuple[Array, pl.DataFrame]]:
        """Some rows at a time, and the places of their groups; at least once."""
        for start in range(0, self._rows.height or 1, CHUNK):
            rows = self._rows.slice(start, CHUNK)
            yield rows[self._key].to_numpy(), rows

    def farthest(self, reduction: Reduction) -> pl.Series:
        """As many of the least or greatest values of each group as the reduction has ways, best first."""
        import numpy as np

        places, values = self._candidates(reduction)
        best = reduction.start(self._size, values.dtype)
        for found in best:
            getattr(np, reduction.function).at(found, places, values)
            hits = np.flatnonzero(values == found[places])
            one_each = np.empty(self._size, np.int64)
            one_each[places[hits]] = hits
            left = np.ones(len(values), np.bool_)
            left[one_each[places[hits]]] = False
            places, values = places[left], values[left]
        lists = pl.lit(pl.Series(best[:, self._present].T)).arr.to_list()
        return pl.select(lists.list.head(pl.lit(pl.Series(self.counts)))).to_series()

    def _candidates(self, reduction: Reduction) -> tuple[Array, Array]:
        """The rows that may be among the farthest, by their places and values: each way has found another
        row, so that none is that is worse than all of those."""
        import numpy as np

        found = self._reduced[reduction]
        largest = reduction.function == "maximum"
        worst, no_worse = (found.min(0), np.greater_equal) if largest else (found.max(0), np.less_equal)
        kept = []
        for places, rows in self._chunks():
            values = rows[reduction.column].to_numpy()
            at = np.flatnonzero(no_worse(values, worst[places]))
            kept.append((places[at], values[at]))
        return np.concatenate([places for places, _ in kept]), np.concatenate([values for _, values in kept])


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are, so many times."""

    name: str
    times: int = 1
    reductions: Sequence[Reduction] = ()

    def made(self, groups: Groups) -> pl.Series:
        return pl.Series(groups.counts * self.times)


@dataclass(frozen=True, slots=True)
class Reduced:
    """The sum, the least or the greatest number of a column without nulls."""

    name: str
    function: Function
    column: str

    @property
    def reductions(self) -> Sequence[Reduction]:
        return [Reduction(self.function, self.column)]

    def made(self, groups: Groups) -> pl.Series:
        return pl.Series(groups.reduced(*self.reductions))


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a column with zeros in place of nulls, and of another one that is 1 where it has a value;
    without that one all rows have."""

    name: str
    column: str
    present: str | None = None

    @property
    def reductions(self) -> Sequence[Reduction]:
        columns = [self.column] if self.present is None else [self.column, self.present]
        return [Reduction("add", column) for column in columns]

    def made(self, groups: Groups) -> pl.Series:
        sums, *present = map(groups.reduced, self.reductions)
        counts = pl.Series(present[0] if present else groups.counts)
        return pl.Series(sums) / counts.set(counts == 0, None)


@dataclass(frozen=True, slots=True)
class Farthest:
    """The least or the greatest few values of a column without nulls and NaN, best first."""

    name: str
    function: Function
    column: str
    count: int

    @property
    def reductions(self) -> Sequence[Reduction]:
        return [Reduction(self.function, self.column, self.count)]

    def made(self, groups: Groups) -> pl.Series:
        return groups.farthest(*self.reductions)
