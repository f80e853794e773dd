"""Typed columns from Python values, exactly: one builder a kind, or `Mixed` when none holds them.

Every pass over the values is one at C speed (`set(map(type, ...))`, comprehensions, Polars' and
Arrow's constructors with a known type), because a million documents come this way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from itertools import chain, repeat
from operator import attrgetter, iconcat, itemgetter, sub
from types import NoneType
from typing import Any
from uuid import UUID

import polars as pl

from xrepo_nb.schema.dates import has_dates, read_dates
from xrepo_nb.schema.foreign import plain
from xrepo_nb.schema.nesting import MAX_FIELDS
from xrepo_nb.schema.report import FieldReport, InferenceReport
from xrepo_nb.schema.types import EXACT, MOMENT, Absence, DataType, Field
from xrepo_nb.schema.unite import merged_names

Column = tuple[pl.Series, DataType]

MAX_DEPTH = 64
"""Deeper documents stay as they came."""


class Mixed(Exception):
    """No typed column holds these values exactly; the text says why."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A column and the field that describes it."""

    series: pl.Series
    field: Field


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds columns, and counts in `report` what it sees.

    `widen`: ints among floats become floats, other libraries' scalars Python's own, each
    reported; otherwise such columns are `Mixed`. `parse_dates`: text that is ISO 8601
    throughout becomes dates or datetimes. `apart`: ints among floats stay ints all the same.
    """

    report: InferenceReport
    widen: bool = True
    parse_dates: bool = False
    apart: bool = False

    def field(self, name: str, values: list[Any], path: str, missing: int = 0, depth: int = 0) -> Nested:
        """The column of one field; of the None among its values, `missing` stand for no field."""
        entry = self.report.at(path)
        quick = _quick(values) if self.widen else None
        if quick is not None:
            series, kind = quick
            empty = series.null_count()
            entry.count({kind.kind: len(values) - empty, "null": empty - missing})
        else:
            types = count_types(values)
            types[NoneType] -= missing
            entry.count({type_name(of): count for of, count in types.items()})
            del types[NoneType]
            series, kind = self.column(values, types, entry, depth)
            empty = series.null_count()
        if missing and empty > missing:
            raise Mixed("both null and missing")
        if self.parse_dates and kind.kind == "string":
            series, kind = self._dates(series, entry)
        absence: Absence = "missing" if missing else "null" if empty else "never"
        return Nested(series.alias(name), Field(name, kind, absence))

    def _dates(self, text: pl.Series, entry: FieldReport) -> Column:
        read = read_dates(text)
        if read is None:
            entry.hint = "some values are dates, others are not" if has_dates(text) else None
            return text, DataType("string")
        entry.coerce(f"text read as {read[1].kind}", len(text) - text.null_count())
        return read

    def fields(self, documents: Sequence[dict[str, Any]], path: str, depth: int) -> list[Nested]:
        """The columns of nested documents, in the one order that all of them keep."""
        names, present = list(documents[0]), Counter[str]()
        if list(chain.from_iterable(documents)) != names * len(documents):
            names, present = _several_shapes(documents, path)
        most = 2 * MAX_FIELDS if depth <= _SHARED else MAX_FIELDS // 5
        if len(names) + len(self.report.fields) > most:
            raise Mixed(f"{path} and the fields before it have more than {most:,} names")
        if not all(type(name) is str for name in names):
            raise Mixed(f"{path} has names that are not text")
        out = []
        for name in names:
            if missing := len(documents) - (present[name] or len(documents)):
                values = list(map(dict.get, documents, repeat(name)))
            else:
                values = list(map(itemgetter(name), documents))
            out.append(self.field(name, values, f"{path}.{name}", missing, depth + 1))
        return out

    def column(self, values: list[Any], types: Counter[type], entry: FieldReport, depth: int) -> Column:
        """The column of values of these types, of which None is null."""
        if depth > MAX_DEPTH:
            raise Mixed(f"nested deeper than {MAX_DEPTH}")
        if len(types) > 1 or not all(map(_known, types)):
            values, types = self._unified(values, types, entry)
        if not types:
            return pl.Series(values, dtype=pl.Null), DataType("null")
        kind = next(iter(types))
        build = _BUILDERS.get(kind) or _objectids
        if build in _DENSE and types[kind] < len(values):
            present = [value for value in values if value is not None]
            series, made = build(self, present, entry, depth)
            return _spread(series, values), made
        try:
            return build(self, values, entry, depth)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            what = _UNHELD.get(kind, f"{type_name(kind)} values that no column holds")
            raise Mixed(f"{entry.path} has {what}") from error

    def _unified(
        self, values: list[Any], types: Counter[type], entry: FieldReport
    ) -> tuple[list[Any], Counter[type]]:
        """The values as one type, when that loses nothing; reported."""
        if self.widen and not all(map(_known, types)):
            values = [value if _known(type(value)) else plain(value, entry.coerce) for value in values]
            types = count_types(values)
            types.pop(NoneType, None)
        if self.widen and not self.apart and types.keys() == {int, float}:
            if any(type(value) is int and not -EXACT <= value <= EXACT for value in values):
                raise Mixed(f"{entry.path} has floats, and ints beyond 2**53 that no float holds")
            entry.coerce("int read as float", types[int])
            return values, Counter({float: types.total()})
        if len(types) > 1 or not all(map(_known, types)):
            raise Mixed(f"{entry.path} holds " + " and ".join(sorted(map(type_name, types))))
        return values, types


_UNHELD = {int: "ints beyond 64 bits", str: "text that is not valid Unicode"}
_WIDE, _SPARSE = 256, 10
_SHARED, _MANY = 8, 1_000_000
"""So deep and so many: a few containers that hold each other, over and over."""


def count_types(values: Sequence[Any]) -> Counter[type]:
    """How many values there are of each type."""
    types = list(map(type, values))  # counts faster than what `countOf` goes through one by one
    first = types[0] if types else NoneType
    count = types.count(first)
    return Counter({first: count}) if count == len(types) else Counter(types)


def type_name(of: type) -> str:
    """The name of a type in reports: a kind's where there is one."""
    return _NAMES.get(of) or ("objectid" if of.__name__ == "ObjectId" else of.__name__)


