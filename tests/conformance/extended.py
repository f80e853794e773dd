"""Relaxed Extended JSON, both ways, for the conformance cases."""

from __future__ import annotations

import base64
import datetime as dt
import math
import re
import uuid
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64, ObjectId, Timestamp
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.max_key import MaxKey
from bson.min_key import MinKey

from xrepo_nb.engines.document.dates import from_micros, micros


def asked(value: Any) -> Any:
    """A filter in Extended JSON: like `decoded`, but `$undefined`, for which Python has no value, is
    left as it is written."""
    return decoded(value, frozenset({"$undefined"}))


def decoded(value: Any, kept: frozenset[str] = frozenset()) -> Any:
    """The value that Extended JSON means, where forms of these names are `kept` as they are."""
    if isinstance(value, list):
        return [decoded(item, kept) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in _READERS and key not in kept:
            return _READERS[key](inner)
    return {name: decoded(item, kept) for name, item in value.items()}


def _date(inner: Any) -> Any:
    if isinstance(inner, int):
        return from_micros(inner * 1000)
    if isinstance(inner, dict):
        return from_micros(int(inner["$numberLong"]) * 1000)
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: "." + found[1].ljust(6, "0"), inner.replace("Z", "+00:00"))
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _binary(inner: dict[str, str]) -> Any:
    data, subtype = base64.b64decode(inner["base64"]), int(inner["subType"], 16)
    if subtype == 4 and len(data) == 16:
        return uuid.UUID(bytes=data)
    return Binary(data, subtype) if subtype else data


def _regex(inner: dict[str, str]) -> Any:
    from bson.regex import Regex

    return Regex(inner["pattern"], inner["options"])


_READERS = {
    "$oid": ObjectId,
    "$date": _date,
    "$numberLong": lambda inner: Int64(int(inner)),
    "$numberInt": int,
    "$numberDecimal": Decimal128,
    "$numberDouble": float,
    "$timestamp": lambda inner: Timestamp(inner["t"], inner["i"]),
    "$binary": _binary,
    "$regularExpression": _regex,
    "$uuid": uuid.UUID,
    "$code": Code,
    "$symbol": str,
    "$dbPointer": lambda inner: DBRef(inner["$ref"], decoded(inner["$id"])),
    "$minKey": lambda inner: MinKey(),
    "$maxKey": lambda inner: MaxKey(),
    "$undefined": lambda inner: None,
}


def encoded(value: Any) -> Any:
    """The value as Extended JSON; numbers keep their type where JSON would lose it."""
    if isinstance(value, dict):
        return {name: encoded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, Code):
        return {"$code": str(value)}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return {"$numberDouble": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Int64):
        return {"$numberLong": str(int(value))}
    if isinstance(value, (int, float)):
        return value
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, (dt.datetime, DatetimeMS)):
        return _encoded_date(value)
    if isinstance(value, (Decimal, Decimal128)):
        return {"$numberDecimal": str(value)}
    if isinstance(value, ObjectId):
        return {"$oid": str(value)}
    if isinstance(value, Timestamp):
        return {"$timestamp": {"t": value.time, "i": value.inc}}
    if isinstance(value, (bytes, uuid.UUID)):
        data = value.bytes if isinstance(value, uuid.UUID) else bytes(value)
        subtype = 4 if isinstance(value, uuid.UUID) else getattr(value, "subtype", 0)
        return {"$binary": {"base64": base64.b64encode(data).decode(), "subType": f"{subtype:02x}"}}
    if isinstance(value, DBRef):
        return encoded(dict(value.as_doc()))
    if isinstance(value, (MinKey, MaxKey)):
        return {"$minKey": 1} if isinstance(value, MinKey) else {"$maxKey": 1}
    pattern, flags = value.pattern, value.flags
    letters = ((re.I, "i"), (re.M, "m"), (re.S, "s"), (re.X, "x"))
    options = "".join(letter for mask, letter in letters if flags & mask)
    return {"$regularExpression": {"pattern": pattern, "options": options}}


def _encoded_date(value: Any) -> Any:
    milliseconds = micros(value) // 1000
    if not -62135596800000 <= milliseconds < 253402300800000:
        return {"$date": {"$numberLong": str(milliseconds)}}
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=milliseconds)
    return {"$date": moment.isoformat(timespec="milliseconds") + "Z"}
