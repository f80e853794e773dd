"""Binary data to and from text and numbers; hashes."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
import struct
import uuid
from decimal import Decimal
from typing import Any, Literal

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.numbers import fail

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def to_text(value: Any, format: str | None) -> str:
    """Binary data as text in the format; a UUID without one in its own."""
    if isinstance(value, uuid.UUID):
        if format in (None, "uuid", "auto"):
            return str(value)
        value = value.bytes
    data, subtype = bytes(value), getattr(value, "subtype", 0)
    if format is None:
        fail("binary data needs a format to become text")
    if format == "uuid" or (format == "auto" and subtype == 4):
        if subtype != 4 or len(data) != 16:
            fail("only the UUID subtype has the format 'uuid'")
        return str(uuid.UUID(bytes=data))
    if format == "auto":
        return base64.b64encode(data).decode()
    return _written(data, format)


def _written(data: bytes, format: str) -> str:
    if format == "base64":
        return base64.b64encode(data).decode()
    if format == "base64url":
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    if format == "hex":
        return data.hex().upper()
    try:
        return data.decode()
    except UnicodeDecodeError:
        fail("binary data that is no UTF-8 has no text")


def to_binary(value: Any, format: str | None, subtype: int, order: Literal["little", "big"]) -> Any:
    """Text in a format, or a number by its bytes, as binary data of the subtype."""
    name = v.type_name(value)
    if name == "binData":
        return value
    if name != "string" and format is not None:
        fail(f"{name} has no format, and does not convert to binData with one")
    if name in ("int", "long"):
        return _binary(int(value).to_bytes(4 if name == "int" else 8, order, signed=True), subtype)
    if name == "double":
        return _binary(struct.pack(("<" if order == "little" else ">") + "d", value), subtype)
    if name != "string":
        fail(f"{name} does not convert to binData")
    if format is None:
        fail("text needs a format to become binary data")
    if (format == "uuid") != (subtype == 4):
        fail("the format 'uuid' and the UUID subtype go together")
    return _binary(_read(value, format), subtype)


def _read(text: str, format: str) -> bytes:
    try:
        if format == "uuid":
            if not _UUID.fullmatch(text):
                fail("a UUID is written as 8-4-4-4-12 hexadecimal digits")
            return uuid.UUID(text).bytes
        if format == "utf8":
            return text.encode()
        if format == "hex":
            return bytes.fromhex(text) if re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", text) else _unreadable(format)
        if format == "base64url":
            padded = text + "=" * (-len(text) % 4)
            return base64.b64decode(padded, altchars=b"-_", validate=True)
        if format == "base64":
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    return _unreadable(format)


def _unreadable(format: str) -> bytes:
    fail(f"the text does not have the format {format!r}")


def _binary(data: bytes, subtype: int) -> Any:
    if subtype == 0:
        return data
    if subtype == 4:
        return uuid.UUID(bytes=data)
    from bson.binary import Binary

    return Binary(data, subtype)


def hashed(value: Any) -> int:
    """The 64-bit number under which a hashed index files the value; numbers count as whole ones."""
    digest = hashlib.md5(struct.pack("<i", 0), usedforsecurity=False)
    _feed(digest, value, None)
    return v.as_long(int.from_bytes(digest.digest()[:8], "little", signed=True))


def _feed(digest: Any, value: Any, name: str | None) -> None:
    digest.update(struct.pack("<i", v.rank(value)))
    if name is not None:
        digest.update(v.utf8(name) + b"\0")
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else ((str(i), item) for i, item in enumerate(value))
        for field, item in items:
            _feed(digest, item, field)
        digest.update(struct.pack("<i", 0))
    elif v.is_number(value):
        digest.update(struct.pack("<q", _saturated(value)))
    else:
        digest.update(_stored(value))


def _saturated(value: Any) -> int:
    """A number cut to 64 bits; NaN is zero."""
    number = v.plain(value)
    if number != number:
        return 0
    return int(max(min(number, v.INT64_MAX), v.INT64_MIN))


def _stored(value: Any) -> bytes:
    """The bytes of a scalar in BSON, without its type and name."""
    return encoded({"": value})[6:-1]


def encoded(document: dict[str, Any]) -> bytes:
    """A document in BSON; plain dates as midnights."""
    import bson

    options: Any = bson.codec_options.CodecOptions(uuid_representation=4)
    try:
        return bson.encode(_with_datetimes(document), codec_options=options)
    except (bson.errors.BSONError, OverflowError, UnicodeEncodeError) as error:
        fail(f"the value has no form in BSON: {error}")


def _with_datetimes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_datetimes(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_datetimes(item) for item in value]
    if type(value) is dt.date:
        return dt.datetime(value.year, value.month, value.day)
    return _bson_decimal(value) if type(value) is Decimal else value


def _bson_decimal(number: Decimal) -> Any:
    from bson.decimal128 import Decimal128

    return Decimal128(number)
