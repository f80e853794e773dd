"""Making a written document fit the fields it is for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import EXACT, HELD, Field

if TYPE_CHECKING:
    from xrepo_nb.repos.storage import Storage


def completed(document: dict[str, Any], schema: Schema, *, closed: bool, name: str) -> dict[str, Any]:
    """A new document as the schema wants it.

    Fields that hold nulls get one where the document has nothing; a field that every row has must
    be there when the schema is closed. Raises `XRepoValidationError`.
    """
    out = fitted(document, schema, closed=closed, name=name)
    for field in schema.fields:
        if field.name in out:
            continue
        if field.absence == "null":
            out[field.name] = None
        elif field.absence == "never" and closed:
            raise XRepoValidationError(f"{name} needs a value for {field.name!r}", asked=field.name)
    return out


def fitted(values: dict[str, Any], schema: Schema, *, closed: bool, name: str) -> dict[str, Any]:
    """Values in the types of their fields: ints become floats where that changes nothing.

    What does not fit is refused when the schema is closed, and otherwise left to widen it.
    """
    out = {}
    for key, value in values.items():
        field = schema.field(key)
        if field is None:
            if closed and value is not MISSING:
                raise XRepoValidationError(f"{name} has no field {key!r}", asked=key, exists=schema.names)
        elif value is not None and value is not MISSING:
            value = _as_float(value, field)
            if closed and not _fits(value, field):
                raise XRepoValidationError(
                    f"field {key!r} of {name} holds {field.type}, not {type(value).__name__}", asked=key
                )
        out[key] = value
    return out


def new_id(schema: Schema, storage: Storage) -> Any:
    """An `_id` that no record has, of the kind that the others have."""
    field = schema.field("_id")
    kind = field.type.kind if field is not None else "string"
    if kind == "int":
        highest = storage.table().frame.get_column("_id").max()
        return int(highest) + 1 if isinstance(highest, int) else 1
    if kind == "uuid":
        return uuid4()
    if kind == "objectid":
        from bson import ObjectId

        return ObjectId()
    return uuid4().hex


def _as_float(value: Any, field: Field) -> Any:
    if field.type.kind == "float" and type(value) is int and -EXACT <= value <= EXACT:
        return float(value)
    return value


def _fits(value: Any, field: Field) -> bool:
    wanted = HELD.get(field.type.kind)
    if wanted is None:
        return True
    if isinstance(value, bool) and field.type.kind != "bool":
        return False
    if field.type.kind == "date" and isinstance(value, datetime):
        return False
    return isinstance(value, wanted)
