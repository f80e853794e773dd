"""Documents to typed columns, exactly; what cannot be typed stays as it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.columns import Builder, Mixed, Nested, merged
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Absence, DataType, Field

OnReject = Literal["raise", "report", "keep"]


class Inferred(NamedTuple):
    """Documents as a frame, the schema that reads it, and the report on how it came about."""

    frame: pl.DataFrame
    schema: Schema
    report: InferenceReport


def infer(
    documents: Sequence[dict[str, Any]],
    schema: Schema | Mapping[str, Any] | None = None,
    *,
    on_reject: OnReject = "raise",
    widen: bool = True,
    parse_dates: bool = False,
) -> Inferred:
    report = InferenceReport(rows=len(documents))
    builder = Builder(report, widen, parse_dates)
    columns = [_column(builder, name, values) for name, values in _values(documents)]
    frame = pl.DataFrame([c.series for c in columns]) if columns else pl.DataFrame(height=len(documents))
    return Inferred(frame, Schema(tuple(c.field for c in columns)), report)


def _values(documents):
    if not documents:
        return []
    names = tuple(documents[0])
    if set(map(len, documents)) == {len(names)}:
        try:
            return [(name, [d[name] for d in documents]) for name in names]
        except KeyError:
            pass
    shapes = list(dict.fromkeys(map(tuple, documents)))
    try:
        names = merged(shapes)
    except Mixed:
        names = tuple(dict.fromkeys(name for shape in shapes for name in shape))
    return [(name, [d.get(name, MISSING) for d in documents]) for name in names]


def _column(builder, name, values):
    try:
        return builder.field(name, values, name)
    except Mixed as reason:
        entry = builder.report.at(name)
        entry.type, entry.hint = DataType("mixed"), str(reason)
        entry.coerced.clear()
        absence: Absence = (
            "both"
            if entry.nulls and entry.missing
            else "null"
            if entry.nulls
            else "missing"
            if entry.missing
            else "never"
        )
        return Nested(pl.Series(name, values, dtype=pl.Object), Field(name, DataType("mixed"), absence))
