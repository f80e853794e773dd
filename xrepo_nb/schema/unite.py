"""One type for what two batches of the same field hold, and the cast that brings each there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import chain, pairwise
from typing import Any

import polars as pl

from xrepo_nb.schema.types import Absence, DataType, Field

_ABSENCES: tuple[Absence, ...] = ("never", "null", "missing", "both")


def united_absence(a: Absence, b: Absence) -> Absence:
    """What a null of the joined column stands for.

    >>> united_absence("never", "missing"), united_absence("null", "missing")
    ('missing', 'both')
    """
    return _ABSENCES[_ABSENCES.index(a) | _ABSENCES.index(b)]


def united_type(a: DataType, b: DataType) -> DataType | None:
    """The type that holds the values of both unchanged, or None when only `mixed` does.

    Nulls take any type, objects have the fields of both in an order both keep, those of one
    only being missing in the other.

    >>> old, new = DataType("object", (Field("a", DataType("int"), "never"),)), DataType("object")
    >>> print(united_type(old, new), united_type(old, DataType("int")))
    object<a: int> None
    """
    if a == b:
        return a
    if a.kind == "null" or b.kind == "null":
        return b if a.kind == "null" else a
    if a.kind != b.kind:
        return None
    if a.kind == "array":
        if a.item is None or b.item is None:
            return a if b.item is None else b
        item = united_type(a.item, b.item)
        return item and DataType("array", item=item)
    return _united_objects(a, b) if a.kind == "object" else a


def united_field(a: Field, b: Field) -> Field | None:
    """The field of both, or None when its type or its absence would be mixed."""
    kind, absence = united_type(a.type, b.type), united_absence(a.absence, b.absence)
    return None if kind is None or absence == "both" else Field(a.name, kind, absence)


def _united_objects(a: DataType, b: DataType) -> DataType | None:
    names = merged_names([[f.name for f in a.fields], [f.name for f in b.fields]])
    if names is None:
        return None
    mine, theirs = ({f.name: f for f in t.fields} for t in (a, b))
    fields = []
    for name in names:
        absent = Field(name, DataType("null"), "missing")
        field = united_field(mine.get(name, absent), theirs.get(name, absent))
        if field is None:
            return None
        fields.append(field)
    return DataType("object", tuple(fields))


def merged_names(shapes: Iterable[Sequence[str]]) -> list[str] | None:
    """All names, in an order of which each shape is a part, else as first met; None when the
    shapes contradict each other.

    >>> merged_names([("a", "c"), ("a", "b", "c")])
    ['a', 'b', 'c']
    >>> merged_names([("a", "b"), ("b", "a")])
    """
    followers: dict[str, set[str]] = {}
    for shape in shapes:
        for name in shape:
            followers.setdefault(name, set())
        for before, after in pairwise(shape):
            followers[before].add(after)
    met = {name: i for i, name in enumerate(followers)}
    waiting = Counter(chain.from_iterable(followers.values()))
    ready = [(i, name) for name, i in met.items() if not waiting[name]]
    names = []
    while ready:
        _, name = heappop(ready)
        names.append(name)
        for after in followers[name]:
            waiting[after] -= 1
            if not waiting[after]:
                heappush(ready, (met[after], after))
    return names if len(names) == len(met) else None


def recast(column: pl.Expr, old: Any, new: Any) -> pl.Expr:
    """The column of dtype `old` as `new`, a wider dtype of the same kind: absent fields are null.

    (A Polars cast refuses structs that differ in their fields.)
    """
    if old == new:
        return column
    if isinstance(old, pl.Struct) and isinstance(new, pl.Struct):
        have = {f.name: f.dtype for f in old.fields}
        fields = [
            recast(column.struct.field(f.name), have[f.name], f.dtype).alias(f.name)
            if f.name in have
            else pl.lit(None, dtype=f.dtype).alias(f.name)
            for f in new.fields
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    if isinstance(old, pl.List) and isinstance(new, pl.List):
        return column.list.eval(recast(pl.element(), old.inner, new.inner))
    return column.cast(new)


def recast_series(series: pl.Series, new: Any) -> pl.Series:
    """`recast` of a series."""
    if series.dtype == new:
        return series
    name = series.name
    return series.to_frame().select(recast(pl.col(name), series.dtype, new).alias(name)).to_series()
