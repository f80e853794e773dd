"""Bringing inferred columns to the fields a caller declared, without losing anything silently."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import polars as pl

from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.columns import Builder, Mixed, Nested, type_name
from xrepo_nb.schema.foreign import plain
from xrepo_nb.schema.report import FieldReport
from xrepo_nb.schema.types import EXACT, DataType, Field
from xrepo_nb.schema.unite import recast_series, united_absence, united_type


class Misfits(Exception):
    """Rows whose value no conversion brings to the declared field, with the reason each."""

    def __init__(self, rows: dict[int, str]) -> None:
        self.rows = rows


class Misfit(Exception):
    """A value that does not fit; the text says why, in types."""


def fitted(
    column: Nested, declared: Field, values: Callable[[], list[Any]], builder: Builder, keep: bool
) -> Nested:
    """The column as the declared field. `values` gives its values as they came.

    `keep`: what does not fit unchanged stays as it was inferred. Raises `Misfits`.
    """
    if declared.type.kind == "mixed":
        return Nested(
            pl.Series(column.series.name, values(), dtype=pl.Object), _described(column.field, declared)
        )
    done = _widened(column, declared)
    if done is not None and (keep or not _lacking(column, declared)):
        return done
    if keep:
        return Nested(column.series, _described(column.field, declared))
    return _converted(values(), declared, builder)


def _lacking(column: Nested, declared: Field) -> bool:
    return declared.absence == "never" and column.field.absence != "never"


def _widened(column: Nested, declared: Field) -> Nested | None:
    """The column in the declared type, if that changes no value."""
    kind = united_type(column.field.type, _bare(declared.type))
    if kind is None:
        return None
    kind = _declared_absence(kind, declared.type)
    target = column.series.dtype if _bare(kind) == _bare(column.field.type) else kind.to_polars()
    field = _described(Field(column.field.name, kind, column.field.absence), declared)
    return Nested(recast_series(column.series, target), field)


def _bare(kind: DataType) -> DataType:
    """The type without what its nested fields say of absence."""
    fields = tuple(replace(f, type=_bare(f.type), absence="never") for f in kind.fields)
    return replace(kind, fields=fields, item=kind.item and _bare(kind.item))


def _declared_absence(found: DataType, declared: DataType) -> DataType:
    """The type, with the declared absence for nested fields that are never absent so far."""
    fields = []
    for field in found.fields:
        wanted = declared.field(field.name)
        if wanted is not None:
            absence = wanted.absence if field.absence == "never" else field.absence
            field = replace(field, type=_declared_absence(field.type, wanted.type), absence=absence)
        fields.append(field)
    item = found.item and declared.item and _declared_absence(found.item, declared.item)
    return replace(found, fields=tuple(fields), item=item or found.item)


def _described(found: Field, declared: Field) -> Field:
    """The declared field with the type and absence that were found."""
    absence = declared.absence if found.absence == "never" else found.absence
    return Field(
        declared.name, found.type, absence, declared.description, declared.enum,
        declared.source, declared.lineage, declared.extra,
    )  # fmt: skip


def _converted(values: list[Any], declared: Field, builder: Builder) -> Nested:
    """The column of converted values: where null and missing meet, both become what the field
    declares; what no typed column holds even then is mixed."""
    seen = builder.report.fields.get(declared.name)
    reason = ""
    for level in (False, True):
        entry = FieldReport(declared.name)
        made = _fit_all(values, declared, _Fitting(entry.coerce, level))
        absent = [value is MISSING for value in made]
        builder.report.forget(declared.name)
        builder.report.fields[declared.name] = entry
        try:
            cells = [None if value is MISSING else value for value in made]
            column = builder.field(declared.name, cells, declared.name, sum(absent))
        except Mixed as mixed:
            reason = str(mixed)
            continue
        done = _widened(column, declared)
        if done is not None:
            break
    else:
        entry.hint = reason
        absence = united_absence("null" if None in made else "never", "missing" if any(absent) else "never")
        mixed_field = Field(declared.name, DataType("mixed"), absence)
        series = pl.Series(declared.name, made, dtype=pl.Object)
        done = Nested(series, _described(mixed_field, declared))
    if seen is not None:
        entry.types, entry.nulls = seen.types, seen.nulls
    return done


def _fit_all(values: list[Any], declared: Field, fitting: _Fitting) -> list[Any]:
    made: list[Any] = []
    bad: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            made.append(fitting.field(value, declared))
        except Misfit as misfit:
            bad[row] = str(misfit)
    if bad:
        raise Misfits(bad)
    return made


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Converts values. `level`: null and missing become what the field declares of the two."""

    note: Callable[[str], None]
    level: bool = False

    def field(self, value: Any, declared: Field) -> Any:
        if value is not MISSING and value is not None:
            return self.value(value, declared.type)
        if declared.absence == "never":
            raise Misfit("no value where one is required")
        if self.level and value is MISSING and declared.absence == "null":
            self.note("missing read as null")
            return None
        if self.level and value is None and declared.absence == "missing":
            self.note("null read as missing")
            return MISSING
        return value

    def value(self, value: Any, kind: DataType) -> Any:
        if value is None or kind.kind in ("mixed", "null"):
            return value
        value = plain(value, self.note)
        if type(value) is not _EXPECTED[kind.kind] and type_name(type(value)) != kind.kind:
            value = self.converted(value, kind)
        if kind.kind == "int" and not -(2**63) <= value < 2**63:
            raise Misfit("an int beyond 64 bits")
        if kind.kind == "object":
            return self.object(value, kind)
        if kind.kind == "array" and kind.item is not None:
            return [self.value(item, kind.item) for item in value]
        return value

    def converted(self, value: Any, kind: DataType) -> Any:
        try:
            made = _CONVERSIONS[kind.kind](value)
        except (ValueError, InvalidOperation, OverflowError):
            made = None
        if made is None:
            raise Misfit(f"{type_name(type(value))} where {kind.kind} is declared")
        self.note(f"{type_name(type(value))} read as {kind.kind}")
        return made

    def object(self, value: dict[str, Any], kind: DataType) -> dict[str, Any]:
        made = {}
        for field in kind.fields:
            try:
                item = self.field(value.get(field.name, MISSING), field)
            except Misfit as misfit:
                raise Misfit(f"{field.name}: {misfit}") from None
            if item is not MISSING:
                made[field.name] = item
        made |= {name: item for name, item in value.items() if kind.field(name) is None}
        if [name for name in made if name in value] != [name for name in value if name in made]:
            self.note("fields put in the declared order")
        return made


