"""Logical types: one vocabulary for what every source holds, and its Polars storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args
from uuid import UUID

import polars as pl

Kind = Literal[
    "string", "int", "float", "decimal", "bool", "datetime", "date", "time", "duration",
    "binary", "uuid", "objectid", "object", "array", "mixed", "null",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
NUMERIC: frozenset[str] = frozenset({"int", "float", "decimal"})
"""The kinds of numbers, which are compared with each other."""

EXACT = 2**53
"""Up to here a float holds every int, of either sign."""

MOMENT = pl.Datetime("us", "UTC")
"""How a datetime is stored."""

Absence = Literal["never", "null", "missing", "both"]
"""What a Polars null of a column stands for: it has none, a null value, or an absent field.
Only a `mixed` column may hold both."""


@dataclass(frozen=True, slots=True)
class DataType:
    """A logical type; `fields` of an object, `item` of an array.

    | kind | Polars storage |
    |---|---|
    | string int float decimal bool | String, any Int or UInt, any Float, Decimal, Boolean |
    | datetime date time duration | Datetime("us", "UTC"), Date, Time, Duration |
    | binary uuid objectid | Binary (uuid: 16 bytes, objectid: 12) |
    | object array | Struct, List |
    | mixed | Object: each value as it came, absent ones the `MISSING` mark |
    | null | Null: only nulls were seen |

    >>> str(DataType("array", item=DataType("int")))
    'array<int>'
    """

    kind: Kind
    fields: tuple[Field, ...] = ()
    item: DataType | None = None

    def __str__(self) -> str:
        if self.kind == "array":
            return f"array<{self.item}>" if self.item else "array"
        if self.kind == "object" and self.fields:
            return "object<" + ", ".join(f"{f.name}: {f.type}" for f in self.fields) + ">"
        return self.kind

    @property
    def is_typed(self) -> bool:
        """Whether no `mixed` occurs in it at any depth, so that engines can vectorise it."""
        if self.kind == "mixed":
            return False
        return all(f.type.is_typed for f in self.fields) and (not self.item or self.item.is_typed)

    def holds(self, kind: Kind) -> bool:
        """Whether it is of the kind, or such occurs in it at any depth."""
        if self.kind == kind:
            return True
        return any(f.type.holds(kind) for f in self.fields) or (
            self.item is not None and self.item.holds(kind)
        )

    def field(self, name: str) -> Field | None:
        """The nested field of an object, or None."""
        return next((f for f in self.fields if f.name == name), None)

    def to_polars(self) -> Any:
        """The Polars dtype that stores it."""
        if self.kind == "object":
            return pl.Struct({f.name: f.type.to_polars() for f in self.fields})
        if self.kind == "array":
            return pl.List(self.item.to_polars() if self.item else pl.Null)
        return _STORAGE[self.kind]


HELD: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "float": (float,),
    "decimal": (Decimal, int),
    "bool": (bool,),
    "datetime": (datetime,),
    "date": (date,),
    "time": (time,),
    "duration": (timedelta,),
    "binary": (bytes,),
    "uuid": (UUID,),
    "object": (dict,),
    "array": (list, tuple),
}
"""The Python types whose values a field of each kind holds as they are; other kinds hold any. A bool is
no int here, and a datetime no date."""

_STORAGE: dict[str, Any] = {
    "string": pl.String,
    "int": pl.Int64,
    "float": pl.Float64,
    "decimal": pl.Decimal(38, 10),
    "bool": pl.Boolean,
    "datetime": MOMENT,
    "date": pl.Date,
    "time": pl.Time,
    "duration": pl.Duration("us"),
    "binary": pl.Binary,
    "uuid": pl.Binary,
    "objectid": pl.Binary,
    "mixed": pl.Object,
    "null": pl.Null,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a collection.

    `absence` tells what a Polars null in its column stands for. `lineage` names the source
    fields or the expression that a view's column comes from. `extra` carries what only some
    sources know (`ui` hints, `native_type`, `aggregation` ...).
    """

    name: str
    type: DataType
    absence: Absence = "null"
    description: str | None = None
    enum: tuple[Any, ...] | None = None
    source: str | None = None
    lineage: tuple[str, ...] = ()
    extra: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        """In short: what is as usual is left out.

        >>> Field("age", DataType("int"), absence="never")
        Field('age', int, absence='never')
        """
        given = [(each, getattr(self, each.name)) for each in fields(self)[2:]]
        more = [f"{each.name}={value!r}" for each, value in given if value != each.default]
        return f"Field({', '.join([repr(self.name), str(self.type), *more])})"

    @property
    def required(self) -> bool:
        """Whether every row has a value."""
        return self.absence == "never"

    def to_dict(self) -> dict[str, Any]:
        """The dict form that the specification shows: `{"type": "int", "required": True, ...}`."""
        out: dict[str, Any] = {"type": self.type.kind, "required": self.required}
        if self.type.kind == "object":
            out["fields"] = {f.name: f.to_dict() for f in self.type.fields}
        if self.type.kind == "array" and self.type.item is not None:
            out["items"] = Field("item", self.type.item).to_dict()
        if self.absence in ("missing", "both"):
            out["absence"] = self.absence
        for name in ("description", "enum", "source", "lineage"):
            value = getattr(self, name)
            if value:
                out[name] = list(value) if isinstance(value, tuple) else value
        return out | dict(self.extra)

    @classmethod
    def from_dict(cls, name: str, info: dict[str, Any]) -> Field:
        """The field that a dict describes; the reverse of `to_dict`."""
        required = info.get("required", False)
        known = {"type", "required", "fields", "items", "absence", "description", "enum", "source", "lineage"}
        return cls(
            name,
            _type_from_dict(info),
            absence=info.get("absence", "never" if required else "null"),
            description=info.get("description"),
            enum=tuple(info["enum"]) if info.get("enum") else None,
            source=info.get("source"),
            lineage=tuple(info.get("lineage", ())),
            extra=tuple((key, value) for key, value in info.items() if key not in known),
        )


