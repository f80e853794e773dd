"""Text. Positions count code points or UTF-8 bytes; upper and lower case are ASCII's."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from xrepo_nb.engines.document import limits, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.arrays import OPEN, index_range
from xrepo_nb.engines.document.expressions.conversion import text_of
from xrepo_nb.engines.document.expressions.registry import nullable, stops_at_absent, values
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.numbers import fail

UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SPACES = "\0\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))


def need_text(op: str, value: Any) -> str:
    """The value, which must be a string."""
    if not v.is_text(value):
        fail(f"{op} takes a string, not {v.type_name(value)}")
    return _read(value)


def _read(text: str) -> str:
    """The text, of which the length counts: operators go through the whole of it."""
    if len(text) > _LONG:
        spend(len(text) >> 5)
    return text


_LONG = 1_000
"""Shorter texts count for nothing beside the operator itself."""


def _coerced(value: Any) -> str:
    """The text that case and substring operators see: null is empty."""
    name = v.type_name(value)
    if name in ("bool", "objectId"):
        fail(f"{name} is not taken for a string here")
    if name == "javascript":
        return str(value)
    return "" if v.is_absent(value) else _read(text_of(value))


@values("$concat")
def concat(*parts: Any) -> Any:
    if stops_at_absent(parts, lambda part: need_text("$concat", part)):
        return None
    return limits.checked_text("".join(parts))


@values("$toUpper")
def to_upper(value: Any) -> str:
    return _coerced(value).translate(UPPER)


@values("$toLower")
def to_lower(value: Any) -> str:
    return _coerced(value).translate(LOWER)


@values("$strcasecmp")
def strcasecmp(left: Any, right: Any) -> int:
    return v.compare(to_upper(left), to_upper(right))


@values("$strLenCP")
def str_len_cp(value: Any) -> int:
    return len(need_text("$strLenCP", value))


@values("$strLenBytes")
def str_len_bytes(value: Any) -> int:
    return len(v.utf8(need_text("$strLenBytes", value)))


@nullable("$split")
def split(value: Any, separator: Any) -> Any:
    text, by = need_text("$split", value), need_text("$split", separator)
    if not by:
        fail("$split takes a separator that is not empty")
    limits.checked_size(text.count(by) + 1)
    return text.split(by)


def _index(op: str, encode: Callable[[str], Any]) -> None:
    def apply(value: Any, part: Any, start: Any = 0, end: Any = OPEN) -> Any:
        if v.is_absent(value):
            return None
        text, wanted = encode(need_text(op, value)), encode(need_text(op, part))
        first, last = index_range(op, start, end, len(text))
        return text.find(wanted, first, min(last, len(text))) if first <= len(text) else -1

    values(op)(apply)


_index("$indexOfCP", lambda text: text)
_index("$indexOfBytes", v.utf8)


@values("$substrCP")
def substr_cp(value: Any, start: Any, length: Any) -> str:
    text = _coerced(value)
    first = numbers.whole(start, "the start of $substrCP")
    count = numbers.whole(length, "the length of $substrCP")
    if first < 0 or count < 0:
        fail("$substrCP takes a start and a length from zero on")
    return text[first : first + count]


@values("$substr", "$substrBytes")
def substr_bytes(value: Any, start: Any, length: Any) -> str:
    data = v.utf8(_coerced(value))
    first, count = _truncated(start), _truncated(length)
    if first < 0:
        fail(f"$substrBytes takes a start from zero on, not {first}")
    last = len(data) if count < 0 else min(first + count, len(data))
    for edge in (first, last):
        if edge < len(data) and data[edge] & 0xC0 == 0x80:
            fail("$substrBytes would cut a character in two")
    return data[first:last].decode()


def _truncated(value: Any) -> int:
    from xrepo_nb.engines.document.predicates import whole_part

    numbers.need_numbers("$substrBytes", value)
    number = whole_part(value)
    return -1 if number is None else number


def _trim(op: str, strip: Callable[[str, str], str]) -> None:
    def apply(input: Any, chars: Any = _SPACES) -> Any:
        if stops_at_absent((input, chars), lambda given: need_text(op, given)):
            return None
        return strip(input, chars) if chars else input

    values(op)(apply)


_trim("$trim", str.strip)
_trim("$ltrim", str.lstrip)
_trim("$rtrim", str.rstrip)


def _replace(op: str, times: int) -> None:
    def apply(input: Any, find: Any, replacement: Any) -> Any:
        parts = (input, find, replacement)
        for part in parts:
            if not v.is_absent(part):
                need_text(op, part)
        if any(map(v.is_absent, parts)):
            return None
        count = input.count(find) if times < 0 else 1
        if len(input) + count * len(replacement) > limits.MAX_TEXT:
            limits.exceeded(f"the length of the result of {op}", limits.MAX_TEXT)
        return limits.checked_text(input.replace(find, replacement, times))

    values(op)(apply)


_replace("$replaceOne", 1)
_replace("$replaceAll", -1)
