"""Dates as microseconds since 1970 UTC: calendar, time zones, units.

A date is a `datetime` (aware, UTC; a naive one is taken as UTC) or, out of Python's years, BSON's
`DatetimeMS`. The calendar is the Gregorian one without bounds. Object ids and timestamps count as
the dates in them.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any, NamedTuple

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.query.units import FIXED, MONTHS, UNITS

MILLI, SECOND, MINUTE = 1_000, 1_000_000, 60_000_000
DAY = 24 * 60 * MINUTE
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_LEAST, _MOST = -62135596800 * SECOND, 253402300800 * SECOND
_CYCLE_DAYS, _CYCLE_YEARS = 146_097, 400

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Civil(NamedTuple):
    """A local time by its calendar parts; `micro` is the time within the second."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    micro: int


def micros(value: Any) -> int:
    """The microseconds since 1970 of a date, timestamp or object id."""
    if isinstance(value, dt.datetime):
        passed = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH
        return (passed.days * 86_400 + passed.seconds) * SECOND + passed.microseconds
    if isinstance(value, dt.date):
        return (value.toordinal() - _EPOCH_ORDINAL) * DAY
    name = v.type_name(value)
    if name == "timestamp":
        return int(value.time) * SECOND
    if name == "objectId":
        return micros(value.generation_time)
    if name != "date":
        fail(f"a date, timestamp or object id is needed here, not {name}")
    return int(value) * MILLI


def from_micros(instant: int) -> Any:
    """The date at that many microseconds since 1970."""
    if _LEAST <= instant < _MOST:
        return _EPOCH + dt.timedelta(microseconds=instant)
    milliseconds = instant // MILLI
    if not v.INT64_MIN <= milliseconds <= v.INT64_MAX:
        fail("a date passes 64 bits of milliseconds")
    try:
        from bson.datetime_ms import DatetimeMS
    except ImportError:
        fail("dates outside of the years 1 to 9999 need the package pymongo")
    return DatetimeMS(milliseconds)


def shifted(date: Any, by: int) -> Any:
    """The date so many microseconds later."""
    return from_micros(micros(date) + by)


def days_of(year: int, month: int, day: int) -> int:
    """The days since 1970 of a calendar date; months and days out of range carry over.

    >>> days_of(1970, 13, 1)
    365
    """
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    cycles, low = divmod(year - 1, _CYCLE_YEARS)
    first = dt.date(low + 1, month, 1).toordinal() - _EPOCH_ORDINAL
    return first + cycles * _CYCLE_DAYS + day - 1


def date_of(days: int) -> tuple[int, int, int]:
    """The year, month and day at that many days since 1970."""
    cycles, low = divmod(days + _EPOCH_ORDINAL - 1, _CYCLE_DAYS)
    found = dt.date.fromordinal(low + 1)
    return found.year + cycles * _CYCLE_YEARS, found.month, found.day


