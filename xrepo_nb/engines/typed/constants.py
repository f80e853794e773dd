"""What engines over typed columns decline: constants that no column holds, positions that no array has."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from xrepo_nb.core.plain import is_unicode
from xrepo_nb.engines.typed.reasons import decline

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_MICROSECOND = timedelta(microseconds=1)


def text(value: str) -> str:
    """Text that a column holds, also as a field's name."""
    return value if is_unicode(value) else decline("text that is not valid Unicode")


def whole(value: int) -> int:
    """An int of 64 bits."""
    return value if value in _INT64 else decline("an integer literal beyond 64 bits")


def duration(value: timedelta) -> timedelta:
    """A duration of microseconds in 64 bits, about 292,000 years."""
    return value if value // _MICROSECOND in _INT64 else decline("a duration beyond 64 bits of microseconds")


def clock(value: time) -> time:
    """A time of day without a zone, which columns do not keep."""
    return value if value.tzinfo is None else decline("a time of day in a time zone")


def position(value: Any, what: str) -> int:
    """A place in an array or text, or a number of them: an int of 32 bits, as MongoDB has it.

    >>> position(-1, "$slice")
    -1
    """
    if type(value) is not int or value not in _INT32:
        decline(f"{what} other than an int of 32 bits")
    return value