def fit(value: Any, kind: DataType, note: Callable[[str], None]) -> Any:
    """The value as that type, noted when it had to be converted. Raises `Misfit`.

    >>> fit("12", DataType("int"), print)
    string read as int
    12
    """
    return _Fitting(note).value(value, kind)


_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _int(value: Any) -> int | None:
    if type(value) is float and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def _float(value: Any) -> float | None:
    if type(value) is int and abs(value) <= EXACT:
        return float(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _decimal(value: Any) -> Decimal | None:
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _datetime(value: Any) -> datetime | None:
    if type(value) is date:
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _objectid(value: Any) -> Any:
    if not (isinstance(value, str) and re.fullmatch("[0-9a-f]{24}", value)):
        return None
    from bson import ObjectId

    return ObjectId(value)


def _text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: read(value) if isinstance(value, str) else None


def _never(_: Any) -> None:
    return None


_EXPECTED: Mapping[str, type] = {
    "string": str, "int": int, "float": float, "bool": bool, "decimal": Decimal, "datetime": datetime,
    "date": date, "time": time, "duration": timedelta, "binary": bytes, "uuid": UUID, "objectid": type(None),
    "object": dict, "array": list,
}  # fmt: skip
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "string": _never, "int": _int, "float": _float, "bool": _never, "decimal": _decimal,
    "datetime": _datetime, "date": _text(date.fromisoformat), "time": _text(time.fromisoformat),
    "duration": _never, "binary": _never, "uuid": _text(UUID), "objectid": _objectid,
    "object": _never, "array": _never,
}  # fmt: skip
