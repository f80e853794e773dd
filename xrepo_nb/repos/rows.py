"""What repo methods give back: lists and counts that know how they came about."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from pydantic import BaseModel

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.schema.frames import must_be_typed, with_nulls
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

R = TypeVar("R")

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows came from: the repo, the engine that made them, and how long that took."""

    repo: str
    engine: str = ""
    duration_ms: float = 0.0
    cached: bool = False


class Rows(builtins.list[R]):
    """A list of records that knows the whole it was taken from.

    `total` is the number of rows that matched before skip and limit, None where the source would
    have to be read again to tell; `truncated` says whether rows were left out after these.
    `written` is how many records a `$out` or `$merge` at the end of a pipeline passed on.
    """

    def __init__(
        self,
        rows: Iterable[R] = (),
        *,
        schema: Schema | None = None,
        total: int | None = None,
        skip: int = 0,
        provenance: Provenance | None = None,
        written: int | None = None,
    ) -> None:
        super().__init__(rows)
        self.schema = schema
        self.total = total
        self.skip = skip
        self.provenance = provenance
        self.written = written

    @overload
    def __getitem__(self, index: SupportsIndex) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[R]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> R | Rows[R]:
        """A record; of a slice the rows, which know where they came from.

        >>> rows = Rows([{"n": 1}, {"n": 2}, {"n": 3}], total=9)[1:]
        >>> rows, rows.skip, rows.total
        ([{'n': 2}, {'n': 3}], 1, 9)
        """
        if not isinstance(index, slice):
            return super().__getitem__(index)
        start, _, step = index.indices(len(self))
        return Rows(
            super().__getitem__(index),
            schema=self.schema,
            total=self.total if step == 1 else None,
            skip=self.skip + start,
            provenance=self.provenance,
        )

    def __repr__(self) -> str:
        """As a list, but of the first rows only where there are many."""
        if len(self) <= _SHOWN:
            return super().__repr__()
        return f"{self[:_SHOWN]!r} and {len(self) - _SHOWN:,} more"

    def to_polars(self) -> pl.DataFrame:
        """These records as a Polars frame, in the types of `schema`. Blocking for many.

        To hand on many rows ask for `repo.frame(...)`: it makes no records on the way.

        >>> Rows([{"city": "Oslo", "n": 2}]).to_polars().rows()
        [('Oslo', 2)]
        """
        from xrepo_nb.repos.shaping import plain

        documents: list[Any] = [plain(row) if isinstance(row, BaseModel) else row for row in self]
        if not all(isinstance(document, dict) for document in documents):
            raise XRepoUnsupportedError("only records become a frame", hint="pl.Series(rows) takes values")
        return Table(documents=documents, schema=self.schema).frame

    def to_pandas(self) -> pd.DataFrame:
        """These records as a pandas frame; what is absent is None or NaN in it. Blocking for many."""
        return with_nulls(self.to_polars()).to_pandas()

    def to_arrow(self) -> pa.Table:
        """These records as an Arrow table. Blocking for many.

        Raises `XRepoUnsupportedError` for a column of several types, which Arrow cannot hold.
        """
        frame = self.to_polars()
        must_be_typed(frame)
        return frame.to_arrow()

    @property
    def truncated(self) -> bool:
        """Whether there are rows after these."""
        return self.total is not None and self.skip + len(self) < self.total


class BulkDetails:
    """The outcome for each index of a bulk write: applied, failed, skipped or unknown.

    `errors` gives the reason for each index that was not applied.
    """

    outcomes: tuple[str, ...]
    errors: Mapping[int, str]

    def _keep(self, result: WriteResult) -> None:
        self.outcomes = result.outcomes
        self.errors = dict(result.errors)

    def _at(self, outcome: str) -> tuple[int, ...]:
        return tuple(i for i, found in enumerate(self.outcomes) if found == outcome)

    @property
    def applied(self) -> tuple[int, ...]:
        """The indexes that took effect."""
        return self._at("applied")

    @property
    def failed(self) -> tuple[int, ...]:
        """The indexes that did not, because of an error."""
        return self._at("failed")

    @property
    def skipped(self) -> tuple[int, ...]:
        """The indexes for which there was nothing to do."""
        return self._at("skipped")

    @property
    def unknown(self) -> tuple[int, ...]:
        """The indexes whose outcome was lost with the connection."""
        return self._at("unknown")


class BulkRows(builtins.list[R], BulkDetails):
    """The created records of `bulk_create`, with the outcome for each index given."""

    def __init__(self, rows: Iterable[R], result: WriteResult) -> None:
        super().__init__(rows)
        self._keep(result)


class BulkCount(int, BulkDetails):
    """The number of records changed by `bulk_update` or `bulk_delete`, with each outcome."""

    def __new__(cls, result: WriteResult) -> BulkCount:
        count = super().__new__(cls, sum(outcome == "applied" for outcome in result.outcomes))
        count._keep(result)
        return count
