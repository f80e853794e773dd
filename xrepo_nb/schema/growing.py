"""Columns that grow slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat
from operator import contains, countOf, itemgetter
from types import NoneType
from typing import Any

import polars as pl

from xrepo_nb.core.plain import is_unicode
from xrepo_nb.schema.columns import Builder, Mixed, Nested, count_types, type_name
from xrepo_nb.schema.nesting import check_width
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.types import DataType, Field
from xrepo_nb.schema.unite import recast_series, united_absence, united_field


class NoDocuments(Exception):
    """Some of the rows are no documents."""


def is_name(name: Any) -> bool:
    """Whether a column can be called so: text, without lone surrogates."""
    return isinstance(name, str) and is_unicode(name)


class Growing:
    """A column of which the slices come one after the other."""

    def __init__(self, name: str, builder: Builder, absent: int = 0) -> None:
        if not is_name(name):
            raise NoDocuments
        self.name = name
        self.builder = builder
        self.pieces: list[pl.Series] = []
        self.field: Field | None = None
        self.settled = True
        if absent:
            self._append(nothing(name, absent))

    def add(self, values: list[Any], missing: int) -> None:
        if self.settled:
            try:
                self._append(self.builder.field(self.name, values, self.name, missing))
            except Mixed:
                self.settled = False

    def _append(self, piece: Nested) -> None:
        field = piece.field if self.field is None else united_field(self.field, piece.field)
        self.settled = field is not None
        self.field = field
        self.pieces.append(piece.series)

    def finish(self) -> Nested | None:
        """The column, or None when the slices do not go together as they are."""
        if not self.settled or self.field is None:
            return None
        if len({piece.dtype for piece in self.pieces}) > 1:
            if _holds_decimals(self.field.type):
                return None
            target = self.field.type.to_polars()
            self.pieces = [recast_series(piece, target) for piece in self.pieces]
        return Nested(pl.concat(self.pieces), self.field)


def plain_documents(part: Sequence[Any]) -> Sequence[dict[str, Any]]:
    """The rows as plain dicts: looking up a name in a `defaultdict` would change it. Raises `NoDocuments`."""
    if list(map(type, part)).count(dict) == len(part):
        return part
    if not all(isinstance(document, Mapping) for document in part):
        raise NoDocuments
    return [dict(document) for document in part]


def split(
    part: Sequence[dict[str, Any]], names: list[str], lacking: int
) -> Iterator[tuple[str, list[Any], int]]:
    """The values of each name, None where it is missing, and how often that is. `names` are
    those known already, of which the documents lack so many, less those not known yet; names
    that some documents lack come after the rest, then new ones.

    Raises `XRepoValidationError` when there are more than a collection may have.
    """
    gaps = []
    for name in names:
        try:
            yield name, list(map(itemgetter(name), part)), 0
        except KeyError:
            gaps.append(name)
    for name in gaps:
        values, missing = _with_gaps(part, name, lacking if name is gaps[-1] else None)
        lacking -= missing
        yield name, values, missing
    if lacking < 0:
        met = dict.fromkeys(chain.from_iterable([names, *part]))
        check_width(len(met))
        for name in list(met)[len(names) :]:
            yield name, *_with_gaps(part, name)


def _with_gaps(
    part: Sequence[dict[str, Any]], name: str, lacking: int | None = None
) -> tuple[list[Any], int]:
    """`lacking`: how often it is missing, and more often if there are names not known yet. It
    cannot be missing more often than it is None, and that is counted faster."""
    values = list(map(dict.get, part, repeat(name)))
    if lacking is not None and list(map(type, values)).count(NoneType) == lacking:
        return values, lacking
    return values, countOf(map(contains, part, repeat(name)), False)


def nothing(name: str, count: int) -> Nested:
    """The column of a field that none of `count` documents has."""
    series = pl.Series(name, [None], dtype=pl.Null).new_from_index(0, count)
    return Nested(series, Field(name, DataType("null"), "missing" if count else "never"))


def mixed(name: str, values: list[Any], reason: str, report: InferenceReport) -> Nested:
    """The column of values as they came, `MISSING` marks included."""
    types = {type_name(of): count for of, count in count_types(values).items()}
    missing = types.pop("Missing", 0)
    entry = report.at(name)
    entry.count(types)
    entry.hint = reason
    absence = united_absence("null" if entry.nulls else "never", "missing" if missing else "never")
    return Nested(pl.Series(name, values, dtype=pl.Object), Field(name, DataType("mixed"), absence))


def _holds_decimals(kind: DataType) -> bool:
    return (
        kind.kind == "decimal"
        or any(_holds_decimals(field.type) for field in kind.fields)
        or (kind.item is not None and _holds_decimals(kind.item))
    )
