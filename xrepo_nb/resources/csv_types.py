"""The types of CSV columns, decided by every value of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from xrepo_nb.schema.redescribing import Untyped
from xrepo_nb.schema.report import FieldReport, InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType, Field, Kind

Test = Callable[[pl.Expr], pl.Expr]
Tests = Mapping[Any, Test]


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read text: which values it fits exactly, and how the column is made.

    `dtype` is what the scan itself parses; otherwise `convert` makes it from text.
    """

    kind: Kind
    fits: Test
    dtype: Any = pl.String
    convert: Test | None = None
    note: str | None = None


def _is_int(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Int64, strict=False).cast(pl.String) == text


def _is_float(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    exact = number.is_finite() | ~text.str.contains(r"\d")
    return number.is_not_null() & exact & ~_is_coded(text) & ~_is_long(text)


def _is_coded(text: pl.Expr) -> pl.Expr:
    """Leading zeros or a plus sign, as in zip codes and telephone numbers."""
    return text.str.contains(r"^[-+]?0\d|^\+\d")


def _is_long(text: pl.Expr) -> pl.Expr:
    """Integers that a float may not hold exactly."""
    return text.str.contains(r"^[-+]?\d{16,}$")


def _is_bool(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().is_in(["true", "false"])


def _date(text: pl.Expr) -> pl.Expr:
    return text.str.to_date("%Y-%m-%d", strict=False)


def _datetime(pattern: str, format: str, note: str | None = None) -> Reading:
    def convert(text: pl.Expr) -> pl.Expr:
        return text.str.to_datetime(format, strict=False, time_unit="us", time_zone="UTC")

    def fits(text: pl.Expr) -> pl.Expr:
        return text.str.contains(pattern) & convert(text).is_not_null()

    return Reading("datetime", fits, convert=convert, note=note)


_DAY, _CLOCK, _ZONE = r"^\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d(\.\d{1,6})?", r"(Z|[-+]\d\d:?\d\d)$"
_NAIVE = "naive datetime taken as UTC"

NUMBERS = (
    Reading("int", _is_int, pl.Int64),
    Reading("float", _is_float, pl.Float64),
    Reading("bool", _is_bool, pl.Boolean),
)
DATES = (
    Reading("date", lambda text: _date(text).cast(pl.String) == text, convert=_date),
    _datetime(f"{_DAY} {_CLOCK}$", "%Y-%m-%d %H:%M:%S%.f", _NAIVE),
    _datetime(f"{_DAY}T{_CLOCK}$", "%Y-%m-%dT%H:%M:%S%.f", _NAIVE),
    _datetime(rf"{_DAY} \d\d:\d\d$", "%Y-%m-%d %H:%M", _NAIVE),
    _datetime(f"{_DAY} {_CLOCK}{_ZONE}", "%Y-%m-%d %H:%M:%S%.f%#z"),
    _datetime(f"{_DAY}T{_CLOCK}{_ZONE}", "%Y-%m-%dT%H:%M:%S%.f%#z"),
)
TEXT = Reading("string", lambda text: text.is_not_null())
EMPTY = Reading("null", lambda text: text.is_null(), convert=lambda text: text.cast(pl.Null))

Counts = Counter[Any]
"""Of one column: how many values each reading fits, and under names what else was counted."""

_HEAD = 1_000
"""Rows that tell which readings are worth trying on the others."""
_BASIC: Tests = {"value": lambda text: text.is_not_null(), "blank": lambda text: text == ""}
_HINTS: Tests = {"coded": _is_coded, "long": _is_long}


def count_readings(text: pl.LazyFrame, readings: Sequence[Reading]) -> tuple[int, dict[str, Counts]]:
    """The number of rows, and what was counted in each column of text.

    One streaming pass; readings that none of the first values fits are not tried on the others.
    """
    tests: Tests = {**_BASIC, **_HINTS, **{each: each.fits for each in readings}}
    names = text.collect_schema().names()
    _, head = _counted(text.head(_HEAD), dict.fromkeys(names, tests))
    return _counted(text, {name: _worth_counting(head[name], tests) for name in names})


def _worth_counting(head: Counts, tests: Tests) -> Tests:
    if not _told(head):
        return tests
    return {what: test for what, test in tests.items() if what in _BASIC or head[what]}


def _counted(text: pl.LazyFrame, tests: Mapping[str, Tests]) -> tuple[int, dict[str, Counts]]:
    exprs = [
        test(pl.col(name)).sum().alias(f"{i}.{j}")
        for i, (name, of_column) in enumerate(tests.items())
        for j, test in enumerate(of_column.values())
    ]
    row = iter(text.select(pl.len().alias("rows"), *exprs).collect(engine="streaming").row(0))
    rows = next(row)
    return rows, {name: Counter({what: next(row) for what in of_column}) for name, of_column in tests.items()}


def _told(counts: Counts) -> int:
    """How many values there are that say something: not null, and not quoted empty text."""
    return int(counts["value"] - counts["blank"])


def decide(counts: Counts, readings: Sequence[Reading]) -> Reading:
    """The first reading that fits every value but quoted empty text; text when none does."""
    if not counts["value"]:
        return EMPTY
    told = _told(counts)
    return next((reading for reading in readings if told and counts[reading] == told), TEXT)


def typed(scanned: pl.LazyFrame, readings: Mapping[str, Reading]) -> pl.LazyFrame:
    """The scanned columns, those that the scan does not parse itself converted."""
    return scanned.with_columns(
        reading.convert(pl.col(name)) for name, reading in readings.items() if reading.convert is not None
    )


def of_text(text: pl.LazyFrame, chosen: Mapping[str, Reading], readings: Sequence[Reading]) -> Untyped:
    """The rows as text, beside what they came to by the chosen readings, from which the types of some of
    them can be decided anew. Rows that are picked out are looked at again, not held."""
    names = list(chosen)

    def rows() -> Table:
        beside = [pl.col(name).alias(_TEXT_OF + name) for name in names]
        lazy = text.select(*(_read(pl.col(n), r).alias(n) for n, r in chosen.items()), *beside)
        fields = [Field(n, DataType(r.kind)) for n, r in chosen.items()]
        return Table(lazy=lazy, schema=Schema((*fields, *(Field(_TEXT_OF + n, _TEXT) for n in names))))

    def typed(table: Table) -> Table:
        found = table.lazy.select(pl.col(_TEXT_OF + name).alias(name) for name in names)
        rows, counts = count_readings(found, readings)
        now = {name: decide(counts[name], readings) for name in names}
        schema, _ = described(names, [counts[name] for name in names], list(now.values()), rows)
        lazy = found.select(_read(pl.col(name), reading).alias(name) for name, reading in now.items())
        return Table(lazy=lazy, schema=schema)

    return Untyped(rows, typed)


_TEXT_OF, _TEXT = "text of ", DataType("string")


def _read(text: pl.Expr, reading: Reading) -> pl.Expr:
    """The text as the reading has it; what is empty is null but for text."""
    if reading.convert is not None:
        return reading.convert(text)
    if reading.kind == "bool":
        return pl.when(text != "").then(text.str.to_lowercase() == "true")
    return text if reading.kind == "string" else text.cast(reading.dtype, strict=False)


def described(
    names: Sequence[str], counts: Sequence[Counts], chosen: Sequence[Reading], rows: int
) -> tuple[Schema, InferenceReport]:
    """The schema of the columns as read, and the report on it."""
    report = InferenceReport(rows=rows)
    fields = []
    for name, count, reading in zip(names, counts, chosen, strict=True):
        blank = 0 if reading is TEXT else count["blank"]
        nulls = rows - count["value"] + blank
        seen = _seen(count)
        report.fields[name] = entry = FieldReport(name, DataType(reading.kind), seen, nulls)
        entry.hint = _hint(count, seen) if reading is TEXT else None
        if reading.note:
            entry.coerce(reading.note, count[reading])
        if blank:
            entry.coerce("quoted empty text read as null", blank)
        fields.append(Field(name, DataType(reading.kind), "null" if nulls else "never"))
    return Schema(tuple(fields)), report


def _seen(count: Counts) -> dict[str, int]:
    """Values by type: of a column of text those too that would fit another type."""
    seen: Counter[str] = Counter()
    for reading, fitting in count.items():
        if isinstance(reading, Reading):
            seen[reading.kind] += fitting
    seen["float"] -= seen["int"] if seen["float"] else 0
    seen["string"] = count["value"] - sum(seen.values())
    return {kind: number for kind, number in seen.items() if number > 0}


def _hint(count: Counts, seen: dict[str, int]) -> str | None:
    if count["coded"]:
        return "leading zeros or signs: kept as text"
    if count["long"]:
        return "integers too long for a number: kept as text"
    return "several types: kept as text" if len(seen) > 1 else None
