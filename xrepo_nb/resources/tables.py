"""Tables from what people hold in a notebook: dicts, Polars, pandas, Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl
from pydantic import BaseModel

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoValidationError, an
from xrepo_nb.resources.storage import stored
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.redescribing import inferred
from xrepo_nb.schema.report import FieldReport, InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table


class Made(NamedTuple):
    """A table, and the report on how it came about."""

    table: Table
    report: InferenceReport


def is_data(given: Any) -> bool:
    """Whether `table_of` takes it; looks at its kind only."""
    if isinstance(given, Table | pl.DataFrame | pl.LazyFrame) or hasattr(given, "__arrow_c_stream__"):
        return True
    if is_pandas(given):
        return True
    return isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray)


def is_pandas(given: Any) -> bool:
    """Whether it is a pandas frame; imports no pandas."""
    return type(given).__module__.partition(".")[0] == "pandas" and type(given).__name__ == "DataFrame"


def table_of(given: Any) -> Made:
    """The rows as a table. Blocks; `given` is never changed, and what frames hold is not copied.

    Takes a list of dicts or of Pydantic models, a Polars frame (a lazy one stays lazy), a pandas
    frame (an index with names becomes columns, NaN null), and what exports an Arrow stream.
    Datetimes become aware UTC. Raises `XRepoConfigurationError` for anything else,
    `XRepoValidationError` naming the item that is no document.

    >>> table_of([{"a": 1}, {"a": 2}]).table.frame["a"].to_list()
    [1, 2]
    """
    if isinstance(given, Table):
        return Made(given, InferenceReport())
    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return _from_frame(given)
    if is_pandas(given):
        return _from_pandas(given)
    if hasattr(given, "__arrow_c_stream__"):
        return _from_frame(pl.DataFrame(given))
    if is_data(given):
        return _from_documents(given)
    raise XRepoConfigurationError(
        f"cannot read rows from {an(type(given).__name__)}",
        asked=type(given).__name__,
        exists=["list of dicts", "polars", "pandas", "Arrow"],
    )


def _from_frame(given: pl.DataFrame | pl.LazyFrame) -> Made:
    if isinstance(given, pl.LazyFrame):
        lazy, notes = stored(given)
        schema = Schema.from_polars(lazy.collect_schema())
        return Made(Table(lazy=lazy, schema=schema), report_of(schema, notes, 0))
    frame, notes = stored(given)
    nulls = frame.null_count().row(0) if frame.width else ()
    schema = Schema.from_polars(frame.schema)
    fields = tuple(f if n else replace(f, absence="never") for f, n in zip(schema.fields, nulls, strict=True))
    schema = schema.replace(fields=fields)
    return Made(Table(frame=frame, schema=schema), report_of(schema, notes, frame.height))


def report_of(schema: Schema, notes: Mapping[str, str], rows: int) -> InferenceReport:
    """The report on columns of stated types, of which `notes` names those whose values changed."""
    report = InferenceReport(rows, {f.name: FieldReport(f.name, f.type) for f in schema.fields})
    for name, note in notes.items():
        report[name].coerce(note, rows)
    return report


def _from_pandas(given: Any) -> Made:
    """A pandas frame; its columns of Python objects are inferred like documents."""
    import pandas as pd

    if not isinstance(given.index, pd.RangeIndex):
        given = given.reset_index()
    if not given.columns.is_unique:
        twice = str(given.columns[given.columns.duplicated()][0])
        raise XRepoValidationError(f"the frame has two columns named {twice!r}", asked=twice)
    given = given.rename(columns=str)
    objects = [name for name in given.columns if given[name].dtype == object]
    typed = _from_frame(pl.from_pandas(given.drop(columns=objects)))
    if not objects:
        return typed
    values = [[None if _is_absent(v) else v for v in given[name].tolist()] for name in objects]
    inferred = infer([dict(zip(objects, row, strict=True)) for row in zip(*values, strict=True)])
    names = list(given.columns)
    fields = {f.name: f for f in (*typed.table.schema.fields, *inferred.schema.fields)}
    frame = pl.concat([typed.table.frame, inferred.frame], how="horizontal").select(names)
    report = InferenceReport(frame.height, typed.report.fields | inferred.report.fields)
    return Made(Table(frame=frame, schema=Schema(tuple(fields[name] for name in names))), report)


def _is_absent(value: Any) -> bool:
    """Whether pandas means by it that there is no value: None, NaN, NaT, NA."""
    return type(value).__name__ in _ABSENT or (isinstance(value, float) and value != value)


_ABSENT = ("NoneType", "NaTType", "NAType")


def _from_documents(given: Sequence[Any]) -> Made:
    documents = [_document(item, at) for at, item in enumerate(given)]
    frame, schema, report = infer(documents)
    return Made(
        Table(frame=frame, schema=schema, untyped=inferred(frame, schema, report, lambda: documents)), report
    )


def _document(item: Any, at: int) -> dict[str, Any]:
    if isinstance(item, Mapping):
        return dict(item)
    if isinstance(item, BaseModel):
        return item.model_dump()
    raise XRepoValidationError(
        f"row {at} is {an(type(item).__name__)}, not a document", hint="pass a list of dicts, or a frame"
    )
