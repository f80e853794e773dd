"""What a MaterializedRepo starts from: any form of rows, as a typed frame with a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import BaseModel

from xrepo_nb.core.errors import (
    XRepoConflictError,
    XRepoValidationError,
    an,
    chosen,
    counted,
)
from xrepo_nb.repos.documents import distinct, key_of
from xrepo_nb.repos.shaping import plain
from xrepo_nb.resources.tables import table_of
from xrepo_nb.schema.inference import OnReject, infer
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.durable import DurableFile
    from xrepo_nb.schema.report import InferenceReport


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows ready to be owned. `closed`: the schema was given, and is kept to."""

    frame: pl.DataFrame
    schema: Schema
    key: tuple[str, ...]
    closed: bool = False
    report: InferenceReport | None = None
    file: DurableFile | None = None
    declared: frozenset[str] = frozenset()
    stated: Schema | None = None
    """The fields whose types the data or a schema states, whatever the rows hold."""


def load(
    schema: Schema | Mapping[str, Any] | None,
    data: Any,
    model: type[Any] | None = None,
    *,
    primary_key: str | Sequence[str] | None = None,
    path: str | Path | None = None,
    on_reject: OnReject = "raise",
    apart: bool = False,
) -> Loaded:
    """The rows of `data` as a frame, its schema and its key. Blocking.

    `on_reject="report"` leaves out the documents that do not fit the schema, and reports them. `apart`:
    ints among floats stay ints, so that a row tells nothing of the others.
    """
    chosen("on_reject", on_reject, ("raise", "report"))
    if path is not None:
        from xrepo_nb.repos.durable import DurableFile

        file = DurableFile(Path(path))
        found = file.load()
        if found is not None:
            return found
        fresh = load(schema, data, model, primary_key=primary_key, on_reject=on_reject, apart=apart)
        return file.start(fresh)
    wanted = Schema.of(schema) if schema is not None else _schema_of(model)
    table, report = _table(data, wanted, on_reject, apart)
    names = (primary_key,) if isinstance(primary_key, str) else tuple(primary_key or ())
    found_schema = _described(table.schema, wanted, names)
    key = _key(table.frame, found_schema)
    found_schema = found_schema.replace(primary_key=key)
    closed = schema is not None
    stated = wanted or (table.schema if isinstance(data, pl.DataFrame | pl.LazyFrame) else None)
    declared = frozenset(found_schema.names)
    return Loaded(table.frame, found_schema, key, closed, report, None, declared, stated)


def _schema_of(model: type[Any] | None) -> Schema | None:
    if model is None or not issubclass(model, BaseModel):
        return None
    from xrepo_nb.schema.models import schema_of_model

    return schema_of_model(model)


def _table(
    data: Any, wanted: Schema | None, on_reject: OnReject, apart: bool
) -> tuple[Table, InferenceReport | None]:
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        documents = [plain(item) if isinstance(item, BaseModel) else item for item in data]
        return _documents(documents, wanted, on_reject, apart)
    made = table_of(data)
    if wanted is None or not made.table.is_frame or _is_as_asked(made.table, wanted):
        return made.table, made.report
    return _documents(list(made.table.documents), wanted, on_reject, apart)


def _is_as_asked(table: Table, wanted: Schema) -> bool:
    """Whether the columns are of the types that were asked for, with values where there must be."""
    declared = {field.name: field for field in wanted.fields}
    for field in table.schema.fields:
        asked = declared.get(field.name)
        if asked is not None and field.type != asked.type:
            return False
        if asked is not None and asked.absence == "never" and table.frame[field.name].has_nulls():
            return False
    return True


def _documents(
    documents: list[dict[str, Any]], wanted: Schema | None, on_reject: OnReject, apart: bool
) -> tuple[Table, InferenceReport | None]:
    wrong = next((i for i, item in enumerate(documents) if not isinstance(item, Mapping)), None)
    if wrong is not None:
        kind = type(documents[wrong]).__name__
        raise XRepoValidationError(
            f"row {wrong} is {an(kind)}, not a dict", hint="pass a list of dicts, or a frame"
        )
    if not documents:
        return Table.empty(wanted or Schema(())), None
    inferred = infer(documents, schema=wanted, on_reject=on_reject, apart=apart)
    return Table(frame=inferred.frame, schema=inferred.schema), inferred.report


def _described(found: Schema, wanted: Schema | None, key: tuple[str, ...]) -> Schema:
    """The schema of the rows, with what is known of them besides."""
    if wanted is not None:
        fields = tuple(wanted.field(f.name) if f.type == _type(wanted, f.name) else f for f in found.fields)
        found = wanted.replace(fields=tuple(f for f in fields if f is not None))
    missing = next((name for name in key if found.field(name) is None), None)
    if missing is not None:
        raise XRepoValidationError(
            f"there is no field {missing!r} for the key", asked=missing, exists=found.names
        )
    return found.replace(primary_key=key) if key else found


def _type(schema: Schema, name: str) -> Any:
    field = schema.field(name)
    return None if field is None else field.type


def _key(frame: pl.DataFrame, schema: Schema) -> tuple[str, ...]:
    """The key of the rows: the declared one, `_id` (also of no rows at all), or `id` where it serves."""
    if not schema.fields:
        return ("_id",)
    declared = schema.primary_key or (("_id",) if schema.field("_id") is not None else ())
    if declared:
        _must_be_key(frame, schema, declared)
        return declared
    if schema.field("id") is not None and _repeats(frame, schema, ("id",)) == (0, 0):
        return ("id",)
    return ()


def _must_be_key(frame: pl.DataFrame, schema: Schema, key: tuple[str, ...]) -> None:
    absent, twice = _repeats(frame, schema, key)
    if absent:
        raise XRepoValidationError(
            f"{counted(absent, 'row')} without a value for the key {', '.join(key)}", asked=", ".join(key)
        )
    if twice:
        raise XRepoConflictError(
            f"{counted(twice, 'row')} with an id ({', '.join(key)}) that another row has",
            asked=", ".join(key),
            hint="remove the duplicates, or name another primary_key",
        )


def _repeats(frame: pl.DataFrame, schema: Schema, key: tuple[str, ...]) -> tuple[int, int]:
    """How many rows have no value for the key, and how many one that came before."""
    columns = frame.select(key)
    if all(not dtype.is_nested() and dtype != pl.Object for dtype in columns.dtypes):
        given = columns.drop_nulls()
        return columns.height - given.height, given.height - given.n_unique()
    documents = Table(frame=columns, schema=schema.select(key)).documents
    whole = [d for d in documents if all(d.get(name) is not None for name in key)]
    return len(documents) - len(whole), len(whole) - len({distinct(key_of(d, key)) for d in whole})
