"""BSON values in Python: type names, the order over all types, equality, truth.

`key(value)` is the one notion of sameness and order: equal values (1, 1.0 and the decimal 1; NaN
and NaN) have equal keys, keys of any two values compare, and keys hash. Documents are equal only
with their fields in the same order.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, total_ordering
from typing import Any, TypeGuard

from xrepo_nb.core.errors import XRepoQueryError, an
from xrepo_nb.core.missing import MISSING, Missing
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.query.parsing.patterns import letters_of

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

RANKS = {
    "minKey": -1, "missing": 0, "null": 5, "int": 10, "long": 10, "double": 10, "decimal": 10,
    "string": 15, "object": 20, "array": 25, "binData": 30, "objectId": 35, "bool": 40, "date": 45,
    "timestamp": 47, "time": 48, "duration": 49, "regex": 50, "dbPointer": 55, "javascript": 60,
    "javascriptWithScope": 65, "maxKey": 127,
}  # fmt: skip
"""The place of each type in the order; types of one rank compare by value."""

_NAMES: dict[type, str] = {
    type(None): "null", Missing: "missing", bool: "bool", float: "double", Decimal: "decimal",
    str: "string", dict: "object", list: "array", tuple: "array", bytes: "binData",
    uuid.UUID: "binData", dt.datetime: "date", dt.date: "date", dt.time: "time",
    dt.timedelta: "duration", re.Pattern: "regex",
}  # fmt: skip

_BSON_NAMES = {
    "ObjectId": "objectId", "Int64": "long", "Decimal128": "decimal", "Regex": "regex",
    "Timestamp": "timestamp", "MinKey": "minKey", "MaxKey": "maxKey", "Binary": "binData",
    "DatetimeMS": "date", "SON": "object", "DBRef": "object",
}  # fmt: skip


def type_name(value: Any) -> str:
    """BSON's name for the type of a value; `"missing"` for the mark of an absent field.

    >>> type_name(1), type_name(2**40), type_name(None)
    ('int', 'long', 'null')
    """
    kind = type(value)
    if kind is int:
        return "int" if INT32_MIN <= value <= INT32_MAX else "long"
    return _NAMES.get(kind) or _name_of_class(kind, value)


def _name_of_class(kind: type, value: Any) -> str:
    if kind.__name__ == "Code" and kind.__module__.startswith("bson"):
        return "javascript" if value.scope is None else "javascriptWithScope"
    name = _BSON_NAMES.get(kind.__name__) if kind.__module__.startswith("bson") else None
    if name is None:
        if issubclass(kind, int):
            return "int" if INT32_MIN <= value <= INT32_MAX else "long"
        bases = (dict, list, str, float, bytes, dt.datetime, dt.date)
        name = next((_NAMES[base] for base in bases if issubclass(kind, base)), "object")
    _NAMES[kind] = name
    return name


def rank(value: Any) -> int:
    """The place of the value's type in the order over types."""
    kind = type(value)
    return 10 if kind is int else RANKS[_NAMES.get(kind) or type_name(value)]


def is_absent(value: Any) -> bool:
    """Whether the value is null or missing."""
    return value is None or value is MISSING


def or_null(value: Any) -> Any:
    """The value, or null where it is missing."""
    return None if value is MISSING else value


def is_number(value: Any) -> bool:
    """Whether the value is an int, long, double or decimal."""
    kind = type(value)
    return kind is int or kind is float or rank(value) == 10


def is_decimal(value: Any) -> bool:
    """Whether the value is a decimal, Python's or BSON's."""
    return type_name(value) == "decimal"


def is_integral(value: Any) -> bool:
    """Whether the value is an int or a long."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: Any) -> TypeGuard[str]:
    """Whether the value is a string; BSON's code is none, though Python's class derives from `str`."""
    return type(value) is str or type_name(value) == "string"


def raw(value: Any) -> bytes:
    """The bytes of binary data."""
    return value.bytes if isinstance(value, uuid.UUID) else bytes(value)


def is_nan(value: Any) -> bool:
    """Whether the value is a number that is not a number."""
    if type(value) is float:
        return value != value
    return is_decimal(value) and plain(value).is_nan()


def plain(value: Any) -> Any:
    """A number as Python's own type: `Decimal128` becomes `Decimal`, all others stay."""
    return value.to_decimal() if hasattr(value, "to_decimal") else value


def quiet(value: Any) -> Any:
    """A number as `plain` gives it; the error of a query for a signalling NaN, which is never a double."""
    number = plain(value)
    if isinstance(number, Decimal) and number.is_snan():
        raise XRepoQueryError("a number is a signalling NaN")
    return number


def truth(value: Any) -> bool:
    """Truth by MongoDB's rule: all but false, null, missing and zero; NaN is true.

    >>> truth(""), truth([]), truth(0.0), truth(None)
    (True, True, False, False)
    """
    if value is True or value is False:
        return value
    if value is None or value is MISSING:
        return False
    return not is_number(value) or bool(plain(value))


class _NaN:
    """Takes NaN's place in keys: equal to itself, less than every other number."""

    def __lt__(self, other: Any) -> bool:
        return other is not self

    def __gt__(self, other: Any) -> bool:
        return False

    def __le__(self, other: Any) -> bool:
        return True

    def __ge__(self, other: Any) -> bool:
        return other is self