def _type_from_dict(info: dict[str, Any]) -> DataType:
    from xrepo_nb.core.errors import XRepoConfigurationError

    kind = _SYNONYMS.get(str(info.get("type", "mixed")), info.get("type", "mixed"))
    if kind not in KINDS:
        raise XRepoConfigurationError(f"unknown type {kind!r}", asked=kind, exists=KINDS)
    nested = tuple(Field.from_dict(name, sub) for name, sub in info.get("fields", {}).items())
    item = _type_from_dict(info["items"]) if kind == "array" and "items" in info else None
    return DataType(kind, nested, item)


_SYNONYMS = {
    "str": "string", "text": "string", "integer": "int", "long": "int", "number": "float",
    "double": "float", "boolean": "bool", "timestamp": "datetime", "list": "array",
    "dict": "object", "bytes": "binary", "any": "mixed",
}  # fmt: skip


def from_polars(dtype: Any) -> DataType:
    """The logical type of a Polars dtype.

    >>> from_polars(pl.List(pl.Int32)).kind
    'array'
    """
    base = dtype.base_type()
    if base is pl.Struct:
        return DataType("object", tuple(Field(f.name, from_polars(f.dtype)) for f in dtype.fields))
    if base in (pl.List, pl.Array):
        return DataType("array", item=from_polars(dtype.inner))
    if base.is_integer():
        return DataType("int")
    if base.is_float():
        return DataType("float")
    return DataType(_KINDS_OF.get(base, "mixed"))


_KINDS_OF: dict[Any, Kind] = {
    pl.String: "string",
    pl.Categorical: "string",
    pl.Enum: "string",
    pl.Boolean: "bool",
    pl.Decimal: "decimal",
    pl.Datetime: "datetime",
    pl.Date: "date",
    pl.Time: "time",
    pl.Duration: "duration",
    pl.Binary: "binary",
    pl.Null: "null",
    pl.Object: "mixed",
}
