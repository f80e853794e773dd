"""Types: `$type`, `$convert` and its short forms."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, NoReturn

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import dateformat, dates, freeforms, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import (
    Compile,
    Evaluate,
    Variables,
    nullable,
    special,
    values,
)
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.query.expressions import Call
from xrepo_nb.query.operators import TYPE_NAMES


@values("$type")
def type_(value: Any) -> str:
    return v.type_name(value)


@values("$isNumber")
def is_number(value: Any) -> bool:
    return v.is_number(value)


def text_of(value: Any) -> str:
    """A scalar as text, as `$toString` and the string operators write it."""
    name = v.type_name(value)
    if name == "string":
        return str(value)
    write = _WRITERS.get(name)
    if write is None:
        _unsupported(name, "string")
    return write(value)


def _unsupported(name: str, target: str) -> NoReturn:
    fail(f"{name} does not convert to {target}")


def _double_text(number: float) -> str:
    if not math.isfinite(number):
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
    short = f"{number:.16g}"
    return short if float(short) == number else f"{number:.17g}"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "bool": lambda value: "true" if value else "false",
    "int": lambda value: str(int(value)),
    "long": lambda value: str(int(value)),
    "double": _double_text,
    "decimal": lambda value: str(v.plain(value)),
    "objectId": str,
    "date": lambda value: dateformat.format_date(dates.micros(value), dateformat.ISO, dates.UTC),
    "timestamp": lambda value: dateformat.format_date(dates.micros(value), dateformat.ISO, dates.UTC),
    "time": str,
    "duration": str,
}


class Form:
    """The options of a conversion beside its target."""

    __slots__ = ("base", "byte_order", "format", "subtype")

    def __init__(
        self, base: Any = None, format: Any = None, byte_order: Any = None, subtype: Any = 0
    ) -> None:
        if not v.is_absent(format) and format not in _FORMATS:
            raise XRepoQueryError(f"unknown format {format!r}", asked=format, exists=_FORMATS)
        if not v.is_absent(base) and base not in (2, 8, 10, 16):
            fail(f"the base of a number's text is 2, 8, 10 or 16, not {base!r}")
        if not v.is_absent(byte_order) and byte_order not in ("little", "big"):
            fail(f"the byte order is 'little' or 'big', not {byte_order!r}")
        self.base = None if v.is_absent(base) else int(v.plain(base))
        self.format = None if v.is_absent(format) else format
        self.byte_order: Literal["little", "big"] = "little" if v.is_absent(byte_order) else byte_order
        self.subtype = 0 if v.is_absent(subtype) else _checked_subtype(subtype)


def _checked_subtype(given: Any) -> int:
    code = numbers.whole(given, "the subtype of binary data")
    if not (0 <= code <= 9 or 128 <= code <= 255):
        fail(f"a subtype of binary data is a number from 0 to 9 or from 128 to 255, not {code}")
    return code


_FORMATS = ("base64", "base64url", "utf8", "hex", "uuid", "auto")
_PLAIN_FORM = Form()


def _to_bool(value: Any, form: Form) -> bool:
    return v.truth(value) if v.is_number(value) else value is not False


def _to_int(value: Any, form: Form) -> Any:
    if v.type_name(value) == "date":
        _unsupported("date", "int")
    number = _whole_of(value, "int", form)
    if not v.INT32_MIN <= number <= v.INT32_MAX:
        fail("the number does not fit an int")
    return number


def _to_long(value: Any, form: Form) -> Any:
    number = dates.micros(value) // 1000 if v.type_name(value) == "date" else _whole_of(value, "long", form)
    if not v.INT64_MIN <= number <= v.INT64_MAX:
        fail("the number does not fit a long")
    return v.as_long(number)


def _whole_of(value: Any, target: str, form: Form) -> int:
    if isinstance(value, bool):
        return int(value)
    if v.is_text(value):
        return _parsed_int(value, target, form.base or 10)
    if v.type_name(value) == "binData":
        return _unpacked(value, (1, 2, 4, 8), form)
    if not v.is_number(value):
        _unsupported(v.type_name(value), target)
    number = v.quiet(value)
    if not math.isfinite(number):
        fail(f"{number} does not convert to {target}")
    return int(number)


_DIGITS = {2: r"[01]+", 8: r"[0-7]+", 10: r"[0-9]+", 16: r"[0-9A-Fa-f]+"}


def _parsed_int(text: str, target: str, base: int) -> int:
    if not re.fullmatch(r"[+-]?" + _DIGITS[base], text) or len(text) > 70:
        fail(f"a text that is no whole number does not convert to {target}")
    return int(text, base)


_REAL = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)", re.I | re.A)


def _to_double(value: Any, form: Form) -> float:
    name = v.type_name(value)
    if name == "string":
        number = float(_real_text(value, form))
        if math.isinf(number) and "inf" not in value.lower():
            fail("the number does not fit a double")
        return number
    if name == "date":
        return float(dates.micros(value) // 1000)
    if name == "binData":
        return _unpacked_double(value, form)
    if name != "bool" and not v.is_number(value):
        _unsupported(name, "double")
    given = v.quiet(value)
    number = float(given)
    if math.isinf(number) and not (isinstance(given, float) or given.is_infinite()):
        fail("the number does not fit a double")
    return number


def _real_text(text: str, form: Form) -> Any:
    if form.base not in (None, 10):
        return _parsed_int(text, "a number", form.base or 10)
    if not _REAL.fullmatch(text):
        fail("a text that is no number does not convert to one")
    return text


def _to_decimal(value: Any, form: Form) -> Any:
    name = v.type_name(value)
    if name == "decimal":
        return value
    if name == "string":
        number = numbers.CONTEXT.create_decimal(_real_text(value, form))
        if number.is_infinite() and "inf" not in value.lower():
            fail("the number does not fit a decimal")
        return number
    if name == "date":
        return Decimal(dates.micros(value) // 1000)
    if name != "bool" and not v.is_number(value):
        _unsupported(name, "decimal")
    return Decimal(int(value)) if name == "bool" else numbers.exact(value)


def _to_date(value: Any, form: Form) -> Any:
    name = v.type_name(value)
    if name == "string":
        return dates.from_micros(freeforms.parse_any(value, None))
    if name in ("objectId", "timestamp", "date"):
        return dates.from_micros(dates.micros(value))
    if name not in ("long", "double", "decimal"):
        _unsupported(name, "date")
    return dates.from_micros(_to_long(value, form) * 1000)


def _to_object_id(value: Any, form: Form) -> Any:
    name = v.type_name(value)
    if name == "objectId":
        return value
    if name != "string":
        _unsupported(name, "objectId")
    if not re.fullmatch(r"[0-9A-Fa-f]{24}", value):
        fail("an object id is written with 24 hexadecimal digits")
    from bson.objectid import ObjectId

    return ObjectId(value)


def _to_text(value: Any, form: Form) -> str:
    if v.type_name(value) == "binData":
        from xrepo_nb.engines.document.expressions.binary import to_text

        return to_text(value, form.format)
    if form.base not in (None, 10) and v.is_number(value):
        number = _whole_of(value, "string", form)
        digits = format(abs(number), {2: "b", 8: "o", 16: "X"}[form.base or 16])
        return "-" + digits if number < 0 else digits
    return text_of(value)


def _to_binary(value: Any, form: Form) -> Any:
    from xrepo_nb.engines.document.expressions.binary import to_binary

    return to_binary(value, form.format, form.subtype, form.byte_order)


def _unpacked(value: Any, sizes: tuple[int, ...], form: Form) -> int:
    data = v.raw(value)
    if len(data) not in sizes:
        fail(f"binary data of {len(data)} bytes is no number")
    return int.from_bytes(data, form.byte_order, signed=True)


def _unpacked_double(value: Any, form: Form) -> float:
    import struct

    data = v.raw(value)
    if len(data) not in (4, 8):
        fail(f"binary data of {len(data)} bytes is no double")
    code = ("<" if form.byte_order == "little" else ">") + ("f" if len(data) == 4 else "d")
    return float(struct.unpack(code, data)[0])


CONVERTERS: dict[str, Callable[[Any, Form], Any]] = {
    "bool": _to_bool,
    "int": _to_int,
    "long": _to_long,
    "double": _to_double,
    "decimal": _to_decimal,
    "date": _to_date,
    "objectId": _to_object_id,
    "string": _to_text,
    "binData": _to_binary,
}


def _short(op: str, target: str) -> None:
    convert = CONVERTERS[target]
    form = Form(format="auto") if target == "string" else _PLAIN_FORM
    nullable(op)(lambda value: convert(value, form))


for _name in ("bool", "int", "long", "double", "decimal", "date", "objectId", "string"):
    _short("$to" + _name[0].upper() + _name[1:], _name)


@nullable("$toUUID")
def to_uuid(value: Any) -> Any:
    return _to_binary(value, Form(format="uuid", subtype=4))


@values("$toHashedIndexKey")
def to_hashed_index_key(value: Any) -> int:
    from xrepo_nb.engines.document.expressions.binary import hashed

    return hashed(None if v.is_absent(value) else value)


@special("$convert")
def convert(call: Call, compile: Compile) -> Evaluate:
    options = {name: compile(item) for name, item in call.options}
    read, target = options.pop("input"), options.pop("to")
    on_error, on_null = options.pop("onError", None), options.pop("onNull", None)

    def evaluate(document: Any, variables: Variables) -> Any:
        value, to = read(document, variables), target(document, variables)
        name, subtype = (None, 0) if v.is_absent(to) else _target(to)
        if v.is_absent(value):
            return None if on_null is None else on_null(document, variables)
        if name is None:
            return None
        given = {_FORM_NAMES[name]: item(document, variables) for name, item in options.items()}
        form = Form(**given, subtype=subtype)
        try:
            if name not in CONVERTERS:
                _unsupported(v.type_name(value), name)
            return CONVERTERS[name](value, form)
        except XRepoQueryError:
            if on_error is None:
                raise
            return on_error(document, variables)

    return evaluate


_FORM_NAMES = {"base": "base", "format": "format", "byteOrder": "byte_order"}


def _target(to: Any) -> tuple[str, Any]:
    """The type's name and the binary subtype that the `to` of `$convert` means."""
    if isinstance(to, dict):
        if "type" not in to or set(to) - {"type", "subtype"}:
            fail("the 'to' of $convert is a type, or a document with 'type' and 'subtype'")
        return _target(to["type"])[0], to.get("subtype", 0)
    if isinstance(to, str):
        if to not in TYPE_NAMES.values():
            raise XRepoQueryError(f"unknown type {to!r}", asked=to, exists=CONVERTERS)
        return to, 0
    if not v.is_number(to):
        fail(f"the 'to' of $convert is a type's name or code, not {v.type_name(to)}")
    code = numbers.whole(to, "the 'to' of $convert")
    if code not in TYPE_NAMES:
        fail(f"unknown type code {code}")
    return TYPE_NAMES[code], 0
