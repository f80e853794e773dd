"""Dates: parts and text in any time zone, arithmetic in UTC only."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.document.dateformat import ISO
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.common import constant, milliseconds_of
from xrepo_nb.engines.sql.syntax import Maker, Sql, binary, call, cast, number, text
from xrepo_nb.engines.sql.values import DATETIME, INT, NULL_VALUE, STRING, Value, strict
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call
from xrepo_nb.query.units import FIXED

_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?")
_UTC = frozenset({"UTC", "GMT", "+00:00", "+0000", "+00"})


def moment(ctx: Context, node: Call, name: str) -> Value:
    """An option that is a moment, in UTC."""
    zone = constant(ctx, node, "timezone", "UTC")
    if not isinstance(zone, str) or zone not in _UTC:
        decline(f"{node.op} in a time zone")
    value = ctx.value(node.needed(name))
    if value.kind == "date":
        return Value(cast(value.sql, "TIMESTAMP"), DATETIME, value.absence, value.missing)
    if value.kind not in ("datetime", "null"):
        decline(f"{node.op} of {an(value.kind)}")
    return value


def local(ctx: Context, node: Call, name: str) -> Value:
    """An option that is a moment, as the clock of the call's time zone shows it."""
    zone = constant(ctx, node, "timezone", "UTC")
    bare = Call(node.op, node.args, tuple(item for item in node.options if item[0] != "timezone"), node.at)
    value = moment(ctx, bare, name)
    if not isinstance(zone, str):
        decline(f"{node.op} in a time zone that is no text")
    if zone in _UTC:
        return value
    offset = _OFFSET.fullmatch(zone)
    if offset is not None:
        sign, hours, minutes = offset.groups("0")
        away = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
        moved = binary(exp.Add, value.sql, call("to_minutes", number(away)))
    elif _is_zone(zone):
        moved = call("timezone", text(zone), call("timezone", text("UTC"), value.sql))
    else:
        decline(f"{node.op} in the time zone {zone!r}")
    return value if value.kind == "null" else Value(moved, DATETIME, value.absence, value.missing)


def _is_zone(name: str) -> bool:
    try:
        return ZoneInfo(name) is not None
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def _field(name: str) -> Callable[[Sql], Sql]:
    return lambda sql: call("date_part", text(name), sql)


def _plus(made: Callable[[Sql], Sql], amount: int) -> Callable[[Sql], Sql]:
    return lambda sql: binary(exp.Add, made(sql), number(amount))


def _week(sql: Sql) -> Sql:
    """Weeks begin on Sunday; the days before the first one are week 0."""
    return cast(call("strftime", sql, text("%U")), "BIGINT")


def _millisecond(sql: Sql) -> Sql:
    return binary(exp.Mod, call("date_part", text("millisecond"), sql), number(1000))


_PARTS: dict[str, Callable[[Sql], Sql]] = {
    "$year": _field("year"),
    "$month": _field("month"),
    "$dayOfMonth": _field("day"),
    "$hour": _field("hour"),
    "$minute": _field("minute"),
    "$second": _field("second"),
    "$millisecond": _millisecond,
    "$dayOfYear": _field("doy"),
    "$dayOfWeek": _plus(_field("dow"), 1),
    "$isoDayOfWeek": _field("isodow"),
    "$isoWeek": _field("week"),
    "$isoWeekYear": _field("isoyear"),
    "$week": _week,
}


def _part(ctx: Context, node: Call) -> Value:
    value = local(ctx, node, "date")
    return NULL_VALUE if value.kind == "null" else strict(_PARTS[node.op](value.sql), INT, value)


INTERVALS = {
    "year": "to_years", "month": "to_months", "week": "to_weeks", "day": "to_days", "hour": "to_hours",
    "minute": "to_minutes", "second": "to_seconds", "millisecond": "to_milliseconds",
}  # fmt: skip
"""Functions that make an interval of a number of units."""


