"""Tables from what people hold in a notebook: dicts, Polars, pandas, Arrow."""

from __future__ import annotations

import re
from collections import Counter
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
    """Whether it is a pandas frame or series; imports no pandas."""
    of = type(given)
    return of.__module__.partition(".")[0] == "pandas" and of.__name__ in ("DataFrame", "Series")


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
        return _from_arrow(given)
    if is_data(given):
        return _from_documents(given)
    raise XRepoConfigurationError(
        f"cannot read rows from {an(type(given).__name__)}",
        asked=type(given).__name__,
        exists=["list of dicts", "polars", "pandas", "Arrow"],
    )


def _from_frame(given: pl.DataFrame | pl.LazyFrame) -> Made:
    if isinstance(given, pl.LazyFrame):
        lazy, notes = _planned(given)
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


def _planned(given: pl.LazyFrame) -> tuple[pl.LazyFrame, dict[str, str]]:
    try:
        return stored(given)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise XRepoValidationError(
            f"the lazy frame cannot be planned: {reason}", asked="LazyFrame", hint="collect() it to see why"
        ) from None


def _from_pandas(given: Any) -> Made:
    """A pandas frame; its columns of Python objects, and of types that only pandas has, are inferred
    like documents."""
    import pandas as pd

    if type(given).__name__ == "Series":
        given = given.to_frame()
    if not isinstance(given.index, pd.RangeIndex):
        given = given.reset_index()
    given = given.rename(columns=str)
    _must_be_unique(list(given.columns))
    objects = [name for name in given.columns if _is_of_objects(given[name].dtype)]
    typed = _from_frame(pl.from_pandas(given.drop(columns=objects)))
    values = {name: [None if _is_absent(v) else v for v in given[name].tolist()] for name in objects}
    return _together(typed, values, list(given.columns))


def _is_of_objects(dtype: Any) -> bool:
    """Whether Arrow has no type for a column of pandas: its values go one by one."""
    inner = getattr(dtype, "categories", None)
    dtype = dtype if inner is None else inner.dtype
    return (
        dtype.kind == "c"
        or type(dtype).__name__ in ("PeriodDtype", "IntervalDtype", "SparseDtype")
        or (inner is None and str(dtype) == "object")
    )


def _from_arrow(given: Any) -> Made:
    """An Arrow stream; columns of types that Polars does not have are inferred like documents."""
    if type(given).__name__ not in ("Table", "RecordBatch", "RecordBatchReader"):
        return _from_frame(_exported(given))
    import pyarrow as pa

    given = pa.RecordBatchReader.from_stream(given).read_all()
    _must_be_unique(given.column_names)
    others = [field.name for field in given.schema if _ONLY_ARROW.search(str(field.type))]
    typed = _from_frame(pl.DataFrame(given.drop_columns(others) if others else given))
    return _together(typed, {name: given[name].to_pylist() for name in others}, given.column_names)


def _exported(given: Any) -> pl.DataFrame:
    try:
        return pl.DataFrame(given)
    except (pl.exceptions.PolarsError, TypeError) as error:
        kind = type(given).__name__
        raise XRepoValidationError(
            f"the Arrow stream of {an(kind)} is no table that Polars takes ({type(error).__name__})",
            asked=kind,
            hint="name its columns: pyarrow.table({...})",
        ) from None


_ONLY_ARROW = re.compile(r"decimal256|interval|run_end_encoded|list_view|union")
"""Types for which Polars has none, however deep, as Arrow writes them."""


def _must_be_unique(names: Sequence[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise XRepoValidationError(
            f"the frame has two columns named {twice!r}", asked=twice, hint="rename one of them"
        )


def _together(typed: Made, values: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Made:
    """The typed columns, and those whose values are inferred, in the order of the names."""
    if not values:
        return typed
    inferred = infer([dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)])
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
