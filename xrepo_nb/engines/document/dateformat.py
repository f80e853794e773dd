"""Dates as text: the format specifiers of `$dateToString` and `$dateFromString`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, NoReturn

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import dates
from xrepo_nb.engines.document.dates import Civil, Zone
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.query.units import FIXED

ISO = "%Y-%m-%dT%H:%M:%S.%LZ"
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
MONTH_NUMBERS = {name.lower(): i for i, name in enumerate(_MONTHS, 1)}
SHORT_MONTHS = {name[:3].lower(): i for i, name in enumerate(_MONTHS, 1)} | {"sept": 9}


class Moment(NamedTuple):
    """A local time as formatting sees it."""

    parts: Civil
    days: int
    offset: int


def _offset_text(moment: Moment) -> str:
    minutes = abs(moment.offset) // dates.MINUTE
    return f"{'-' if moment.offset < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"


def _day_of_year(moment: Moment) -> int:
    return moment.days - dates.days_of(moment.parts.year, 1, 1) + 1


def week_of_year(days: int, first_of_year: int) -> int:
    """Weeks that begin on Sunday; the days before the first one are in week 0."""
    day_of_year = days - first_of_year
    return (day_of_year + 7 - (dates.weekday(days) + 1) % 7) // 7


def _week(moment: Moment) -> int:
    return week_of_year(moment.days, dates.days_of(moment.parts.year, 1, 1))


SPECIFIERS: dict[str, Callable[[Moment], str]] = {
    "Y": lambda m: f"{m.parts.year:04}",
    "m": lambda m: f"{m.parts.month:02}",
    "d": lambda m: f"{m.parts.day:02}",
    "H": lambda m: f"{m.parts.hour:02}",
    "M": lambda m: f"{m.parts.minute:02}",
    "S": lambda m: f"{m.parts.second:02}",
    "L": lambda m: f"{m.parts.micro // 1000:03}",
    "j": lambda m: f"{_day_of_year(m):03}",
    "b": lambda m: _MONTHS[m.parts.month - 1][:3],
    "B": lambda m: _MONTHS[m.parts.month - 1],
    "w": lambda m: str((dates.weekday(m.days) + 1) % 7 + 1),
    "u": lambda m: str(dates.weekday(m.days) + 1),
    "U": lambda m: f"{_week(m):02}",
    "V": lambda m: f"{dates.iso_week(m.days)[1]:02}",
    "G": lambda m: f"{dates.iso_week(m.days)[0]:04}",
    "z": _offset_text,
    "Z": lambda m: str(m.offset // dates.MINUTE),
    "%": lambda m: "%",
}


@lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[tuple[str, bool], ...]:
    """The template as literal texts and specifiers, each marked which it is."""
    out: list[tuple[str, bool]] = []
    at = 0
    while at < len(template):
        if template[at] != "%":
            end = template.find("%", at)
            end = len(template) if end < 0 else end
            out.append((template[at:end], False))
            at = end
            continue
        letter = template[at + 1 : at + 2]
        if letter not in SPECIFIERS:
            raise XRepoQueryError(
                f"the date format has an unknown specifier '%{letter}'",
                asked="%" + letter,
                exists=["%" + name for name in SPECIFIERS],
            )
        out.append((letter, True))
        at += 2
    return tuple(out)


def check_format(template: str) -> None:
    """Refuses a template with an unknown specifier."""
    _pieces(template)


def format_date(instant: int, template: str, where: Zone) -> str:
    """The instant as text on the zone's clocks. Years run from 0 to 9999."""
    pieces = _pieces(template)
    offset = where.offset(instant)
    local = instant + offset
    moment = Moment(dates.civil(local), local // dates.DAY, offset)
    if not 0 <= moment.parts.year <= 9999:
        fail(f"a date of the year {moment.parts.year} has no text; years run from 0 to 9999")
    return "".join(SPECIFIERS[text](moment) if marked else text for text, marked in pieces)


_NUMBER = {
    "Y": r"\d{4}", "G": r"\d{1,4}", "m": r"\d{1,2}", "d": r"\d{1,2}", "H": r"\d{1,2}", "M": r"\d{1,2}",
    "S": r"\d{1,2}", "L": r"\d{1,3}", "j": r"\d{1,3}", "u": r"\d", "w": r"\d", "U": r"\d{1,2}",
    "V": r"\d{1,2}",
}  # fmt: skip
_NAMES = "|".join(sorted([*MONTH_NUMBERS, *SHORT_MONTHS], key=len, reverse=True))
ZONE = r"(?:GMT|UTC)?[+-]\d{1,2}(?::?\d{2})?|[A-Za-z]+(?:/[A-Za-z_]+)*"
_PARSED = _NUMBER | {"b": _NAMES, "B": _NAMES, "z": ZONE, "Z": r"[+-]?\d+", "%": "%"}
_RANGES = {
    "m": (1, 12),
    "d": (1, 31),
    "H": (0, 24),
    "M": (0, 59),
    "S": (0, 60),
    "j": (1, 366),
    "u": (1, 7),
    "V": (1, 53),
}


@lru_cache(maxsize=256)
def _reader(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    letters: list[str] = []
    out = []
    for text, marked in _pieces(template):
        if marked:
            letters.append(text)
            out.append(f"({_PARSED[text]})")
        else:
            out.append(re.sub(r"(?:\\ )+|\s+", r"\\s*", re.escape(text)))
    return re.compile("".join(out) + r"\Z", re.I | re.A), tuple(letters)


def parse_date(text: str, template: str, default: Zone | None) -> int:
    """The instant that the text means; `default` is the zone of a text that names none, and
    stands against one that does.

    Raises `XRepoQueryError` when the text is not of this form, or no date.
    """
    pattern, letters = _reader(template)
    found = pattern.match(text)
    if found is None:
        unreadable(text, f"it does not have the form {template!r}")
    read: dict[str, str] = {}
    for letter, part in zip(letters, found.groups(), strict=True):
        read[letter] = part
    return instant_of(text, read, default)


def unreadable(text: str, why: str) -> NoReturn:
    """Refuses a text, which itself stays out of the message."""
    fail(f"a text of {len(text)} characters is no date: {why}")


def instant_of(text: str, read: dict[str, str], default: Zone | None) -> int:
    """The instant that parts of a text mean, each under the letter of its specifier."""
    where = _zone_of(text, read, default)
    numbers = {letter: int(read[letter]) for letter in _NUMBER if letter in read}
    for letter, (low, high) in _RANGES.items():
        if letter in numbers and not low <= numbers[letter] <= high:
            unreadable(text, f"%{letter} is out of range")
    for letter in "bB":
        if letter in read:
            name = read[letter].lower()
            numbers["m"] = MONTH_NUMBERS.get(name) or SHORT_MONTHS[name]
    days = _days(text, numbers)
    micro = int(read["L"].ljust(3, "0")) * 1000 if "L" in read else 0
    seconds = (numbers.get("H", 0) * 60 + numbers.get("M", 0)) * 60 + numbers.get("S", 0)
    return where.instant(days * dates.DAY + seconds * dates.SECOND + micro)


def _zone_of(text: str, read: dict[str, str], default: Zone | None) -> Zone:
    if "z" not in read and "Z" not in read:
        return default or dates.UTC
    if default is not None and default is not dates.UTC:
        unreadable(text, "it names a time zone, and one is given beside it")
    if "Z" in read:
        return Zone(int(read["Z"]) * dates.MINUTE)
    offset = _OFFSET.match(read["z"])
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return Zone((-minutes if offset[1] == "-" else minutes) * dates.MINUTE)
    hours = ABBREVIATIONS.get(read["z"].upper())
    if hours is None:
        unreadable(text, "a zone in it is an offset or an abbreviation; others are given beside it")
    return Zone(int(hours * FIXED["hour"]))


_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d{2}))?\Z", re.I)
ABBREVIATIONS: dict[str, float] = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "WAT": 1, "CAT": 2, "SAST": 2, "EAT": 3, "PKT": 5, "HKT": 8, "JST": 9, "AWST": 8, "ACST": 9.5,
    "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "NST": -3.5, "NDT": -2.5, "AST": -4,
    "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10,
    **{letter: hours for hours, letter in enumerate("ABCDEFGHIKLM", 1)},
    **{letter: -hours for hours, letter in enumerate("NOPQRSTUVWXY", 1)},
}  # fmt: skip
"""The hours that a zone is ahead of UTC, by its common abbreviation or its military letter."""


def _days(text: str, numbers: dict[str, int]) -> int:
    iso, natural = numbers.keys() & set("GVu"), numbers.keys() & set("Ymdj")
    if iso and natural:
        unreadable(text, "ISO weeks do not mix with years, months and days")
    if "G" in numbers:
        return dates.days_of_iso(numbers["G"], numbers.get("V", 1), numbers.get("u", 1))
    if "Y" in numbers and "j" in numbers:
        return dates.days_of(numbers["Y"], 1, numbers["j"])
    if not {"Y", "m", "d"} <= numbers.keys():
        unreadable(text, "it lacks a year, a month or a day")
    days = dates.days_of(numbers["Y"], numbers["m"], numbers["d"])
    if dates.date_of(days)[1] != numbers["m"]:
        unreadable(text, "the month has not that many days")
    return days