def _several_shapes(documents: Sequence[dict[str, Any]], path: str) -> tuple[list[str], Counter[str]]:
    shapes = Counter(map(tuple, documents))
    names = merged_names(shapes)
    if names is None:
        raise Mixed(f"{path} holds the same names in different orders")
    if len(names) > _WIDE and len(names) * len(documents) > _SPARSE * sum(map(len, documents)):
        raise Mixed(f"{path} has {len(names):,} names, most of them in few documents")
    present: Counter[str] = Counter()
    for shape, count in shapes.items():
        present.update(dict.fromkeys(shape, count))
    return names, present


def _quick(values: list[Any]) -> Column | None:
    """The column of values that are plain scalars of one type, or None when they seem not to be."""
    first = next((value for value in values if value is not None), None)
    of = type(first)
    if of not in _PLAIN:
        return None
    kind, dtype = _PLAIN[of]
    try:
        if not _alike(values, of):
            return None
        series = pl.Series(values, dtype=dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return None
    if of is int and bool in map(type, _flags(series, values)):
        return None
    return series, kind


def _alike(values: list[Any], of: type) -> bool:
    """Whether the values are None or of this type, but for bools and enums among ints.

    Polars' strict constructors take ints for floats, and do not come back from lists among
    scalars that hold themselves. A sum is the fastest look at numbers there is: anything else
    fails it, or makes it something else; but fractions and floats add up to floats.
    """
    if of in (int, bool):
        try:
            return type(sum(values)) is int
        except TypeError:  # at the first None
            return type(sum(filter(None, values))) is int
    types = list(map(type, values))
    return types.count(of) == len(types) or set(types) <= {of, NoneType}


def _flags(series: pl.Series, values: list[Any]) -> Iterable[Any]:
    """Those of the values that may be bools: all of them where picking costs as much."""
    doubtful = (series | 1) == 1
    count = doubtful.sum() or 0
    if count * 3 > len(values):
        return values
    places = pl.int_range(len(values), eager=True).filter(doubtful).to_list() if count else ()
    return map(values.__getitem__, places)


_PLAIN: dict[type, tuple[DataType, Any]] = {
    str: (DataType("string"), pl.String),
    int: (DataType("int"), pl.Int64),
    float: (DataType("float"), pl.Float64),
    bool: (DataType("bool"), pl.Boolean),
}


def _known(of: type) -> bool:
    return (
        of in _BUILDERS or of is NoneType or (of.__name__ == "ObjectId" and of.__module__ == "bson.objectid")
    )


def _spread(series: pl.Series, values: list[Any]) -> pl.Series:
    """The column of the present values, moved to where they stand among all."""
    present = pl.Series([value is not None for value in values], dtype=pl.Boolean)
    position = pl.when(present).then(present.cast(pl.Int64).cum_sum() - 1)
    return series.gather(pl.select(position).to_series())


def _scalars(kind: Any, dtype: Any) -> Callable[..., Column]:
    logical = DataType(kind)

    def build(_: Builder, values: list[Any], entry: FieldReport, depth: int) -> Column:
        return pl.Series(values, dtype=dtype, strict=True), logical

    return build


def _objects(builder: Builder, values: list[Any], entry: FieldReport, depth: int) -> Column:
    nested = builder.fields(values, entry.path, depth)
    if not nested:
        return pl.Series(values, dtype=pl.Struct([])), DataType("object")
    struct = pl.DataFrame({item.field.name: item.series for item in nested}).to_struct()
    return struct, DataType("object", tuple(item.field for item in nested))


def _arrays(builder: Builder, values: list[Any], entry: FieldReport, depth: int) -> Column:
    import pyarrow as pa

    if depth > _SHARED and sum(map(len, values)) > _MANY:
        raise Mixed(f"{entry.path} has more than {_MANY:,} elements")
    elements: list[Any] = reduce(iconcat, values, [])  # half the time of a chain: no iterator for each
    items = builder.field("item", elements, f"{entry.path}[]", depth=depth + 1)
    flat = items.series.to_arrow(compat_level=pl.CompatLevel.newest())
    array = pa.LargeListArray.from_arrays(pa.array(_bounds(values)), flat)
    return pl.Series(array), DataType("array", item=items.field.type)


def _bounds(arrays: list[Any]) -> Any:
    """Where each array begins, and the last ends, among all elements."""
    import numpy as np

    lengths = list(map(len, arrays))
    if lengths.count(lengths[0]) == len(lengths):
        return np.arange(len(lengths) + 1, dtype=np.int64) * lengths[0]
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(np.array(lengths, np.int64), out=bounds[1:])
    return bounds


def _datetimes(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    import pyarrow as pa

    zones = Counter(map(attrgetter("tzinfo"), values))
    naive = zones.pop(None, 0)
    if naive:
        entry.coerce("naive datetime read as UTC", naive)
        values = [v if v.tzinfo is not None else v.replace(tzinfo=UTC) for v in values]
    if shifted := sum(count for zone, count in zones.items() if str(zone) != "UTC"):
        entry.coerce("datetime moved to UTC", shifted)
    # Differences to the epoch become Arrow durations three times faster than datetimes do timestamps.
    since = pa.array(list(map(sub, values, repeat(_EPOCH))), pa.duration("us"))
    return pl.Series(since).to_physical().cast(MOMENT), DataType("datetime")


def _decimals(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    present = [value for value in values if value is not None]
    if not all(value.is_finite() and (value or not value.is_signed()) for value in present):
        raise Mixed(f"{entry.path} has decimals that are NaN, infinite or -0")
    scale = max(0, *(-int(value.as_tuple().exponent) for value in present))
    whole = max(value.adjusted() + 1 for value in present)
    if whole + scale > 38:
        raise Mixed(f"{entry.path} has decimals of more than 38 digits")
    return pl.Series(values, dtype=pl.Decimal(38, scale), strict=True), DataType("decimal")


def _times(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    if any(value is not None and value.tzinfo is not None for value in values):
        raise Mixed(f"{entry.path} has times with a zone")
    return pl.Series(values, dtype=pl.Time, strict=True), DataType("time")


def _uuids(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    raw = [value if value is None else value.bytes for value in values]
    return pl.Series(raw, dtype=pl.Binary), DataType("uuid")


def _objectids(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    raw = [value if value is None else value.binary for value in values]
    return pl.Series(raw, dtype=pl.Binary), DataType("objectid")


def _durations(_: Builder, values: list[Any], entry: FieldReport, __: int) -> Column:
    limit = timedelta(microseconds=2**63 - 1)
    if any(value is not None and not -limit <= value <= limit for value in values):
        raise Mixed(f"{entry.path} has durations beyond 292,000 years")
    return pl.Series(values, dtype=pl.Duration("us"), strict=True), DataType("duration")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DENSE = (_objects, _arrays, _datetimes)
"""Builders that take present values only."""

_BUILDERS: dict[type, Callable[[Builder, list[Any], FieldReport, int], Column]] = {
    str: _scalars("string", pl.String),
    int: _scalars("int", pl.Int64),
    float: _scalars("float", pl.Float64),
    bool: _scalars("bool", pl.Boolean),
    bytes: _scalars("binary", pl.Binary),
    date: _scalars("date", pl.Date),
    datetime: _datetimes,
    time: _times,
    timedelta: _durations,
    Decimal: _decimals,
    UUID: _uuids,
    dict: _objects,
    list: _arrays,
}

_NAMES: dict[type, str] = {
    str: "string", bytes: "binary", timedelta: "duration", Decimal: "decimal", UUID: "uuid",
    dict: "object", list: "array", NoneType: "null",
}  # fmt: skip
