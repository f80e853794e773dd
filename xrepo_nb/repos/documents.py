"""Single documents: copying them, their ids, and reading one out of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.core.plain import plain
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.nesting import check_nesting, too_deep
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field


def copied(value: Any) -> Any:
    """A copy that shares no list and no dict with the original, of Python's own values."""
    if type(value) in _ATOMS:
        return value
    try:
        return _copied(value)
    except RecursionError:
        too_deep("")


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: item if type(item) in _ATOMS else _copied(item) for name, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) in _ATOMS else _copied(item) for item in value]
    return plain(value)


_ATOMS = frozenset({str, int, float, bool, type(None)})


def key_of(document: Mapping[str, Any], key: tuple[str, ...]) -> Any:
    """The hashable id of a document: the key field's value, a tuple for several fields.

    Raises `XRepoValidationError` when a field of the key is not there.
    """
    values = []
    for name in key:
        value = document.get(name, MISSING)
        if value is MISSING or value is None:
            raise XRepoValidationError(
                f"there is no value for the key {name!r}", asked=name, exists=tuple(document), hint="give one"
            )
        values.append(hashable(value))
    return values[0] if len(values) == 1 else tuple(values)


def as_key(given: Any, key: tuple[str, ...], schema: Schema) -> Any:
    """The hashable form of an id as callers give it: a value; a tuple or dict for several fields.

    A value is read as its field's type, as filters do: ISO text for a time, say. Raises
    `XRepoValidationError` when it gives no value for a field of the key.
    """
    if isinstance(given, Mapping | list | tuple):
        check_nesting(".".join(key), [given])
    if len(key) == 1:
        return known_id(_held(key_of({key[0]: given}, key), key[0], schema))
    parts = zip(key_of(_by_field(given, key), key), key, strict=True)
    return known_id(tuple(_held(part, name, schema) for part, name in parts))


def _held(value: Any, name: str, schema: Schema) -> Any:
    if type(value) in _NUMBERS:
        return value
    from xrepo_nb.query.typing.comparable import as_held

    field = schema.field(name)
    return value if field is None else as_held(value, field.type.kind)


_NUMBERS = frozenset({int, float, bool})


def _by_field(given: Any, key: tuple[str, ...]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Sequence) and not isinstance(given, str | bytes) and len(given) == len(key):
        return dict(zip(key, given, strict=True))
    raise XRepoValidationError(
        "the id must give a value for each field of the key",
        exists=key,
        hint=f"pass a tuple ({', '.join(key)})",
    )


def known_id(record_id: Any) -> Any:
    """The id itself; raises `XRepoValidationError` for NaN, which is equal to nothing, not even to itself."""
    if isinstance(record_id, tuple):
        for part in record_id:
            known_id(part)
    elif record_id != record_id:
        raise XRepoValidationError("NaN is no id: it is equal to nothing", hint="give another")
    return record_id


def same_id(a: Any, b: Any) -> bool:
    """Whether two ids are one: equal numbers are, but True is not 1, as in filters.

    >>> same_id(1, 1.0), same_id(1, True), same_id((1, "x"), (True, "x"))
    (True, False, False)
    """
    return bool(distinct(a) == distinct(b))


def distinct(record_id: Any) -> Any:
    """What stands for an id in a dict or set, where Python takes True for 1: equal for the same id alone.

    >>> len({distinct(record_id) for record_id in (1, 1.0, True, 0, False)})
    4
    """
    kind = type(record_id)
    if kind is bool:
        return _TRUTHS[record_id]
    return tuple(map(distinct, record_id)) if kind is tuple else record_id


_TRUTHS = (object(), object())


def hashable(value: Any) -> Any:
    """The value itself, or a tuple in place of a list or dict."""
    if isinstance(value, dict):
        return tuple((name, hashable(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(hashable(item) for item in value)
    return plain(value)


class Reader:
    """Reads single rows of a frame as documents, in microseconds where the columns are plain."""

    def __init__(self, frame: pl.DataFrame, schema: Schema) -> None:
        self.frame = frame
        self._schema = schema
        self._names = frame.columns
        self._plain = all(_is_plain(f) for f in schema.fields)
        self._whole = self._plain and all(f.absence in ("never", "null") for f in schema.fields)
        self._optional = frozenset(f.name for f in schema.fields if f.absence == "missing")

    def document(self, row: int) -> dict[str, Any]:
        """The document of that row."""
        if self._whole:
            return dict(zip(self._names, self.frame.row(row), strict=True))
        if not self._plain:
            return to_documents(self.frame.slice(row, 1), self._schema)[0]
        values = zip(self._names, self.frame.row(row), strict=True)
        return {name: v for name, v in values if v is not None or name not in self._optional}


def _is_plain(field: Field) -> bool:
    """Whether Polars gives the value of a row exactly as the document holds it."""
    return field.absence in ("never", "null", "missing") and _is_plain_type(field.type)


def _is_plain_type(kind: DataType) -> bool:
    if kind.kind in ("uuid", "objectid", "mixed"):
        return False
    if any(f.absence not in ("never", "null") or not _is_plain_type(f.type) for f in kind.fields):
        return False
    return kind.item is None or _is_plain_type(kind.item)
