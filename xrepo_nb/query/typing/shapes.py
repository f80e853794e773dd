"""Documents by type: fields set, kept and dropped along paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from xrepo_nb.query.expressions import Path
from xrepo_nb.query.typing.values import UNKNOWN, Value, field_of, named
from xrepo_nb.schema.types import DataType, Field

Fields = tuple[Field, ...]


def with_path(fields: Fields, path: Path, value: Value, expression: str | None = None) -> Fields:
    """The fields with the value at `path`, in place where it was, else at the end."""
    name, rest = path[0], path[1:]
    old = named(fields, name)
    if rest:
        value = _nested(old, rest, value)
    new = field_of(name, value, expression)
    if old is None:
        return (*fields, new)
    return tuple(new if f is old else f for f in fields)


def _nested(old: Field | None, rest: Path, value: Value) -> Value:
    """What a parent becomes when something below it is set; arrays take it in every element."""
    if old is None:
        return Value(DataType("object", with_path((), rest, value)), value.absence, value.lineage)
    return Value(_set_below(old.type, rest, value), "never", (*old.lineage, *value.lineage))


def _set_below(kind: DataType, rest: Path, value: Value) -> DataType:
    if kind.kind == "array" and kind.item is not None:
        return DataType("array", item=_set_below(kind.item, rest, value))
    if kind.kind == "object":
        return DataType("object", with_path(kind.fields, rest, value))
    return UNKNOWN.type if kind.kind == "mixed" else DataType("object", with_path((), rest, value))


def without_path(fields: Fields, path: Path) -> Fields:
    """The fields without what is at `path`."""
    name, rest = path[0], path[1:]
    if not rest:
        return tuple(f for f in fields if f.name != name)
    drop = partial(without_path, path=rest)
    return tuple(replace(f, type=_changed(f.type, drop)) if f.name == name else f for f in fields)


def _changed(kind: DataType, change: Callable[[Fields], Fields]) -> DataType:
    """The type with the fields of its documents, also of those in arrays, changed."""
    if kind.kind == "array" and kind.item is not None:
        return DataType("array", item=_changed(kind.item, change))
    return DataType("object", change(kind.fields)) if kind.kind == "object" else kind


def only_paths(fields: Fields, paths: list[Path]) -> Fields:
    """The fields of which only these paths are kept, in the document's order."""
    below: dict[str, list[Path]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    return tuple(
        f
        if () in below[f.name]
        else replace(f, type=_changed(f.type, partial(only_paths, paths=below[f.name])))
        for f in fields
        if f.name in below
    )
