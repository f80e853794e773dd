"""Plain values within a query: paths, numbers, documents, copies of constants."""

from __future__ import annotations

import datetime
import decimal
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, TypeGuard

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.core.plain import plain
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.operators import REFUSED
from xrepo_nb.query.parsing.limits import ATOMS, MAX_PATH, MAX_PATH_TEXT, MAX_VALUES


def fail(message: str, at: str, **context: Any) -> NoReturn:
    """Raises the error of a malformed query."""
    raise XRepoQueryError(message, at=at, **context)


def unknown(what: str, name: str, existing: Iterable[str], at: str) -> NoReturn:
    """Raises the error of a name that is not in the language, or is known and refused."""
    if name in REFUSED:
        fail(f"{name} is refused", at, asked=name, hint=REFUSED[name])
    if len(name) > _SHORT:
        name, at = name[:_SHORT] + "...", at[:_SHORT]
    fail(f"unknown {what} {name!r}", at, asked=name, exists=sorted(existing))


def split_path(text: Any, at: str) -> Path:
    """The steps of a dotted path in a filter, where any name is allowed."""
    if len(text) > MAX_PATH_TEXT:
        raise XRepoLimitError(f"a path of more than {MAX_PATH_TEXT} characters", at=at[:_SHORT])
    path = tuple(text.split("."))
    if len(path) > MAX_PATH:
        raise XRepoLimitError(f"a path of more than {MAX_PATH} steps", at=at[:_SHORT])
    return path


def field_path(text: Any, at: str) -> Path:
    """The steps of a path in a pipeline, where each must be a proper field name."""
    if not isinstance(text, str):
        fail(f"a field path is a string, not {kind(text)}", at, asked=text)
    if len(text) <= _SHORT:
        known = _proper(text)
        if known is not None:
            return known
    if "\0" in text:
        fail("a field path holds no null byte", at)
    path = split_path(text, at)
    for step in path:
        if not step:
            fail(f"the field path {text!r} has an empty part", at, asked=text)
        if step[0] == "$":
            fail(
                f"the field path {text!r} has a part that begins with '$'",
                at,
                asked=text,
                hint="write field names without '$' here, or use $getField and $setField",
            )
    return path


_SHORT = 100


@lru_cache(maxsize=4096)
def _proper(text: str) -> Path | None:
    """The steps of a proper path; None for any other, which is looked at again for its error."""
    path = tuple(text.split("."))
    return path if all(path) and "$" not in text and "\0" not in text else None


def field_name(name: Any, at: str) -> str:
    """A field name that is no path."""
    if not isinstance(name, str):
        fail(f"a field name is a string, not {kind(name)}", at)
    if "." in name:
        fail(f"the field name {name!r} holds a '.'", at, asked=name, hint="nest documents instead")
    return field_path(name, at)[0]


def reference(text: Any, what: str, at: str) -> Path:
    """The path that a string of the form `"$a.b"` names."""
    if not isinstance(text, str) or not text.startswith("$") or text.startswith("$$"):
        fail(f"{what} is a field path with '$' before it", at, hint="write it as '$field'")
    return field_path(text[1:], at)


def document(value: Any, what: str, at: str) -> Mapping[str, Any]:
    """The value, which must be a document."""
    if isinstance(value, (dict, Mapping)):
        return value
    fail(f"{what} takes a document, not {kind(value)}", at)


def named_options(
    given: Any, op: str, known: tuple[str, ...], needed: tuple[str, ...], at: str
) -> Mapping[str, Any]:
    """The options of a stage, all known, none that is needed left out."""
    named = document(given, op, at)
    for name in named:
        if name not in known:
            fail(f"{op} has no option {name!r}", f"{at}.{name}", asked=name, exists=known)
    for name in needed:
        if name not in named:
            fail(f"{op} needs the option {name!r}", at, asked=op)
    return named