def civil(local: int) -> Civil:
    """The calendar parts of local microseconds."""
    days, rest = divmod(local, DAY)
    seconds, micro = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    return Civil(*date_of(days), minutes // 60, minutes % 60, second, micro)


def weekday(days: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (days + 3) % 7


def iso_week(days: int) -> tuple[int, int]:
    """The ISO year and week of a day."""
    thursday = days - weekday(days) + 3
    year = date_of(thursday)[0]
    return year, (thursday - days_of(year, 1, 1)) // 7 + 1


def days_of_iso(year: int, week: int, day: int) -> int:
    """The days since 1970 of a day in an ISO week; all carry over."""
    fourth = days_of(year, 1, 4)
    return fourth - weekday(fourth) + (week - 1) * 7 + day - 1


class Zone:
    """A time zone: a fixed offset, or a place's rules."""

    __slots__ = ("_fixed", "_rules")

    def __init__(self, fixed: int | None, rules: dt.tzinfo | None = None) -> None:
        self._fixed = fixed
        self._rules = rules

    def offset(self, instant: int) -> int:
        """The microseconds that local time is ahead of UTC at an instant."""
        if self._fixed is not None:
            return self._fixed
        near = _EPOCH + dt.timedelta(microseconds=_near(instant))
        return _microseconds(near.astimezone(self._rules).utcoffset())

    def local(self, instant: int) -> int:
        """The local microseconds of an instant."""
        return instant + self.offset(instant)

    def instant(self, local: int) -> int:
        """The instant of local microseconds; the earlier one where clocks show it twice, and
        where they skip it, as far after the change as it is after the gap's begin."""
        if self._fixed is not None:
            return local - self._fixed
        near = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=_near(local))
        return local - _microseconds(near.replace(tzinfo=self._rules).utcoffset())


def _microseconds(offset: dt.timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND


def _near(instant: int) -> int:
    """An instant within Python's years of the same offset: before zones had rules each has but one,
    and the rules of today are the same whole calendar cycles away."""
    if _LEAST + 2 * DAY <= instant < _MOST - 2 * DAY:
        return instant
    return _LEAST + 2 * DAY if instant < 0 else instant % (_CYCLE_DAYS * DAY)


UTC = Zone(0)
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?\Z")


def zone(name: Any) -> Zone:
    """The zone of a name (`"Europe/Paris"`) or an offset (`"+02:00"`, `"+0200"`, `"+02"`)."""
    if not v.is_text(name):
        fail(f"a time zone is a string, not {v.type_name(name)}")
    return _zone(name)


@lru_cache(maxsize=1024)
def _zone(name: str) -> Zone:
    offset = _OFFSET.match(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return UTC if minutes == 0 else Zone((-minutes if offset[1] == "-" else minutes) * MINUTE)
    if name == "UTC":
        return UTC
    import zoneinfo

    try:
        return Zone(None, zoneinfo.ZoneInfo(name))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        fail(f"unknown time zone {name!r}")


def unit_of(value: Any) -> str:
    """The checked name of a unit of time."""
    if not v.is_text(value):
        fail(f"a unit of time is a string, not {v.type_name(value)}")
    if value not in UNITS:
        from xrepo_nb.core.errors import XRepoQueryError

        raise XRepoQueryError(f"unknown unit of time {value!r}", asked=value, exists=UNITS)
    return value


def first_weekday(value: Any) -> int:
    """The checked day that weeks start on: 0 for Monday."""
    if not v.is_text(value):
        fail(f"the start of a week is a string, not {v.type_name(value)}")
    found = [i for i, day in enumerate(WEEKDAYS) if value.lower() in (day, day[:3])]
    if not found:
        fail(f"unknown day of the week {value!r}")
    return found[0]


def add_units(instant: int, unit: str, amount: int, where: Zone = UTC) -> int:
    """The instant `amount` units later on the zone's clocks; days past a month's end become its
    last day. Units below a day are elapsed time."""
    if unit in FIXED and FIXED[unit] < DAY:
        return instant + amount * FIXED[unit]
    local = where.local(instant)
    if unit in FIXED:
        return where.instant(local + amount * FIXED[unit])
    days, time = divmod(local, DAY)
    year, month, day = date_of(days)
    month += amount * MONTHS[unit]
    length = days_of(year, month + 1, 1) - days_of(year, month, 1)
    return where.instant(days_of(year, month, min(day, length)) * DAY + time)


def difference(start: int, end: int, unit: str, where: Zone = UTC, first_day: int = 6) -> int:
    """How many boundaries of the unit lie between two instants; where clocks change in between, hours
    and minutes are those that passed."""
    if unit in FIXED and FIXED[unit] < DAY:
        size = FIXED[unit]
        if size <= SECOND:
            return end // size - start // size
        before, after = where.offset(start), where.offset(end)
        changed = int((before - after) / size)
        return (end + after) // size - (start + before) // size + changed
    first, last = where.local(start) // DAY, where.local(end) // DAY
    if unit == "day":
        return last - first
    if unit == "week":
        return _week(last, first_day) - _week(first, first_day)
    months = MONTHS[unit]
    return _month_count(last) // months - _month_count(first) // months


def _week(days: int, first_day: int) -> int:
    return (days + 3 - first_day) // 7


def _month_count(days: int) -> int:
    year, month, _ = date_of(days)
    return year * 12 + month - 1


_REFERENCE = days_of(2000, 1, 1)


def truncated(instant: int, unit: str, size: int, where: Zone = UTC, first_day: int = 6) -> int:
    """The start of the bin of `size` units that the instant is in, bins counted from 2000."""
    local = where.local(instant)
    if unit in MONTHS:
        step = size * MONTHS[unit]
        months = (_month_count(local // DAY) - 24_000) // step * step + 24_000
        return where.instant(days_of(months // 12, months % 12 + 1, 1) * DAY)
    reference = _REFERENCE * DAY
    if unit == "week":
        reference += (first_day - weekday(_REFERENCE)) % 7 * DAY
    step = size * FIXED[unit]
    if FIXED[unit] >= DAY:
        return where.instant((local - reference) // step * step + reference)
    origin = where.instant(reference)
    return (instant - origin) // step * step + origin


def checked_amount(amount: int, unit: str) -> int:
    """The amount, unless it alone passes the range of dates."""
    span = FIXED.get(unit) or MONTHS[unit] * 28 * DAY
    if abs(amount) * span > v.INT64_MAX * MILLI:
        fail(f"{amount} {unit}s pass the range of dates")
    return amount