def _unit(ctx: Context, node: Call) -> str:
    unit = constant(ctx, node, "unit")
    if unit not in (*INTERVALS, "quarter"):
        decline(f"{node.op} by the unit {unit!r}")
    return str(unit)


def _shift(ctx: Context, node: Call) -> Value:
    value, unit = moment(ctx, node, "startDate"), _unit(ctx, node)
    amount = ctx.value(node.needed("amount"))
    if value.kind == "null" or amount.kind == "null":
        return NULL_VALUE
    if amount.kind != "int" or (amount.is_constant and abs(amount.literal) > 100_000):
        decline(f"{node.op} by {an(amount.kind)}")
    maker: Maker = exp.Add if node.op == "$dateAdd" else exp.Sub
    if unit == "millisecond":
        moved = binary(maker, value.sql, milliseconds_of(ctx, amount))
        return strict(moved, DATETIME, value, amount)
    count = binary(exp.Mul, amount.sql, number(3)) if unit == "quarter" else amount.sql
    name = "to_months" if unit == "quarter" else INTERVALS[unit]
    if name not in ("to_hours", "to_minutes", "to_seconds", "to_milliseconds"):
        count = cast(count, "INT")
    moved = binary(maker, value.sql, call(name, count))
    return strict(moved, DATETIME, value, amount)


def _difference(ctx: Context, node: Call) -> Value:
    start, end, unit = moment(ctx, node, "startDate"), moment(ctx, node, "endDate"), _unit(ctx, node)
    if start.kind == "null" or end.kind == "null":
        return NULL_VALUE
    if unit == "week":
        decline("$dateDiff in weeks")
    return strict(call("date_diff", text(unit), start.sql, end.sql), INT, start, end)


def _truncated(ctx: Context, node: Call) -> Value:
    value, unit = moment(ctx, node, "date"), _unit(ctx, node)
    size = constant(ctx, node, "binSize", 1)
    if value.kind == "null":
        return NULL_VALUE
    if type(size) is not int or size < 1:
        decline("$dateTrunc by a binSize that is no number from one on")
    if size == 1 and unit != "week":
        return strict(call("date_trunc", text(unit), value.sql), DATETIME, value)
    if unit == "week" or unit not in FIXED:
        decline(f"$dateTrunc by {size} {unit}s")
    # Bins of a fixed length count from 2000-01-01, like DuckDB's own.
    step = call(INTERVALS[unit], number(size))
    origin = cast(text("2000-01-01"), "TIMESTAMP")
    return strict(call("time_bucket", step, value.sql, origin), DATETIME, value)


_FORMATS = {f"%{letter}": f"%{letter}" for letter in "YmdHMSjuVGUBb%"} | {"%L": "%g"}
"""The specifiers that DuckDB has too, as it writes them."""


def _to_string(ctx: Context, node: Call) -> Value:
    value, form = local(ctx, node, "date"), constant(ctx, node, "format", ISO)
    if node.option("onNull") is not None:
        decline("$dateToString with onNull")
    if not isinstance(form, str | None):
        decline("$dateToString in a format that is no text")
    template = None if form is None else _format(form)
    if value.kind == "null" or template is None:
        return NULL_VALUE
    return strict(call("strftime", value.sql, ctx.literal(template).sql), STRING, value)


def _format(form: str) -> str:
    pieces = re.findall(r"%.?|[^%]+", form, re.S)
    for piece in pieces:
        if piece[0] == "%" and piece not in _FORMATS:
            decline(f"the date format {piece!r}")
    return "".join(_FORMATS.get(piece, piece) for piece in pieces)


OPERATORS = {
    **dict.fromkeys(_PARTS, _part),
    "$dateAdd": _shift,
    "$dateSubtract": _shift,
    "$dateDiff": _difference,
    "$dateTrunc": _truncated,
    "$dateToString": _to_string,
}
