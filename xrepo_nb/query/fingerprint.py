"""Fingerprints: stable keys of plans, predicates, expressions and values, for caches."""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any

from xrepo_nb.core.errors import XRepoUnsupportedError


def fingerprint(node: Any) -> str:
    """A key that two nodes share exactly when they ask the same of values of the same types.

    1, 1.0 and True differ, as do the orders of a document's fields; places in the query text
    (`at`) do not count. The same in every process. Raises `XRepoUnsupportedError` for a value
    of a type it does not know.

    >>> fingerprint(1) == fingerprint(1), fingerprint(1) == fingerprint(1.0)
    (True, False)
    """
    parts: list[str] = []
    _write(node, parts.append)
    return blake2b("".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


Emit = Callable[[str], None]


def _write(value: Any, emit: Emit) -> None:
    kind = type(value)
    write = _WRITERS.get(kind)
    if write is not None:
        write(value, emit)
    elif is_dataclass(value):
        _node(value, emit)
    elif isinstance(value, Mapping):
        _document(value, emit)
    else:
        _other(value, emit)


def _text(tag: str) -> Callable[[Any, Emit], None]:
    """A writer of values whose text says all; the length keeps neighbours apart."""

    def write(value: Any, emit: Emit) -> None:
        text = str(value)
        emit(f"{tag}{len(text)}:{text}")

    return write


def _sequence(tag: str) -> Callable[[Any, Emit], None]:
    def write(value: Any, emit: Emit) -> None:
        emit(f"{tag}{len(value)}(")
        for item in value:
            _write(item, emit)
        emit(")")

    return write


def _document(value: Mapping[Any, Any], emit: Emit) -> None:
    emit(f"d{len(value)}(")
    for key, item in value.items():
        _write(key, emit)
        _write(item, emit)
    emit(")")


def _pattern(value: re.Pattern[Any], emit: Emit) -> None:
    emit(f"r{value.flags}")
    _write(value.pattern, emit)


def _node(value: Any, emit: Emit) -> None:
    """A node; of a chain of stages one after the other, for chains may be longer than the stack."""
    while True:
        emit(f"n{type(value).__name__}(")
        for name in _compared(type(value)):
            if name != "input":
                _write(getattr(value, name), emit)
        emit(")")
        below = getattr(value, "input", None)
        if below is None:
            return
        value = below


_COMPARED: dict[type[Any], tuple[str, ...]] = {}


def _compared(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a node's type that tell nodes apart."""
    found = _COMPARED.get(kind)
    if found is None:
        found = _COMPARED[kind] = tuple(item.name for item in fields(kind) if item.compare)
    return found


def _other(value: Any, emit: Emit) -> None:
    """BSON's types and subclasses of plain ones, by name and by what distinguishes them."""
    name = type(value).__name__
    if name == "Regex":
        state = f"{value.flags}/{value.pattern!r}"
    elif name == "Timestamp":
        state = f"{value.time}/{value.inc}"
    elif name == "Binary":
        state = f"{value.subtype}/{bytes(value).hex()}"
    elif name in ("Code", "DBRef") or isinstance(value, (str, int, float, datetime.date, bytes)):
        state = repr(value)
    elif "__str__" in _own(type(value)) or "__repr__" in _own(type(value)):
        state = str(value)
    else:
        raise XRepoUnsupportedError(
            f"a value of type {name!r} has no stable key", asked=name, hint="use plain values in queries"
        )
    _text(f"o{name}")(state, emit)


def _own(kind: type) -> set[str]:
    """The names that a type or its bases define, `object` left out."""
    return {name for base in kind.__mro__ if base is not object for name in vars(base)}


_WRITERS: dict[type, Callable[[Any, Emit], None]] = {
    str: _text("s"),
    int: _text("i"),
    float: lambda value, emit: emit(f"f{value!r};"),
    bool: lambda value, emit: emit("T" if value else "F"),
    type(None): lambda value, emit: emit("N"),
    bytes: lambda value, emit: _text("b")(value.hex(), emit),
    tuple: _sequence("t"),
    list: _sequence("l"),
    dict: _document,
    datetime.datetime: lambda value, emit: _text("D")(value.isoformat(), emit),
    datetime.date: lambda value, emit: _text("y")(value.isoformat(), emit),
    datetime.time: lambda value, emit: _text("h")(value.isoformat(), emit),
    datetime.timedelta: _text("p"),
    decimal.Decimal: _text("m"),
    uuid.UUID: _text("u"),
    re.Pattern: _pattern,
}
