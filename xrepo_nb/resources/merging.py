"""What was inferred from parts of a collection, as inferring the whole would have it."""

from __future__ import annotations

from collections.abc import Mapping

from xrepo_nb.schema.report import FieldReport, InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType
from xrepo_nb.schema.unite import united_type


def united_schema(first: Schema, second: Schema) -> Schema | None:
    """The schema of the rows of both; None where a field would be mixed."""
    whole = united_type(DataType("object", first.fields), DataType("object", second.fields))
    return None if whole is None else Schema(whole.fields)


def united_report(first: InferenceReport, second: InferenceReport, schema: Schema) -> InferenceReport:
    """The report on the rows of both, whose schemas unite to `schema`."""
    paths = dict.fromkeys([*first.fields, *second.fields])
    fields = {path: _entry(path, first, second) for path in paths}
    for field in schema.fields:
        fields[field.name].type = field.type
    return InferenceReport(first.rows + second.rows, fields, first.rejected + second.rejected)


def _entry(path: str, first: InferenceReport, second: InferenceReport) -> FieldReport:
    a, b = _known(path, first), _known(path, second)
    return FieldReport(
        path,
        united_type(a.type, b.type) or a.type,
        _sum(a.types, b.types),
        a.nulls + b.nulls,
        a.missing + b.missing,
        _sum(a.coerced, b.coerced),
    )


def _known(path: str, report: InferenceReport) -> FieldReport:
    """The report's entry; of a path it lacks, one that counts the enclosing objects as lacking it."""
    if path in report.fields:
        return report[path]
    parent = path.rpartition(".")[0]
    if path.endswith("[]"):
        return FieldReport(path)
    if not parent:
        return FieldReport(path, missing=report.rows)
    return FieldReport(path, missing=report[parent].types.get("object", 0) if parent in report.fields else 0)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in dict.fromkeys([*first, *second])}
