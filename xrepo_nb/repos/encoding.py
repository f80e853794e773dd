"""Any value of a document as JSON and back, nothing lost."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from xrepo_nb.core.errors import XRepoValidationError, an
from xrepo_nb.core.missing import MISSING, Missing

_TAG = "$"
"""The only key of an encoded value that JSON does not have; a dict with that key is encoded too."""


def encode(value: Any) -> Any:
    """The value in JSON's types.

    >>> encode({"at": date(2024, 1, 2), "n": 3})
    {'at': {'$': ['date', '2024-01-02']}, 'n': 3}
    """
    kind = type(value)
    if value is None or kind in (bool, str) or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TAG: ["float", repr(value)]}
    if kind is list:
        return [encode(item) for item in value]
    if kind is tuple:
        return {_TAG: ["tuple", [encode(item) for item in value]]}
    if kind is dict:
        if _TAG in value or not all(type(name) is str for name in value):
            return {_TAG: ["dict", [[encode(name), encode(item)] for name, item in value.items()]]}
        return {name: encode(item) for name, item in value.items()}
    for name, (of, write, _) in _CODECS.items():
        if kind is of:
            return {_TAG: [name, write(value)]}
    return _encode_bson(value)


def decode(value: Any) -> Any:
    """The value that `encode` was given."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {name: decode(item) for name, item in value.items()}
    name, given = value[_TAG]
    if name == "float":
        return float(given)
    if name == "tuple":
        return tuple(decode(item) for item in given)
    if name == "dict":
        return {decode(key): decode(item) for key, item in given}
    if name == "bson":
        import bson

        return bson.decode(base64.b64decode(given))["v"]
    return _CODECS[name][2](given)


def _encode_bson(value: Any) -> Any:
    if type(value).__module__.partition(".")[0] != "bson":
        raise XRepoValidationError(
            f"{an(type(value).__name__)} cannot be kept in a file",
            asked=type(value).__name__,
            hint="convert it first",
        )
    import bson

    return {_TAG: ["bson", base64.b64encode(bson.encode({"v": value})).decode()]}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo is not None else found


def _span(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


_CODECS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "datetime": (datetime, datetime.isoformat, _moment),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (timedelta, _span, lambda given: timedelta(*given)),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "bytes": (bytes, _text, base64.b64decode),
    "pattern": (re.Pattern, lambda p: [p.pattern, p.flags], lambda given: re.compile(*given)),
    "missing": (Missing, lambda _: None, lambda _: MISSING),
}
