"""Date operators, in any time zone of the IANA data base."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import polars as pl

from xrepo_nb.core.errors import an
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.values import DATETIME, INT, NULL_VALUE, Value, absent_like
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call
from xrepo_nb.query.units import FIXED

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
    value = scope.typed(call.needed(name))
    if value.kind not in ("datetime", "null"):
        decline(f"{call.op} of {an(value.kind)}")
    return value


def _zone(call: Call) -> str:
    """The name of the time zone; declines computed ones and offsets."""
    if call.option("timezone") is None:
        return "UTC"
    name = call.constant("timezone")
    if not isinstance(name, str) or ("/" not in name and name != "UTC"):
        decline(f"{call.op} in a computed time zone, or one given as an offset")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        decline(f"the time zone {name!r}")
    return name


def _local(expr: pl.Expr, zone: str) -> pl.Expr:
    return expr if zone == "UTC" else expr.dt.convert_time_zone(zone)


def _unit(call: Call) -> str:
    """The name of the unit; empty for a computed one, or what is none."""
    unit = call.constant("unit")
    return unit if isinstance(unit, str) else ""


_EVERY = {
    "year": "1y", "quarter": "1q", "month": "1mo", "day": "1d", "hour": "1h", "minute": "1m", "second": "1s",
    "millisecond": "1ms",
}  # fmt: skip


@lowers("$dateTrunc")
def _truncated(call: Call, scope: Scope) -> Value:
    value, every = _date(call, scope, "date"), _EVERY.get(_unit(call))
    if every is None or call.option("binSize") is not None or _zone(call) != "UTC" or value.kind == "null":
        decline("$dateTrunc but to one unit in UTC")
    return Value(value.expr.dt.truncate(every), DATETIME, absent_like([value]))


@lowers("$dateAdd", "$dateSubtract")
def _shifted(call: Call, scope: Scope) -> Value:
    value, each = _date(call, scope, "startDate"), FIXED.get(_unit(call))
    count = call.constant("amount")
    if each is None or type(count) is not int or abs(count * each) > _CENTURY:
        decline(f"{call.op} of a computed amount, or of months")
    if _zone(call) != "UTC" or value.kind == "null":
        decline(f"{call.op} in a time zone")
    signed = count * each if call.op == "$dateAdd" else -count * each
    return Value(value.expr + pl.duration(microseconds=signed), DATETIME, absent_like([value]))


_CENTURY = 100 * 366 * FIXED["day"]