def array(value: Any, what: str, at: str) -> list[Any] | tuple[Any, ...]:
    """The value, which must be an array: a list, or a set, range, array or column of values."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (set, frozenset, range)):
        if len(value) > MAX_VALUES:
            raise XRepoLimitError(f"more than {MAX_VALUES:,} elements", at=at, hint="join instead")
        return list(value)
    listed = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    found = listed() if callable(listed) else None
    if isinstance(found, list):
        return found
    fail(f"{what} takes an array, not {kind(value)}", at)


def string(value: Any, what: str, at: str) -> str:
    """The value, which must be a string."""
    if is_text(value):
        return value
    fail(f"{what} takes a string, not {kind(value)}", at)


def is_text(value: Any) -> TypeGuard[str]:
    """Whether the value is a string; BSON's code is none, though Python's class derives from `str`."""
    return type(value) is str or (isinstance(value, str) and type(value).__name__ != "Code")


def flag(value: Any, what: str, at: str) -> bool:
    """The value, which must be a boolean."""
    if isinstance(value, bool):
        return value
    fail(f"{what} takes true or false, not {kind(value)}", at)


def is_number(value: Any) -> bool:
    """Whether the value is a number of any kind; booleans are none."""
    if type(value) is int:
        return True
    if isinstance(value, (int, float, decimal.Decimal)):
        return not isinstance(value, bool)
    return type(value).__name__ == "Decimal128"


def as_float(value: Any) -> float:
    """A number of any kind as a float, infinite beyond the range of floats; NaN also of a signalling one."""
    number = value.to_decimal() if hasattr(value, "to_decimal") else value
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except ValueError:
        return math.nan


def whole(
    value: Any, what: str, at: str, *, least: int | None = None, most: int = 2**63 - 1, truncate: bool = False
) -> int:
    """The value as an int; 2.0 is one, 2.5 is not (unless `truncate`), nor are NaN and True."""
    value = plain(value)
    if type(value) is int:
        number = value
    elif not is_number(value):
        fail(f"{what} takes a whole number, not {kind(value)}", at)
    else:
        exact = value.to_decimal() if hasattr(value, "to_decimal") else value
        if not _is_finite(exact):
            fail(f"{what} takes a whole number, not {value}", at)
        if not -(2**64) < exact < 2**64:  # made an int, a decimal would have as many digits as it likes
            fail(f"{what} takes a number of 64 bits", at)
        number = int(exact)
        if not truncate and exact != number:
            fail(f"{what} takes a whole number, not {value}", at)
    if least is not None and number < least:
        fail(f"{what} takes a number from {least} on, not {_shown(number)}", at)
    if number > most or number < -(2**63):
        fail(f"{what} takes a number up to {most}, not {_shown(number)}", at)
    return number


def _shown(number: int) -> str:
    return str(number) if number.bit_length() < 128 else f"one of {number.bit_length()} bits"


def _is_finite(number: Any) -> bool:
    return number.is_finite() if isinstance(number, decimal.Decimal) else math.isfinite(number)


def is_true(value: Any) -> bool:
    """Truth as MongoDB has it for flags: all but false, null and zero."""
    if isinstance(value, bool):
        return value
    return value is not None and not (is_number(value) and as_float(value) == 0)


def is_pattern(value: Any) -> bool:
    """Whether the value is a regular expression: Python's or BSON's."""
    return isinstance(value, re.Pattern) or (type(value).__name__ == "Regex" and hasattr(value, "flags"))


def copied(value: Any, at: str) -> Any:
    """A constant, safe from later changes by the caller."""
    if type(value) in ATOMS:
        return value
    if isinstance(value, (dict, Mapping)):
        if not all(isinstance(key, str) for key in value):
            fail("the field names of a document are strings", at)
        return {key: copied(item, at) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [item if type(item) in ATOMS else copied(item, at) for item in value]
    if isinstance(value, (set, frozenset)):
        fail("a set is no value", at, hint="give a list")
    return plain(value)


_KINDS: dict[type, str] = {
    type(None): "null", bool: "bool", int: "int", float: "double", str: "string", list: "array",
    tuple: "array", dict: "object", bytes: "binData", uuid.UUID: "binData", re.Pattern: "regex",
    datetime.datetime: "date", datetime.date: "date", decimal.Decimal: "decimal",
}  # fmt: skip


def kind(value: Any) -> str:
    """What the value is, in BSON's words, for messages."""
    return _KINDS.get(type(value), type(value).__name__)
