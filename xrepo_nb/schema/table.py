"""Table: typed rows, the one form in which data passes between the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.schema.schema import Schema

if TYPE_CHECKING:
    from xrepo_nb.schema.redescribing import Untyped


class Table:
    """Immutable rows with their schema, held as a frame (eager or lazy) or as documents.

    Each form is made from the other when first asked for, and kept. Documents to frame is
    exact: what a typed column cannot hold makes the column `mixed` (see `schema.inference`);
    frame to documents is exact too: a Polars null becomes None or an absent key as the
    field's `absence` says, binary uuids and ObjectIds become those objects.
    """

    __slots__ = ("__weakref__", "_documents", "_frame", "_height", "_lazy", "_schema", "origin", "untyped")

    def __init__(
        self,
        *,
        frame: pl.DataFrame | None = None,
        lazy: pl.LazyFrame | None = None,
        documents: Sequence[dict[str, Any]] | None = None,
        schema: Schema | None = None,
        origin: Sequence[Path] = (),
        height: int | None = None,
        untyped: Untyped | None = None,
    ) -> None:
        self._frame = frame
        self._lazy = lazy
        self._documents = documents
        self._schema = schema
        self._height = height
        self.origin = tuple(origin)
        """The Parquet files that a lazy frame scans as they are, so that an engine may read them itself."""
        self.untyped = untyped
        """The rows before all of them decided on the types; None where types are stated, not found."""

    @classmethod
    def empty(cls, schema: Schema) -> Table:
        """No rows of that schema."""
        return cls(frame=pl.DataFrame(schema=schema.to_polars()), schema=schema)

    @classmethod
    def joined(cls, tables: Sequence[Table], schema: Schema) -> Table:
        """The rows of batches, one after the other; of none, no rows of that schema.

        What frames hold is not copied; the schema of documents is inferred from all of them.
        """
        if not tables:
            return cls.empty(schema)
        if len(tables) == 1:
            return tables[0]
        if all(table.is_frame for table in tables):
            frame = pl.concat([table.frame for table in tables], how="vertical_relaxed", rechunk=False)
            return cls(frame=frame, schema=tables[0].schema)
        return cls(documents=[document for table in tables for document in table.documents])

    def described(self, schema: Schema) -> Table:
        """The same rows with another schema, read no sooner; not known any more to be those of files."""
        if self.is_lazy:
            return Table(lazy=self._lazy, schema=schema, untyped=self.untyped)
        return Table(frame=self.frame, schema=schema, untyped=self.untyped)

    def slice(self, start: int, length: int) -> Table:
        """Up to `length` rows from `start` on, in the form that is at hand."""
        if self.is_frame:
            return Table(frame=self.frame.slice(start, length), schema=self.schema)
        return Table(documents=self.documents[start : start + length])

    @property
    def is_frame(self) -> bool:
        """Whether a frame, eager or lazy, is at hand without conversion."""
        return self._frame is not None or self._lazy is not None

    @property
    def is_lazy(self) -> bool:
        """Whether only a lazy frame is at hand: reading it may do I/O."""
        return self._frame is None and self._documents is None

    @property
    def height(self) -> int | None:
        """How many rows there are, where that is known without reading any."""
        return self._height if self.is_lazy else len(self)

    @property
    def schema(self) -> Schema:
        """The schema; of documents it is inferred when first asked for."""
        if self._schema is None:
            if self._frame is not None:
                self._schema = Schema.from_polars(self._frame.schema)
            elif self._lazy is not None:
                self._schema = Schema.from_polars(self._lazy.collect_schema())
            else:
                self._infer()
        assert self._schema is not None
        return self._schema

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as an eager frame; collects a lazy one, infers from documents. Blocking."""
        if self._frame is None:
            if self._lazy is not None:
                self._frame = self._lazy.collect()
            else:
                self._infer()
        assert self._frame is not None
        return self._frame

    @property
    def lazy(self) -> pl.LazyFrame:
        """The rows as a lazy frame."""
        return self._lazy if self._lazy is not None else self.frame.lazy()

    @property
    def documents(self) -> Sequence[dict[str, Any]]:
        """The rows as documents; not to be changed by the caller. Blocking."""
        if self._documents is None:
            from xrepo_nb.schema.documents import to_documents

            self._documents = to_documents(self.frame, self.schema)
        return self._documents

    def __len__(self) -> int:
        return len(self._documents) if self._documents is not None else self.frame.height

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.documents)

    def _infer(self) -> None:
        from xrepo_nb.schema.inference import infer

        inferred = infer(self._documents or [], self._schema, on_reject="keep", widen=False)
        self._frame, self._schema = inferred.frame, inferred.schema
