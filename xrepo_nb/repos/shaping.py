"""Rows in, records out: documents and model instances, and back."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from xrepo_nb.core.errors import XRepoValidationError, an
from xrepo_nb.core.offload import offload
from xrepo_nb.core.plain import plain as plain_scalar
from xrepo_nb.governance.policy import Grant
from xrepo_nb.repos.documents import copied
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.rows import list_adapter, to_models
from xrepo_nb.schema.table import Table

_SLICE = 5_000
"""Records validated at a stretch: longer ones would hold up the event loop."""

_INLINE = 1_000


async def documents_of(table: Table) -> list[dict[str, Any]]:
    """The rows as documents that belong to the caller."""
    if len(table) <= _INLINE:
        return _documents(table)
    return await offload(_documents, table)


def _documents(table: Table) -> list[dict[str, Any]]:
    if table.is_frame:
        return to_documents(table.frame, table.schema)
    return [copied(document) for document in table.documents]


async def records_of(table: Table, model: type[BaseModel] | None, grant: Grant) -> list[Any]:
    """The rows as instances of the model, cut down to what the grant shows; dicts without a model."""
    if model is None:
        return await documents_of(table)
    shown = shown_model(model, grant)
    if len(table) <= _INLINE:
        return _records(table, shown)
    return await offload(_records, table, shown)


def _records(table: Table, model: type[BaseModel]) -> list[Any]:
    if table.is_frame:
        return to_models(table.frame, table.schema, model)
    documents = _documents(table)
    parts = (documents[start : start + _SLICE] for start in range(0, len(documents), _SLICE))
    return [record for part in parts for record in validated(model, part)]


def record_of(document: dict[str, Any], model: type[BaseModel] | None, grant: Grant) -> Any:
    """One document as `records_of` gives it."""
    return document if model is None else validated(shown_model(model, grant), [document])[0]


def validated(model: type[BaseModel], documents: list[dict[str, Any]]) -> list[Any]:
    """Instances of the model; raises `XRepoValidationError` that names fields, not values."""
    try:
        return list_adapter(model).validate_python(documents)
    except ValidationError as error:
        hint = "pass a model that fits, or none to get dicts"
        raise mismatch(error, model, hint, first=1) from None


def mismatch(
    error: ValidationError, model: type[BaseModel], hint: str, first: int = 0
) -> XRepoValidationError:
    """What Pydantic found, without the values; `first` steps of each place are left out."""
    found = [
        f"{'.'.join(str(step) for step in item['loc'][first:]) or 'record'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return XRepoValidationError(
        f"the data does not fit {model.__name__}: {'; '.join(found[:5])}{more}",
        asked=model.__name__,
        hint=hint,
    )


def shown_model(model: type[BaseModel], grant: Grant) -> type[BaseModel]:
    """The model itself, or one of the same name with only the fields that the grant shows."""
    if grant.fields.is_all and not grant.masks:
        return model
    return _narrowed(
        model, grant.fields.allow, grant.fields.deny, frozenset(path[0] for path, _ in grant.masks)
    )


@lru_cache(maxsize=256)
def _narrowed(model: type[BaseModel], allow: Any, deny: Any, masked: frozenset[str]) -> type[BaseModel]:
    from xrepo_nb.governance.policy import FieldSet

    fields = FieldSet(allow, deny)
    kept: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        path = (info.alias or name,)
        if fields.shows(path):
            loose = path[0] in masked or not fields.reaches(path)
            kept[name] = (Any, _loose(info)) if loose else (info.annotation, info)
    config = ConfigDict(**{**model.model_config, "extra": "ignore"})
    return create_model(model.__name__, __config__=config, **kept)


def _loose(info: FieldInfo) -> FieldInfo:
    """The field without what it demands of values: a masked one may hold any."""
    found = copy(info)
    found.metadata = []
    return found


def document_of(given: Any, model: type[BaseModel] | None) -> tuple[dict[str, Any], BaseModel | None]:
    """A record to be written, as a document that belongs to us, and as an instance of the model.

    Raises `XRepoValidationError` when it does not fit the model, or has fields that the model
    would silently drop.
    """
    if model is not None:
        instance = _instance(given, model)
        return plain(instance), instance
    if isinstance(given, BaseModel):
        return plain(given), None
    if not isinstance(given, Mapping):
        raise XRepoValidationError(
            f"a record is a dict or a model instance, not {an(type(given).__name__)}",
            asked=type(given).__name__,
        )
    wrong = next((name for name in given if not isinstance(name, str)), None)
    if wrong is not None:
        raise XRepoValidationError("field names are strings", asked=repr(wrong))
    return copied(dict(given)), None


def _instance(given: Any, model: type[BaseModel]) -> BaseModel:
    if isinstance(given, model):
        return given
    document = plain(given) if isinstance(given, BaseModel) else copied(given)
    if isinstance(document, Mapping) and model.model_config.get("extra", "ignore") == "ignore":
        known = field_names(model)
        extra = next((name for name in document if name not in known), None)
        if extra is not None:
            raise XRepoValidationError(f"{model.__name__} has no field {extra!r}", asked=extra, exists=known)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise mismatch(error, model, "a repo's `schema` shows its fields and their types") from None


@lru_cache(maxsize=256)
def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The names under which a document may give the model's fields."""
    names: list[str] = []
    for name, info in model.model_fields.items():
        names.append(_written(name, info))
        if name not in names and model.model_config.get("populate_by_name"):
            names.append(name)
    return tuple(names)


def _written(name: str, info: FieldInfo) -> str:
    return info.serialization_alias or info.alias or name


def plain(instance: BaseModel) -> dict[str, Any]:
    """The instance as a document: aliases as names, nested models as dicts, enums as their values.

    An optional field that was left out, and is None by default, stays out.
    """
    left_out = {
        name
        for name, info in type(instance).model_fields.items()
        if name not in instance.model_fields_set and getattr(instance, name) is None
    }
    found = instance.model_dump(by_alias=True, exclude=left_out or None)
    return {name: _plain_value(value) for name, value in found.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: _plain_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain_value(item) for item in value]
    return plain_scalar(value)
