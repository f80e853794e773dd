"""The rows that a MaterializedRepo owns: a vectorised base under a thin overlay of changes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from xrepo_nb.repos.documents import Reader, copied, distinct, key_of
from xrepo_nb.repos.growth import grown
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

_FULL = 50_000
"""Changed rows in the overlay beyond which it is folded into the base, read or not."""

_QUICK = 20_000
"""Rows and changes up to which folding takes so little that a thread would cost more."""

_TOLD_APART = 100_000
"""Changed records whose revisions are known one by one."""

_DEAD = 1_000
"""Dead rows, besides a tenth of all, beyond which they are dropped."""

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """One record's new state: the document, or None to remove it.

    `revision` is the one the edit was computed from; the edit applies only while it still holds.
    """

    id: Any
    document: dict[str, Any] | None
    revision: int


class _Base:
    """A frame with some dead rows; `rows` finds the live ones by id, None until first needed.

    A fold moves `rows` on to the next base instead of copying it: what changes in it is hidden
    behind the overlay until that base is in place.
    """

    __slots__ = ("dead", "frame", "reader", "rows", "schema")

    def __init__(
        self,
        frame: pl.DataFrame,
        schema: Schema,
        dead: frozenset[int] = frozenset(),
        rows: dict[Any, int] | None = None,
    ) -> None:
        self.frame = frame
        self.schema = schema
        self.dead = dead
        self.rows = rows
        self.reader = Reader(frame, schema)


class Storage:
    """Records by id, in order of insertion, in one vectorised frame.

    `table()` is an immutable snapshot of all rows, shared until the next change; `find` and
    `apply` take microseconds. Changes gather in an overlay and are folded into the frame when a
    snapshot is asked for. Safe for several threads and event loops: readers never wait for a
    computation or a file, writers take turns for the microseconds that an `apply` takes besides `before`.

    Without a `key` records have no id: they can be read and added, not found. `apart`: ints stay ints
    when floats come into their field.
    """

    def __init__(
        self, frame: pl.DataFrame, schema: Schema, key: tuple[str, ...], *, apart: bool = False
    ) -> None:
        self.key = key
        self.apart = apart
        self._base = _Base(frame, schema)
        self._overlay: dict[Any, dict[str, Any] | None] = {}
        self._revisions: dict[Any, int] = {}
        self._changes = 0
        self._since = 0
        self._folded: Table | None = Table(frame=frame, schema=schema)
        self._writing = threading.Lock()  # taken before the others, and held while a file is written
        self._lock = threading.Lock()
        self._folding = threading.Lock()

    @property
    def height(self) -> int:
        """The number of records."""
        return self.table().frame.height

    @property
    def is_quick(self) -> bool:
        """Whether `table()` returns at once or after a millisecond, so that it needs no thread."""
        if self._folded is not None:
            return True
        # The first conversion of some types imports pyarrow, and with it pandas: half a second.
        warm = "pyarrow" in sys.modules and "pandas" in sys.modules
        return warm and self._base.frame.height + len(self._overlay) <= _QUICK

    @property
    def is_indexed(self) -> bool:
        """Whether `find` can answer without building the index first."""
        return self._base.rows is not None or self._base.frame.height <= _QUICK

    @property
    def is_full(self) -> bool:
        """Whether the overlay has grown so large that it should be folded."""
        return len(self._overlay) > _FULL

    def table(self) -> Table:
        """All rows as an immutable snapshot. Blocking when changes have to be folded in."""
        folded = self._folded
        return folded if folded is not None else self.fold()

    def build_index(self) -> None:
        """Builds the index by id; about 0.2 s a million rows. Blocking."""
        with self._folding:
            if self._base.rows is None:
                self._base.rows = _index(self._base, self.key)

    def find(self, record_id: Any) -> dict[str, Any] | None:
        """A copy of the record, or None."""
        known = distinct(record_id)
        found = self._overlay.get(known, _ABSENT)
        if found is not _ABSENT:
            return None if found is None else copied(found)
        base = self._base
        if base.rows is None:
            self.build_index()
            return self.find(record_id)
        row = base.rows.get(known)
        if row is None:
            return None
        if row >= base.frame.height:  # added and folded since the look into the overlay
            return self.find(record_id)
        return base.reader.document(row)

    def has(self, record_id: Any) -> bool:
        """Whether there is such a record."""
        known = distinct(record_id)
        found = self._overlay.get(known, _ABSENT)
        if found is not _ABSENT:
            return found is not None
        if self._base.rows is None:
            self.build_index()
        return known in (self._base.rows or ())

    def revision(self, record_id: Any) -> int:
        """A number that grows with every change of the record."""
        return self._revisions.get(distinct(record_id), self._since)

    def apply(self, edits: Sequence[Edit], before: Callable[[], object] | None = None) -> list[int]:
        """Applies all edits, or none: then the indexes of those whose revision no longer holds.

        `before` runs once they are known to hold and before any shows; when it raises, none does.
        """
        with self._writing:
            stale = [i for i, edit in enumerate(edits) if self.revision(edit.id) != edit.revision]
            if stale:
                return stale
            if before is not None:
                before()
            with self._lock:
                self._put(edits)
        return []

    def _put(self, edits: Sequence[Edit]) -> None:
        self._folded = None
        for edit in edits:
            self._changes += 1
            known = distinct(edit.id)
            self._revisions[known] = self._changes
            self._overlay[known] = edit.document
        if len(self._revisions) > _TOLD_APART:
            self._renumber()

    def replace_all(
        self, frame: pl.DataFrame, schema: Schema, before: Callable[[], object] | None = None
    ) -> None:
        """Puts other rows in the place of all that there are; `before` as of `apply`."""
        with self._writing:
            if before is not None:
                before()
            with self._folding, self._lock:
                self._overlay = {}
                self._changes += 1
                self._renumber()
                self._base = _Base(frame, schema)
                self._folded = Table(frame=frame, schema=schema)

    def _renumber(self) -> None:
        """Gives all records one new revision: edits under way find theirs stale, and are made again."""
        self._since, self._revisions = self._changes, {}

    def fold(self) -> Table:
        """Folds the overlay into the base, and gives the snapshot as of its start. Blocking."""
        with self._folding:
            with self._lock:
                overlay, changes = dict(self._overlay), self._changes
            base = _folded(self._base, overlay, self.key, self.apart)
            table = Table(frame=_live(base), schema=base.schema)
            with self._lock:
                for record_id, document in overlay.items():
                    if self._overlay.get(record_id, _ABSENT) is document:
                        del self._overlay[record_id]
                self._base = base
                if self._changes == changes:
                    self._folded = table
            return table


def _index(base: _Base, key: tuple[str, ...]) -> dict[Any, int]:
    if not base.frame.height:
        return {}
    columns = Table(frame=base.frame.select(key), schema=base.schema.select(key))
    ids = [distinct(key_of(document, key)) for document in columns.documents]
    rows = {record_id: row for row, record_id in enumerate(ids)}
    for row in base.dead:
        if rows.get(ids[row]) == row:
            del rows[ids[row]]
    return rows


def _live(base: _Base) -> pl.DataFrame:
    if not base.dead:
        return base.frame
    alive = pl.repeat(True, base.frame.height, dtype=pl.Boolean, eager=True).scatter(list(base.dead), False)
    return base.frame.filter(alive)


def _folded(
    base: _Base, overlay: dict[Any, dict[str, Any] | None], key: tuple[str, ...], apart: bool
) -> _Base:
    """The base with the overlay's documents in their rows or at the end, its tombstones dead."""
    if not overlay:
        return base
    put = {i: document for i, document in overlay.items() if document is not None}
    height = base.frame.height
    frame, schema = grown(base.frame, base.schema, list(put.values()), apart=apart)
    if not key:
        return _Base(_rechunked(frame), schema)
    if base.rows is None:
        base.rows = _index(base, key)
    rows = base.rows
    patched = [(rows[i], height + n) for n, i in enumerate(put) if i in rows]
    added = {i: height + n for n, i in enumerate(put) if i not in rows}
    if patched:
        places, values = zip(*patched, strict=True)
        kept = pl.int_range(height, eager=True).scatter(places, values)
        frame = frame[pl.concat([kept, pl.Series(added.values(), dtype=pl.Int64)])]
    rows.update(zip(added, range(height, frame.height), strict=True))
    dead = base.dead | {rows.pop(i) for i, document in overlay.items() if document is None and i in rows}
    folded = _Base(_rechunked(frame), schema, dead, rows)
    return _compacted(folded, key) if len(dead) > _DEAD + frame.height // 10 else folded


def _compacted(base: _Base, key: tuple[str, ...]) -> _Base:
    compact = _Base(_live(base), base.schema)
    compact.rows = _index(compact, key)
    return compact


def _rechunked(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rechunk() if frame.n_chunks() > 16 else frame
