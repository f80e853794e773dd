"""Dates: parts, arithmetic, bins, text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import dateformat, dates, freeforms, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.dates import DAY, Zone
from xrepo_nb.engines.document.expressions.registry import (
    Compile,
    Evaluate,
    Variables,
    special,
    values,
)
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.query.expressions import Call
from xrepo_nb.query.units import FIXED

_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1


def _part(op: str, read: Callable[[int], int], direct: str = "") -> None:
    """Enters an operator for one part of the local time; `direct` names it on a `datetime`."""

    def apply(date: Any, timezone: Any = "UTC") -> Any:
        if direct and timezone == "UTC" and type(date) is dt.datetime and date.tzinfo is dt.UTC:
            return getattr(date, direct)
        if v.is_absent(date) or v.is_absent(timezone):
            return None
        return read(dates.zone(timezone).local(dates.micros(date)))

    values(op)(apply)


def _day_of_year(local: int) -> int:
    days = local // DAY
    return days - dates.days_of(dates.date_of(days)[0], 1, 1) + 1


def _week(local: int) -> int:
    days = local // DAY
    return dateformat.week_of_year(days, dates.days_of(dates.date_of(days)[0], 1, 1))


_part("$year", lambda local: dates.civil(local).year, "year")
_part("$month", lambda local: dates.civil(local).month, "month")
_part("$dayOfMonth", lambda local: dates.civil(local).day, "day")
_part("$hour", lambda local: dates.civil(local).hour, "hour")
_part("$minute", lambda local: dates.civil(local).minute, "minute")
_part("$second", lambda local: dates.civil(local).second, "second")
_part("$millisecond", lambda local: dates.civil(local).micro // 1000)
_part("$dayOfYear", _day_of_year)
_part("$dayOfWeek", lambda local: (dates.weekday(local // DAY) + 1) % 7 + 1)
_part("$week", _week)
_part("$isoDayOfWeek", lambda local: dates.weekday(local // DAY) + 1)
_part("$isoWeek", lambda local: dates.iso_week(local // DAY)[1])
_part("$isoWeekYear", lambda local: v.as_long(dates.iso_week(local // DAY)[0]))


@values("$dateToParts")
def date_to_parts(date: Any, timezone: Any = "UTC", iso8601: Any = False) -> Any:
    if v.is_absent(date) or v.is_absent(timezone) or v.is_absent(iso8601):
        return None
    if not isinstance(iso8601, bool):
        fail(f"iso8601 is true or false, not {v.type_name(iso8601)}")
    local = dates.zone(timezone).local(dates.micros(date))
    parts, days = dates.civil(local), local // DAY
    if iso8601:
        year, week = dates.iso_week(days)
        out = {"isoWeekYear": year, "isoWeek": week, "isoDayOfWeek": dates.weekday(days) + 1}
    else:
        out = {"year": parts.year, "month": parts.month, "day": parts.day}
    out |= {"hour": parts.hour, "minute": parts.minute, "second": parts.second}
    return out | {"millisecond": parts.micro // 1000}


@values("$dateFromParts")
def date_from_parts(timezone: Any = "UTC", **parts: Any) -> Any:
    iso = "isoWeekYear" in parts
    wrong = {"year", "month", "day"} if iso else {"isoWeek", "isoDayOfWeek"}
    if wrong & parts.keys():
        fail("$dateFromParts takes either year, month, day or isoWeekYear, isoWeek, isoDayOfWeek")
    if not iso and "year" not in parts:
        fail("$dateFromParts needs a year or an isoWeekYear")
    found: dict[str, int] = {}
    if not _read_parts(parts, _TIMES, found) or v.is_absent(timezone):
        return None
    where = dates.zone(timezone)
    if not _read_parts(parts, _ISO_DAYS if iso else _DAYS, found):
        return None
    _check_year(found, "isoWeekYear" if iso else "year")
    if iso:
        days = dates.days_of_iso(found["isoWeekYear"], found.get("isoWeek", 1), found.get("isoDayOfWeek", 1))
    else:
        days = dates.days_of(found["year"], found.get("month", 1), found.get("day", 1))
    time = sum(found.get(unit, 0) * FIXED[unit] for unit in _TIMES)
    return dates.from_micros(where.instant(days * DAY + time))


_TIMES = ("hour", "minute", "second", "millisecond")
_DAYS, _ISO_DAYS = ("year", "month", "day"), ("isoWeekYear", "isoWeek", "isoDayOfWeek")
_UNBOUNDED = frozenset({"second", "millisecond", "year", "isoWeekYear"})


def _read_parts(parts: dict[str, Any], names: tuple[str, ...], found: dict[str, int]) -> bool:
    """Adds the given parts of these names in turn; false at the first that is null or missing."""
    for name in names:
        if name not in parts:
            continue
        if v.is_absent(parts[name]):
            return False
        number = found[name] = numbers.whole_long(parts[name], name)
        if name not in _UNBOUNDED and not _INT16_MIN <= number <= _INT16_MAX:
            fail(f"{name} runs from {_INT16_MIN} to {_INT16_MAX}, not {number}")
    return True


def _check_year(found: dict[str, int], name: str) -> None:
    if not 1 <= found[name] <= 9999:
        fail(f"{name} runs from 1 to 9999, not {found[name]}")


def _shift(op: str, sign: int) -> None:
    def apply(startDate: Any, unit: Any, amount: Any, timezone: Any = "UTC") -> Any:
        if v.is_absent(startDate) or v.is_absent(unit):
            return None
        name = dates.unit_of(unit)
        if v.is_absent(amount) or v.is_absent(timezone):
            return None
        where = dates.zone(timezone)
        count = dates.checked_amount(numbers.whole_long(amount, f"the amount of {op}"), name)
        moved = dates.add_units(dates.micros(startDate), name, sign * count, where)
        return dates.from_micros(moved)

    values(op)(apply)


_shift("$dateAdd", 1)
_shift("$dateSubtract", -1)


@values("$dateDiff")
def date_diff(
    startDate: Any, endDate: Any, unit: Any, timezone: Any = "UTC", startOfWeek: Any = "sunday"
) -> Any:
    if v.is_absent(startDate) or v.is_absent(endDate) or v.is_absent(unit):
        return None
    name = dates.unit_of(unit)
    first = _first_weekday(name, startOfWeek)
    if first is None or v.is_absent(timezone):
        return None
    start, end = dates.micros(startDate), dates.micros(endDate)
    return numbers.integer(dates.difference(start, end, name, dates.zone(timezone), first), long=True)


def _first_weekday(unit: str, given: Any) -> int | None:
    """The day that weeks begin with, which other units do not ask for; None where it is absent."""
    if unit != "week":
        return 0
    return None if v.is_absent(given) else dates.first_weekday(given)


@values("$dateTrunc")
def date_trunc(
    date: Any, unit: Any, binSize: Any = 1, timezone: Any = "UTC", startOfWeek: Any = "sunday"
) -> Any:
    if v.is_absent(date) or v.is_absent(binSize):
        return None
    size = numbers.whole_long(binSize, "the binSize of $dateTrunc")
    if size < 1:
        fail(f"the binSize of $dateTrunc is above zero, not {size}")
    if v.is_absent(unit):
        return None
    name = dates.unit_of(unit)
    first = _first_weekday(name, startOfWeek)
    if first is None or v.is_absent(timezone):
        return None
    return dates.from_micros(dates.truncated(dates.micros(date), name, size, dates.zone(timezone), first))


@special("$dateToString")
def date_to_string(call: Call, compile: Compile) -> Evaluate:
    options = {name: compile(item) for name, item in call.options}
    on_null = options.pop("onNull", None)

    def evaluate(document: Any, variables: Variables) -> Any:
        given = {name: option(document, variables) for name, option in options.items()}
        text = _text(**given)
        if text is _NO_DATE:
            return None if on_null is None else on_null(document, variables)
        return text

    return evaluate


_NO_DATE = object()


def _text(date: Any, format: Any = dateformat.ISO, timezone: Any = "UTC") -> Any:
    if not v.is_absent(format):
        _check_format("$dateToString", format)
    where = None if v.is_absent(timezone) else dates.zone(timezone)
    if v.is_absent(date):
        return _NO_DATE
    if where is None or v.is_absent(format):
        return None
    return dateformat.format_date(dates.micros(date), format, where)


def _check_format(op: str, template: Any) -> None:
    if not v.is_text(template):
        fail(f"the format of {op} is a string, not {v.type_name(template)}")
    dateformat.check_format(template)


@special("$dateFromString")
def date_from_string(call: Call, compile: Compile) -> Evaluate:
    options = {name: compile(item) for name, item in call.options}
    read = options["dateString"]
    form, zone = options.get("format"), options.get("timezone")
    on_error, on_null = options.get("onError"), options.get("onNull")

    def evaluate(document: Any, variables: Variables) -> Any:
        text = read(document, variables)
        template = _ANY_FORM if form is None else form(document, variables)
        name = "" if zone is None else zone(document, variables)
        if not v.is_absent(template) and template is not _ANY_FORM:
            _check_format("$dateFromString", template)
        where = None if zone is None or v.is_absent(name) else dates.zone(name)
        if v.is_absent(text):
            return None if on_null is None else on_null(document, variables)
        if v.is_absent(template) or v.is_absent(name):
            return None
        try:
            return _from_text(text, template, where)
        except XRepoQueryError:
            if on_error is None:
                raise
            return on_error(document, variables)

    return evaluate


_ANY_FORM = object()
"""The template of a date string that was given none, which an empty one is not."""


def _from_text(text: Any, template: Any, where: Zone | None) -> Any:
    if not v.is_text(text):
        fail(f"$dateFromString takes a string, not {v.type_name(text)}")
    if template is not _ANY_FORM:
        return dates.from_micros(dateformat.parse_date(text, template, where))
    return dates.from_micros(freeforms.parse_any(text, where))
