"""Models from frames, fast and exactly."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any, TypeVar

import polars as pl
from pydantic import BaseModel, TypeAdapter, ValidationError

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.schema.collecting import uncollected
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.model_schema import schema_of_model
from xrepo_nb.schema.models import MODULE
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

M = TypeVar("M", bound=BaseModel)

SLICE = 2_000
"""Rows validated in one go; see `documents.SLICE`."""

_WORTH_IT = 1_000
"""Fewer rows are through before it is known whether the way over JSON is open."""


def to_models(frame: pl.DataFrame, schema: Schema, model: type[M]) -> list[M]:
    """The rows as validated models; missing fields stay unset.

    Raises `XRepoValidationError` when a row does not fit the model, naming row and field.
    Blocking; about 3 us a row of five fields, safe to call in a thread beside an event loop.

    >>> from xrepo_nb.schema.inference import infer
    >>> from xrepo_nb.schema.models import build_model
    >>> frame, schema, _ = infer([{"id": 1, "name": "Ada"}])
    >>> to_models(frame, schema, build_model(schema, "users"))
    [User(id=1, name='Ada')]
    """
    over_json = frame.height >= _WORTH_IT and _json_is_exact(frame, schema, model)
    adapter = list_adapter(model)
    out: list[M] = []
    with uncollected():
        for start in range(0, frame.height, SLICE):
            piece = frame.slice(start, SLICE)
            try:
                if over_json and _finite(piece):
                    out += adapter.validate_json(_json_of(piece))
                else:
                    out += adapter.validate_python(to_documents(piece, schema))
            except ValidationError as error:
                raise _refusal(error, start, model) from None
    return out


def _json_of(piece: pl.DataFrame) -> bytes:
    written = BytesIO()  # without a file Polars decodes what Pydantic would have to encode again
    piece.write_json(written)
    return written.getvalue()


@lru_cache(maxsize=256)
def list_adapter(model: type[M]) -> TypeAdapter[list[M]]:
    """What validates a list of such models."""
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def _json_is_exact(frame: pl.DataFrame, schema: Schema, model: type[BaseModel]) -> bool:
    """Whether rows written as JSON by Polars and read by Pydantic give the same models, which is
    faster by half: no type that JSON lacks, no missing field, no validator of the user's own."""
    if model.__module__ != MODULE:
        return False
    expected = {field.name: field.type for field in schema_of_model(model).fields}
    return schema.names == tuple(frame.columns) and all(
        expected.get(field.name) == field.type
        and _plain(field)
        and not (field.absence == "missing" and frame[field.name].null_count())
        for field in schema.fields
    )


def _plain(field: Field) -> bool:
    return all(nested.absence != "missing" and _plain(nested) for nested in field.type.fields) and _json(
        field.type
    )


def _json(kind: DataType) -> bool:
    if kind.kind == "array":
        return kind.item is not None and _plain(Field("item", kind.item))
    return kind.kind in ("string", "int", "float", "bool", "datetime", "date") or bool(kind.fields)


def _finite(piece: pl.DataFrame) -> bool:
    return all(_finite_series(column) for column in piece)


def _finite_series(column: pl.Series) -> bool:
    if column.dtype.is_float():
        return bool(column.is_finite().all())
    if isinstance(column.dtype, pl.Struct):
        return _finite(column.struct.unnest())
    if isinstance(column.dtype, pl.List):
        return _finite_series(column.explode())
    return not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone == "UTC"


def _refusal(error: ValidationError, start: int, model: type[BaseModel]) -> XRepoValidationError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown: list[str] = []
    for one in found[:5]:
        row, *path = one["loc"] or (0,)
        where = ".".join(map(str, path))
        shown.append(f"row {start + int(row) + 1}" + (f", {where}" if where else "") + f": {_reason(one)}")
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return XRepoValidationError(
        f"rows do not fit the model {model.__name__}: " + "; ".join(shown) + more,
        asked=model.__name__,
        hint="generate the model from the source's present schema",
    )


def _reason(one: Any) -> str:
    return str(one["msg"])[0].lower() + str(one["msg"])[1:]
