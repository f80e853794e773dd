"""Types of values: what an expression gives, and whether it may be absent."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from xrepo_nb.core.frozen import frozen
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.walk import is_position
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Absence, DataType, Field, Kind

_NUMERIC: tuple[Kind, ...] = ("int", "float", "decimal")


@frozen
class Value:
    """The type of a value, how it may be absent, and the source fields it comes from."""

    type: DataType
    absence: Absence = "never"
    lineage: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """The kind of its type."""
        return self.type.kind

    @property
    def item(self) -> Value:
        """An element of it, when it is an array."""
        if self.kind != "array":
            return Value(MIXED, "both", self.lineage)
        return Value(self.type.item or MIXED, "null", self.lineage)

    def of(self, kind: Kind, absence: Absence | None = None) -> Value:
        """A value of a plain kind that comes from this one."""
        return Value(DataType(kind), self.absence if absence is None else absence, self.lineage)

    def absent(self, absence: Absence) -> Value:
        """The same value, absent in that way."""
        return replace(self, absence=absence)

    def nullable(self) -> Value:
        """The same value, where missing counts as null."""
        return self if self.absence == "never" else self.absent("null")


MIXED = DataType("mixed")
NULL = DataType("null")
UNKNOWN = Value(MIXED, "both")
NOTHING = Value(NULL, "missing")


def either(a: Absence, b: Absence) -> Absence:
    """The absence of what is sometimes one and sometimes the other."""
    if a == b or b == "never":
        return a
    return b if a == "never" else "both"


def nullable(values: Iterable[Value]) -> Absence:
    """The absence of an operator's result that is null when an argument is null or missing."""
    return "never" if all(value.absence == "never" for value in values) else "null"


def joined(a: DataType, b: DataType) -> DataType:
    """The narrowest type that holds values of both; `mixed` when none does."""
    if a == b or b.kind == "null":
        return a
    if a.kind == "null":
        return b
    if a.kind in _NUMERIC and b.kind in _NUMERIC:
        return numeric((a, b))
    if a.kind == b.kind == "array":
        return DataType("array", item=joined(a.item or NULL, b.item or NULL))
    if a.kind == b.kind == "object":
        return DataType("object", merged(a.fields, b.fields))
    return MIXED


def merged(left: tuple[Field, ...], right: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields of objects that are sometimes of one form and sometimes of the other."""
    others = {f.name: f for f in right}
    names = {f.name for f in left}
    found = [
        replace(
            f,
            type=joined(f.type, others[f.name].type),
            absence=either(f.absence, others[f.name].absence),
        )
        if f.name in others
        else replace(f, absence=either(f.absence, "missing"))
        for f in left
    ]
    found += [replace(f, absence=either(f.absence, "missing")) for f in right if f.name not in names]
    return tuple(found)


def union(values: Iterable[Value]) -> Value:
    """What is one of several values."""
    found: Value | None = None
    for value in values:
        found = value if found is None else _both(found, value)
    return UNKNOWN if found is None else found


def _both(a: Value, b: Value) -> Value:
    return Value(joined(a.type, b.type), either(a.absence, b.absence), lineage(a, b))


def lineage(*values: Value) -> tuple[str, ...]:
    """All source fields of the values, each once."""
    return tuple(dict.fromkeys(name for value in values for name in value.lineage))


def numeric(types: Iterable[DataType]) -> DataType:
    """The type of a sum of such numbers; what is no number counts as a float."""
    rank = max((_NUMERIC.index(t.kind) if t.kind in _NUMERIC else 1 for t in types), default=0)
    return DataType(_NUMERIC[rank])


def summed(types: Iterable[DataType]) -> DataType:
    """The type of a sum that passes over what is no number."""
    return numeric(t for t in types if t.kind in _NUMERIC or t.kind == "mixed")


def array_of(value: Value, absence: Absence = "never") -> Value:
    """An array of such values."""
    return Value(DataType("array", item=value.type), absence, value.lineage)


def object_of(fields: Iterable[Field], absence: Absence = "never", source: tuple[str, ...] = ()) -> Value:
    """A document of the fields."""
    return Value(DataType("object", tuple(fields)), absence, source)


def root_of(schema: Schema) -> Value:
    """The whole document."""
    return object_of(schema.fields, source=tuple(dict.fromkeys(n for f in schema.fields for n in f.lineage)))


def named(fields: tuple[Field, ...], name: str) -> Field | None:
    """The field of that name, or None."""
    for field in fields:
        if field.name == name:
            return field
    return None


def resolved(root: Value, path: Path, *, positions: bool = True) -> Value | None:
    """The value at a path below `root`; None where the schema has no such field.

    A path walks into arrays: its value is then an array, without the absent ones; a number
    in it picks an element of an array, or with `positions` false, as in expressions, does not.
    """
    found = root
    for i, name in enumerate(path):
        kind = found.kind
        if kind == "array" and is_position(name):
            if not positions:
                return Value(MIXED, "both", found.lineage)
            found = found.item.absent("both")
            continue
        if kind == "array":
            inner = resolved(found.item, path[i:], positions=positions)
            if inner is None:
                return None
            return Value(DataType("array", item=inner.type), _through(found.absence, "never"), inner.lineage)
        if kind in ("mixed", "null"):
            return Value(MIXED, "both", found.lineage)
        field = named(found.type.fields, name) if kind == "object" else None
        if field is None:
            return None
        absence = _through(found.absence, field.absence)
        origin = field.lineage or tuple(f"{outer}.{name}" for outer in found.lineage)
        found = Value(field.type, absence, origin)
    return found


def meets_array(root: Value, path: Path) -> bool:
    """Whether an array lies on the path, so that its value is an array, if only an empty one."""
    found: DataType | None = root.type
    for name in path:
        if found is None or found.kind == "array":
            break
        field = named(found.fields, name)
        found = None if field is None else field.type
    return found is not None and found.kind == "array"


def _through(outer: Absence, inner: Absence) -> Absence:
    """Below a null or missing object every field is missing."""
    return inner if outer == "never" else either(inner, "missing")


_CONSTANT_KINDS: dict[type, Kind] = {
    bool: "bool", int: "int", float: "float", str: "string", bytes: "binary", uuid.UUID: "uuid",
    decimal.Decimal: "decimal", datetime.datetime: "datetime", datetime.date: "date",
    datetime.time: "time", datetime.timedelta: "duration",
}  # fmt: skip
_BSON_KINDS: dict[str, Kind] = {
    "ObjectId": "objectid", "Decimal128": "decimal", "Int64": "int", "Binary": "binary",
}  # fmt: skip


def constant(value: Any) -> Value:
    """The type of a constant."""
    if value is None:
        return Value(NULL, "null")
    if isinstance(value, Mapping):
        return object_of(_field(name, constant(item)) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return array_of(union([constant(item) for item in value]) if value else Value(NULL))
    kind = _CONSTANT_KINDS.get(type(value)) or _BSON_KINDS.get(type(value).__name__)
    return Value(DataType(kind) if kind else MIXED)


def _field(name: str, value: Value) -> Field:
    return Field(name, value.type, value.absence, lineage=value.lineage)


def field_of(name: str, value: Value, expression: str | None = None) -> Field:
    """A column of such values; `expression` tells how it is computed."""
    extra = (("expression", expression),) if expression else ()
    return Field(name, value.type, value.absence, lineage=value.lineage, extra=extra)
