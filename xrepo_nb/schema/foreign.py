"""Values of other libraries, made Python's own without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

Note = Callable[[str], None]


def plain(value: Any, note: Note) -> Any:
    """The value as one of Python's own types; the value itself where that loses something.

    Knows tuples, mappings and subclasses of `str`, numpy's scalars and arrays, pandas'
    timestamps, timedeltas and absent values, BSON's Int64 and Decimal128; imports none of them.
    Another kind of value (a tuple is read as an array, NaT as null) is noted, another spelling
    of the same kind is not.

    >>> plain((1, 2), print)
    tuple read as array
    [1, 2]
    """
    made = _plain(value)
    if made is None or type(made) is list:
        note(f"{type(value).__name__} read as {'null' if made is None else 'array'}")
    return made


def _plain(value: Any) -> Any:
    of = type(value)
    library = of.__module__.partition(".")[0]
    if library == "numpy":
        return _numpy(value)
    if library == "pandas":
        return _pandas(value)
    if library == "bson":
        return _bson(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return str.__str__(value)
    return value


def _numpy(value: Any) -> Any:
    made = value.tolist() if hasattr(value, "tolist") else value
    # Instants finer than a microsecond come back as plain ints.
    return value if isinstance(made, int) and value.dtype.kind in "mM" else made


def _pandas(value: Any) -> Any:
    name = type(value).__name__
    if name in ("NaTType", "NAType"):
        return None
    if name == "Timestamp" and not value.nanosecond:
        moment: datetime = value.to_pydatetime()
        return moment
    if name == "Timedelta" and not value.nanoseconds:
        span: timedelta = value.to_pytimedelta()
        return span
    return value


def _bson(value: Any) -> Any:
    name = type(value).__name__
    if name == "Int64":
        return int(value)
    if name == "Decimal128":
        return value.to_decimal()
    if name == "SON":
        return dict(value)
    return value
