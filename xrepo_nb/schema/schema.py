"""Schema: the typed description of a collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, an
from xrepo_nb.schema.nesting import check_nesting
from xrepo_nb.schema.types import Field, from_polars


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index of the source, in its own terms."""

    name: str
    fields: tuple[str, ...]
    unique: bool = False


_SHOWN = 12
"""Fields that a repr names."""


@dataclass(frozen=True, eq=False)
class Schema(Mapping[str, Any]):
    """Fields in order, keys, indexes and where they come from. Immutable.

    It also reads like the dict of the specification: `schema["fields"]["age"]["type"]`.
    `primary_key` is what `read(id)` looks up: field names, empty when there is none.

    >>> from xrepo_nb.schema.types import DataType
    >>> schema = Schema((Field("age", DataType("int")),), name="people")
    >>> schema["fields"]["age"]["type"], schema.names
    ('int', ('age',))
    """

    fields: tuple[Field, ...]
    name: str = ""
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    source: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        fields = ", ".join(f"{f.name}: {f.type}" for f in self.fields[:_SHOWN])
        more = f", ... {len(self.fields) - _SHOWN} more" if len(self.fields) > _SHOWN else ""
        return f"<Schema{f' {self.name!r}' if self.name else ''} {{{fields}{more}}}>"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The field names, in order."""
        return tuple(f.name for f in self.fields)

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {f.name: f for f in reversed(self.fields)}

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return self._by_name.get(name)

    def replace(self, **changes: Any) -> Schema:
        """A copy with the attributes changed."""
        return replace(self, **changes)

    def select(self, names: Iterable[str]) -> Schema:
        """The schema with only those fields, in that order; keys and indexes that lose a field go."""
        kept = tuple(f for f in map(self.field, names) if f is not None)
        have = {f.name for f in kept}
        return self.replace(
            fields=kept,
            primary_key=self.primary_key if have.issuperset(self.primary_key) else (),
            indexes=tuple(i for i in self.indexes if have.issuperset(i.fields)),
        )

    @property
    def is_typed(self) -> bool:
        """Whether no field is `mixed` at any depth."""
        return all(f.type.is_typed for f in self.fields)

    def to_dict(self) -> dict[str, Any]:
        """The dict form of the specification."""
        out: dict[str, Any] = {"fields": {f.name: f.to_dict() for f in self.fields}}
        if self.name:
            out["name"] = self.name
        if self.primary_key:
            out["primary_key"] = list(self.primary_key)
        if self.indexes:
            out["indexes"] = [
                {"name": i.name, "fields": list(i.fields), "unique": i.unique} for i in self.indexes
            ]
        if self.source:
            out["source"] = self.source
        return out | dict(self.extra)

    @classmethod
    def of(cls, given: Schema | Mapping[str, Any]) -> Schema:
        """The schema itself, or the one that a dict in the specification's form describes."""
        if isinstance(given, Schema):
            return given
        if not isinstance(given.get("fields"), Mapping):
            raise XRepoConfigurationError(
                "a schema needs a 'fields' mapping", hint='write {"fields": {"age": {"type": "int"}}}'
            )
        check_nesting("fields", [given["fields"]])
        known = {"fields", "name", "primary_key", "indexes", "source"}
        return cls(
            tuple(Field.from_dict(name, _described(name, info)) for name, info in given["fields"].items()),
            name=given.get("name", ""),
            primary_key=tuple(given.get("primary_key", ())),
            indexes=tuple(
                Index(i["name"], tuple(i["fields"]), i.get("unique", False)) for i in given.get("indexes", ())
            ),
            source=given.get("source"),
            extra=tuple((key, value) for key, value in given.items() if key not in known),
        )

    @classmethod
    def from_polars(cls, schema: pl.Schema | Mapping[str, Any], name: str = "") -> Schema:
        """The schema of a frame; every column may hold nulls."""
        return cls(tuple(Field(n, from_polars(t)) for n, t in schema.items()), name=name)

    def to_polars(self) -> pl.Schema:
        """The Polars schema that stores it."""
        return pl.Schema({f.name: f.type.to_polars() for f in self.fields})

    def __getitem__(self, key: str) -> Any:
        shown = self.to_dict()
        if key not in shown:
            raise KeyError(f"{key!r} is none of {', '.join(shown)}; fields are found by schema.field(name)")
        return shown[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Schema):
            return self.to_dict() == other.to_dict()
        return isinstance(other, Mapping) and self.to_dict() == dict(other)

    __hash__ = None  # type: ignore[assignment]


def _described(name: str, info: Any) -> dict[str, Any]:
    if not isinstance(info, Mapping):
        raise XRepoConfigurationError(
            f"the field {name!r} is described by {an(type(info).__name__)}, not a dict",
            asked=name,
            hint=f'write {{"{name}": {{"type": "int"}}}}',
        )
    return dict(info)
