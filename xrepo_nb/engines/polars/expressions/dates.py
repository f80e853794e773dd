"""Date operators, in any time zone of the IANA data base."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import polars as pl

from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.values import DATETIME, INT, NULL_VALUE, Value, absent_like
from xrepo_nb.query.expressions import Call, Expr, Literal

_PARTS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "$year": lambda e: e.dt.year(),
    "$month": lambda e: e.dt.month(),
    "$dayOfMonth": lambda e: e.dt.day(),
    "$hour": lambda e: e.dt.hour(),
    "$minute": lambda e: e.dt.minute(),
    "$second": lambda e: e.dt.second(),
    "$millisecond": lambda e: e.dt.millisecond(),
    "$dayOfYear": lambda e: e.dt.ordinal_day(),
    "$dayOfWeek": lambda e: e.dt.weekday() % 7 + 1,
    "$isoDayOfWeek": lambda e: e.dt.weekday(),
    "$isoWeek": lambda e: e.dt.week(),
    "$isoWeekYear": lambda e: e.dt.iso_year(),
}


@lowers(*_PARTS)
def _part(call: Call, scope: Scope) -> Value:
    value = _date(call, scope, "date")
    if value.kind == "null":
        return NULL_VALUE
    local = _local(value.expr, _zone(call))
    return Value(_PARTS[call.op](local).cast(pl.Int64), INT, absent_like([value]))


def _date(call: Call, scope: Scope, name: str) -> Value:
    given = call.option(name)
    value = scope.typed(given) if given is not None else decline(f"{call.op} without {name}")
    if value.kind not in ("datetime", "null"):
        decline(f"{call.op} of a {value.kind}")
    return value


def _zone(call: Call) -> str:
    """The name of the time zone; declines computed ones and offsets."""
    given = call.option("timezone")
    if given is None:
        return "UTC"
    name = given.value if isinstance(given, Literal) else None
    if not isinstance(name, str) or ("/" not in name and name != "UTC"):
        decline(f"{call.op} in a computed time zone, or one given as an offset")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        decline(f"the time zone {name!r}")
    return name


def _text(given: Expr | None) -> str:
    """A constant text; the empty one for all else."""
    return given.value if isinstance(given, Literal) and isinstance(given.value, str) else ""


def _local(expr: pl.Expr, zone: str) -> pl.Expr:
    return expr if zone == "UTC" else expr.dt.convert_time_zone(zone)


_EVERY = {
    "year": "1y", "quarter": "1q", "month": "1mo", "day": "1d", "hour": "1h", "minute": "1m", "second": "1s",
    "millisecond": "1ms",
}  # fmt: skip


@lowers("$dateTrunc")
def _truncated(call: Call, scope: Scope) -> Value:
    value, unit, size = _date(call, scope, "date"), call.option("unit"), call.option("binSize")
    every = _EVERY.get(_text(unit))
    if every is None or size is not None or _zone(call) != "UTC" or value.kind == "null":
        decline("$dateTrunc but to one unit in UTC")
    return Value(value.expr.dt.truncate(every), DATETIME, absent_like([value]))


_MILLISECONDS = {
    "week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1_000,
    "millisecond": 1,
}  # fmt: skip


@lowers("$dateAdd", "$dateSubtract")
def _shifted(call: Call, scope: Scope) -> Value:
    value, unit, amount = _date(call, scope, "startDate"), call.option("unit"), call.option("amount")
    each = _MILLISECONDS.get(_text(unit))
    count = amount.value if isinstance(amount, Literal) else None
    if each is None or type(count) is not int or abs(count * each) > _CENTURY:
        decline(f"{call.op} of a computed amount, or of months")
    if _zone(call) != "UTC" or value.kind == "null":
        decline(f"{call.op} in a time zone")
    signed = count * each if call.op == "$dateAdd" else -count * each
    return Value(value.expr + pl.duration(milliseconds=signed), DATETIME, absent_like([value]))


_CENTURY = 100 * 366 * 86_400_000
