"""Values of other libraries, made Python's own without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

Note = Callable[[str], None]


def plain(value: Any, note: Note) -> Any:
    """The value as one of Python's own types; the value itself where that loses something.

    Knows tuples, mappings, subclasses of `str` and `int`, enums, numpy's scalars and arrays, pandas'
    timestamps, timedeltas, periods, intervals and absent values, BSON's Int64 and Decimal128;
    imports none of them. Another kind of value (a tuple is read as an array, NaT as null, a
    period as text) is noted, another spelling of the same kind is not.

    >>> plain((1, 2), print)
    tuple read as array
    [1, 2]
    """
    made = _plain(value)
    if made is not value and _is_another_kind(value, made):
        note(f"{type(value).__name__} read as {_NAMES[type(made)]}")
    return made


_NAMES: dict[type, str] = {type(None): "null", list: "array", str: "string", int: "int"}


def _is_another_kind(value: Any, made: Any) -> bool:
    if made is None or type(made) is list:
        return True
    if isinstance(value, str | int):
        return False
    return type(made) is str or isinstance(value, Enum)


def _plain(value: Any) -> Any:
    of = type(value)
    if isinstance(value, Enum):
        return value.value if type(value.value) in (str, int) else value
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
    if isinstance(value, int) and of is not bool:
        return int(value)
    return value


def _numpy(value: Any) -> Any:
    made = value.tolist() if hasattr(value, "tolist") else value
    # Instants finer than a microsecond come back as plain ints.
    return value if isinstance(made, int) and value.dtype.kind in "mM" else made


def _pandas(value: Any) -> Any:
    name = type(value).__name__
    if name in ("NaTType", "NAType"):
        return None
    if name in ("Period", "Interval"):
        return str(value)
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
