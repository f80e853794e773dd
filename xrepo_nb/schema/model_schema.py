"""Schemas from Pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Absence, DataType, Field, Kind


def schema_of_model(model: type[BaseModel]) -> Schema:
    """The schema that a model describes: names as in documents (aliases), types, what may be absent.

    An optional field may be null, one with another default missing. The primary key is the
    field `_id` or `id`, if there is one. What no single type describes is `mixed`.

    >>> class User(BaseModel):
    ...     id: int
    ...     tags: list[str] = []
    >>> schema_of_model(User)["fields"]["tags"]["absence"]
    'missing'
    """
    fields = _fields(model)
    names = {field.name for field in fields}
    key = next((name for name in ("_id", "id") if name in names), None)
    return Schema(fields, name=model.__name__, primary_key=(key,) if key else ())


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    return tuple(_field(name, info) for name, info in model.model_fields.items())


def _field(name: str, info: FieldInfo) -> Field:
    annotation, optional = _without_none(info.annotation)
    kind, values = _type(annotation)
    absence: Absence = "null" if optional else "never" if info.is_required() else "missing"
    alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
    return Field(alias or name, kind, absence, description=info.description, enum=values)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without None, and whether it allowed None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    members = [member for member in get_args(annotation) if member is not NoneType]
    optional = len(members) < len(get_args(annotation))
    if len(members) == 1:
        return _without_none(members[0])[0], optional
    return reduce(or_, members), optional


def _type(annotation: Any) -> tuple[DataType, tuple[Any, ...] | None]:
    """The type, and the values if only some are allowed."""
    origin = get_origin(annotation) or annotation
    if origin is Literal:
        return _of_values(get_args(annotation))
    if not isinstance(origin, type):
        return DataType("mixed"), None
    if issubclass(origin, Enum):
        return _of_values(tuple(member.value for member in origin))
    if issubclass(origin, BaseModel):
        return DataType("object", _fields(origin)), None
    if issubclass(origin, (list, set, frozenset, tuple)):
        return DataType("array", item=_item(get_args(annotation))), None
    if issubclass(origin, Mapping):
        return DataType("object"), None
    if origin.__name__ == "ObjectId":
        return DataType("objectid"), None
    return DataType(next((kind for of, kind in _KINDS if issubclass(origin, of)), "mixed")), None


def _of_values(values: tuple[Any, ...]) -> tuple[DataType, tuple[Any, ...] | None]:
    kinds = {_type(type(value))[0] for value in values}
    return (kinds.pop() if len(kinds) == 1 else DataType("mixed")), values


def _item(arguments: tuple[Any, ...]) -> DataType | None:
    arguments = tuple(argument for argument in arguments if argument is not Ellipsis)
    kinds = {_type(_without_none(argument)[0])[0] for argument in arguments}
    return None if not kinds else kinds.pop() if len(kinds) == 1 else DataType("mixed")


_KINDS: tuple[tuple[type, Kind], ...] = (
    (bool, "bool"), (int, "int"), (float, "float"), (str, "string"), (bytes, "binary"), (Decimal, "decimal"),
    (datetime, "datetime"), (date, "date"), (time, "time"), (timedelta, "duration"), (UUID, "uuid"),
)  # fmt: skip
