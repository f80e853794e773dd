"""Merging what was inferred from parts of a collection into what the whole would give."""

from __future__ import annotations

from collections.abc import Mapping

from xrepo_nb.schema.columns import Mixed, merged
from xrepo_nb.schema.report import FieldReport, InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Absence, DataType, Field


def merge_schemas(first: Schema, second: Schema) -> Schema:
    """The schema of the rows of both.

    Raises `Mixed` where it takes all rows together to tell: types that differ, a field that is
    null here and missing there, names in conflicting order.
    """
    return Schema(_fields(first.fields, second.fields))


def _fields(first: tuple[Field, ...], second: tuple[Field, ...]) -> tuple[Field, ...]:
    mine, others = {f.name: f for f in first}, {f.name: f for f in second}
    if list(mine) == list(others):
        return tuple(_field(mine[name], others[name]) for name in mine)
    names = merged([tuple(mine), tuple(others)])
    return tuple(_field(mine.get(name), others.get(name)) for name in names)


def _field(a: Field | None, b: Field | None) -> Field:
    if a is None or b is None:
        one = a or b
        assert one is not None
        return Field(one.name, one.type, _absence(one.absence, "missing"))
    return Field(a.name, _type(a.type, b.type), _absence(a.absence, b.absence))


def _absence(a: Absence, b: Absence) -> Absence:
    if a == b or b == "never":
        return a
    if a == "never":
        return b
    raise Mixed("both null and missing")


def _type(a: DataType, b: DataType) -> DataType:
    if a == b or b.kind == "null":
        return a
    if a.kind == "null":
        return b
    if a.kind == b.kind == "object":
        return DataType("object", _fields(a.fields, b.fields))
    if a.kind == b.kind == "array":
        return DataType("array", item=_item(a.item, b.item))
    raise Mixed(f"{a} and {b}")


def _item(a: DataType | None, b: DataType | None) -> DataType | None:
    return _type(a, b) if a and b else a or b


def merge_reports(first: InferenceReport, second: InferenceReport) -> InferenceReport:
    """The report on the rows of both, whose schemas merge."""
    paths = dict.fromkeys([*first.fields, *second.fields])
    fields = {path: _entry(path, first, second) for path in paths}
    return InferenceReport(first.rows + second.rows, fields, first.rejected + second.rejected)


def _entry(path: str, first: InferenceReport, second: InferenceReport) -> FieldReport:
    parts = [_known(path, first), _known(path, second)]
    kinds = [part.type for part in parts]
    return FieldReport(
        path,
        _type(*kinds),
        _sum(*(part.types for part in parts)),
        sum(part.nulls for part in parts),
        sum(part.missing for part in parts),
        _sum(*(part.coerced for part in parts)),
    )


def _known(path: str, report: InferenceReport) -> FieldReport:
    """The report's entry; of a path it lacks, one that counts its enclosing objects as lacking it."""
    if path in report.fields:
        return report[path]
    parent = path.rpartition(".")[0]
    if not parent or path.endswith("[]"):
        return FieldReport(path, missing=0 if path.endswith("[]") else report.rows)
    return FieldReport(path, missing=report[parent].types.get("object", 0) if parent in report.fields else 0)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in dict.fromkeys([*first, *second])}