@total_ordering
class _FarDate:
    """A date outside of Python's range, in keys: beyond every `datetime` on its side."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _FarDate) and other.ms == self.ms

    def __hash__(self) -> int:
        return hash(self.ms)

    def __lt__(self, other: Any) -> bool:
        return self.ms < (other.ms if isinstance(other, _FarDate) else 0)

    def __gt__(self, other: Any) -> bool:
        return self.ms > (other.ms if isinstance(other, _FarDate) else 0)


NAN = _NaN()

Key = Callable[[Any], tuple[Any, ...]]


def key(value: Any) -> tuple[Any, ...]:
    """The sort and equality key of any value: hashable, comparable with all other keys."""
    return (_KEYS.get(type(value)) or _key_of_class(value))(value)


def _key_of_class(value: Any) -> Key:
    name = type_name(value)
    made = _KEYS_BY_NAME[name]
    if not name.startswith("javascript"):
        _KEYS[type(value)] = made
    return made


def _number(value: Any) -> tuple[Any, ...]:
    number = plain(value)
    return (10, NAN if _is_nan(number) else number)


def _is_nan(number: Any) -> bool:
    """Also of a decimal's signalling NaN, which does not let itself be compared."""
    return number.is_nan() if isinstance(number, Decimal) else bool(number != number)


def _object(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, dict):
        if not hasattr(type(value), "as_doc"):
            kind = type(value).__name__
            raise XRepoQueryError(
                f"{an(kind)} is no value of a document", hint="give numbers, text, times ..."
            )
        value = value.as_doc()
    spend(len(value))
    parts = []
    for name, item in value.items():
        place, *rest = key(item)
        parts.append((place, name, *rest))
    return (20, tuple(parts))


def _array(value: Any) -> tuple[Any, ...]:
    spend(len(value) + 1)
    return (25, tuple(map(key, value)))


def _binary(value: Any) -> tuple[Any, ...]:
    if isinstance(value, uuid.UUID):
        return (30, 16, 4, value.bytes)
    return (30, len(value), getattr(value, "subtype", 0), bytes(value))


def _date(value: Any) -> tuple[Any, ...]:
    if isinstance(value, dt.datetime):
        return (45, value if value.tzinfo else value.replace(tzinfo=dt.UTC))
    if isinstance(value, dt.date):
        return (45, dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC))
    from xrepo_nb.engines.document.dates import from_micros

    near = from_micros(int(value) * 1000)
    return (45, near if isinstance(near, dt.datetime) else _FarDate(int(value)))


def _regex(value: Any) -> tuple[Any, ...]:
    text = value.pattern
    # BSON stores a pattern of bytes as the text that they are; bytes that are none sort all the same.
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    return (50, text, letters_of(value.flags))


_KEYS_BY_NAME: dict[str, Key] = {
    "minKey": lambda value: (-1,),
    "missing": lambda value: (0,),
    "null": lambda value: (5,),
    **dict.fromkeys(("int", "long", "double", "decimal"), _number),
    "string": lambda value: (15, value),
    "object": _object,
    "array": _array,
    "binData": _binary,
    "objectId": lambda value: (35, value.binary),
    "bool": lambda value: (40, value),
    "date": _date,
    "timestamp": lambda value: (47, value.time, value.inc),
    "time": lambda value: (48, value.replace(tzinfo=None)),
    "duration": lambda value: (49, value),
    "regex": _regex,
    "javascript": lambda value: (60, str(value)),
    "javascriptWithScope": lambda value: (65, str(value), key(value.scope)),
    "maxKey": lambda value: (127,),
}
_KEYS: dict[type, Key] = {kind: _KEYS_BY_NAME[name] for kind, name in _NAMES.items()}
_KEYS[int] = lambda value: (10, value)


def hash_key(value: Any) -> Any:
    """A hashable that is equal for equal values, cheaper than `key`: plain text and numbers
    stand for themselves. Not to be ordered."""
    kind = type(value)
    if kind is str or kind is int:
        return value
    made = key(value)
    return made[1] if made[0] == 10 else made


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal in MongoDB's sense."""
    kind = type(left)
    if kind is type(right) and (kind is str or kind is int):
        return bool(left == right)
    return key(left) == key(right)


def identical(left: Any, right: Any) -> bool:
    """Whether two values are the same down to the types of numbers."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        spend(len(left))
        return list(left) == list(right) and all(identical(left[name], right[name]) for name in left)
    if isinstance(left, list):
        spend(len(left))
        return len(left) == len(right) and all(map(identical, left, right))
    return key(left) == key(right)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1 in the order over all values; missing is least but for the minimal key."""
    if type(left) is not type(right) or type(left) not in _ORDERED:
        left, right = key(left), key(right)
    return int(left > right) - int(left < right)


_ORDERED = frozenset({int, str})


@lru_cache(maxsize=1)
def _int64() -> Any:
    try:
        from bson.int64 import Int64
    except ImportError:
        return int
    return Int64


def as_long(value: int) -> int:
    """A 64-bit integer that stays one: small ones are marked, where `bson` is there to do it."""
    marked: int = _int64()(value) if INT32_MIN <= value <= INT32_MAX else value
    return marked


def is_long(value: Any) -> bool:
    """Whether an integer is a 64-bit one by its size or by its mark."""
    return type(value) is not int or not INT32_MIN <= value <= INT32_MAX


def copied(value: Any) -> Any:
    """A copy of the containers in a value; scalars are shared."""
    if isinstance(value, dict):
        return owned(dict(value))
    if isinstance(value, list):
        spend(len(value) + 1)
        return [copied(item) if type(item) in _CONTAINERS else item for item in value]
    return value


def owned(document: dict[str, Any]) -> dict[str, Any]:
    """The document, whose own keys may be changed, with copies of the containers in it."""
    spend(len(document))
    for name, item in document.items():
        if type(item) in _CONTAINERS:
            document[name] = copied(item)
    return document


_CONTAINERS = frozenset({dict, list})


def utf8(text: str) -> bytes:
    """The bytes of a text; the error of a query for lone surrogates, which have none."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise XRepoQueryError("the bytes of a text that is not valid Unicode") from None
