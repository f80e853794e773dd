"""Pydantic models from schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field as ModelField
from pydantic import StrictBool, StrictFloat, StrictInt, create_model

from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.schema.model_schema import schema_of_model
from xrepo_nb.schema.model_source import model_source
from xrepo_nb.schema.naming import attribute_names, class_name, singular
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

__all__ = ["MODULE", "build_model", "model_source", "schema_of_model"]

MODULE = "ns.models"
"""The module that generated models say they are from: their place in the namespace."""


def build_model(
    schema: Schema | Mapping[str, Any],
    name: str = "",
    *,
    enums: bool = False,
    categories: Collection[str] = (),
) -> type[XObjPrototype]:
    """The model of one record of a collection, named after it: `users` gives `User`.

    Nested objects become models of their own; fields that can be null or missing are optional,
    a missing one stays unset. With `enums`, fields of few known values are `Literal`.
    Attributes are Python names; where the source's differ (`_id`, `unit price`, `copy`) that is
    the alias, and both are taken. Validation refuses what the source cannot hold: text or a
    bool for an int, unknown fields (kept instead when only a sample of the source was seen).
    `categories` are text fields by which nobody looks for a record: no part of its fuzzy text.

    >>> from xrepo_nb.schema.inference import infer
    >>> User = build_model(infer([{"_id": 1, "name": "Ada"}, {"_id": 2}]).schema, "users")
    >>> User.model_validate({"_id": 3})
    User(id=3, name=None)
    """
    schema = Schema.of(schema)
    name = name or schema.name or "model"
    sampled = bool(dict(schema.extra).get("sampled"))
    builder = _ModelBuilder(enums, "allow" if sampled else "forbid")
    label = name.rpartition(".")[2]
    model = builder.model(class_name(name), schema.fields, f"One record of {label}.")
    model.__xrepo_schema__ = schema  # type: ignore[attr-defined]
    if categories:
        model.fuzzy_fields = _searchable(schema, categories)
    return model


def _searchable(schema: Schema, categories: Collection[str]) -> tuple[str, ...]:
    """The attributes of the text fields that are no categories."""
    attributes = attribute_names(schema.names, TAKEN)
    texts = (field.name for field in schema.fields if field.type.kind == "string")
    return tuple(attributes[name] for name in texts if name not in categories)


class _ModelBuilder:
    def __init__(self, enums: bool, extra: str) -> None:
        self.enums = enums
        self.settings = {"extra": extra, "protected_namespaces": ()}
        self.names: set[str] = set()

    def model(self, name: str, fields: tuple[Field, ...], doc: str) -> type[XObjPrototype]:
        while name in self.names:
            name += "_"
        self.names.add(name)
        attributes = attribute_names((field.name for field in fields), TAKEN)
        definitions: dict[str, Any] = {}
        for field in fields:
            attribute = attributes[field.name]
            alias = None if attribute == field.name else field.name
            kind = self.annotation(field, name)
            if field.required and not dict(field.extra).get("generated"):
                definitions[attribute] = (kind, ModelField(alias=alias, description=field.description))
            else:
                info = ModelField(default=None, alias=alias, description=field.description)
                definitions[attribute] = (kind | None if kind is not Any else Any, info)
        made: type[XObjPrototype] = create_model(
            name,
            __base__=XObjPrototype,
            __module__=MODULE,
            __doc__=doc,
            __cls_kwargs__=self.settings,
            **definitions,
        )
        return made

    def annotation(self, field: Field, owner: str) -> Any:
        if self.enums and field.enum:
            return Literal[field.enum]
        return self.type(field.type, field.name, owner)

    def type(self, kind: DataType, name: str, owner: str) -> Any:
        if kind.kind == "object" and kind.fields:
            return self.model(owner + class_name(name), kind.fields, f"`{name}` of {owner}.")
        if kind.kind == "array":
            item: Any = Any if kind.item is None else self.type(kind.item, singular(name), owner)
            return list[Any] if item is Any else list[item | None]
        if kind.kind == "objectid":
            from xrepo_nb.schema.objectid import object_id_type

            return object_id_type()
        return ANNOTATIONS[kind.kind]


TAKEN = frozenset(name for name in dir(XObjPrototype) if not name.startswith("_"))
"""Attributes of every model, which no field may hide."""

ANNOTATIONS: Mapping[str, Any] = {
    "string": str, "int": StrictInt, "float": StrictFloat, "bool": StrictBool, "decimal": Decimal,
    "datetime": datetime, "date": date, "time": time, "duration": timedelta, "binary": bytes,
    "uuid": UUID, "object": dict[str, Any], "mixed": Any, "null": Any,
}  # fmt: skip
