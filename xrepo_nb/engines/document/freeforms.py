"""The forms that a date string may have when no format is given."""

from __future__ import annotations

import re

from xrepo_nb.engines.document.dateformat import (
    MONTH_NUMBERS,
    SHORT_MONTHS,
    ZONE,
    instant_of,
    unreadable,
)
from xrepo_nb.engines.document.dates import SECOND, Zone

_NO_ZONE = r"(?!(?:[ap]\.?m\.?|noon|midnight)\s*\Z)"


def _form(day: str, time: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{day}{time}\s*(?:{_NO_ZONE}(?P<z>\(?(?:{ZONE})\)?))?\s*\Z", re.A | re.I)


_FRACTION = r"(?:[.,:](?P<f>\d{1,9}))?"
_ISO_TIME = rf"(?:[T\s]\s*(?P<H>\d{{2}}):?(?P<M>\d{{2}})(?::?(?P<S>\d{{2}}){_FRACTION})?)?"
_MINUTES = rf"(?:[:.](?P<M>\d{{2}})(?:[:.](?P<S>\d{{2}}){_FRACTION})?)?"
_HALF = r"(?:\s*(?P<half>[ap])\.?m\b\.?)?"
_TIME = rf"(?:(?P<sep>[,T\s]+)(?:(?P<word>noon|midnight)|(?P<H>\d{{1,2}}){_MINUTES}{_HALF}))?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_NAMED_DAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_FORMS = (
    _form(r"(?P<Y>\d{4})-?(?P<m>\d{2})-?(?P<d>\d{2})", _ISO_TIME),
    _form(r"(?P<Y>\d{4})(?P<m>\d{2})(?P<d>\d{2})", r"(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})"),
    _form(r"(?P<G>\d{4})-?W(?P<V>\d{2})(?:-?(?P<u>[1-7]))?", _ISO_TIME),
    _form(r"(?P<Y>\d{4})[.-]?(?P<j>\d{3})", _ISO_TIME),
    _form(rf"{_NAMED_DAY}(?P<b>[A-Za-z]+)\.?\s+{_DAY},?\s+(?P<Y>\d{{4}})", _TIME),
    _form(rf"{_NAMED_DAY}{_DAY}[\s.-]+(?P<b>[A-Za-z]+)\.?,?[\s-]+(?P<Y>\d{{4}})", _TIME),
    _form(r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<Y>\d{4}|\d{2})", _TIME),
    _form(r"(?P<Y>\d{4})[/-](?P<m>\d{1,2})[/-](?P<d>\d{1,2})", _TIME),
    _form(r"(?P<Y>\d{4})-(?P<b>[A-Za-z]+)-(?P<d>\d{1,2})", _TIME),
    _form(r"(?P<d>\d{1,2})[.-](?P<m>\d{1,2})[.-](?P<Y>\d{4})", _TIME),
    _form(rf"{_NAMED_DAY}(?P<b>[A-Za-z]+)\s+{_DAY}", _TIME + r"\s+(?P<Y>\d{4})"),
    _form(r"(?P<d>\d{1,2})/(?P<b>[A-Za-z]+)/(?P<Y>\d{4})", r":(?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})"),
    _form(r"(?P<Y>\d{4})-(?P<m>\d{1,2})", ""),
    _form(r"(?P<b>[A-Za-z]+)[\s.,-]+(?P<Y>\d{4})", ""),
)
"""The forms, the most exact first."""
_SECONDS = re.compile(r"\s*@(?P<s>-?\d{1,15})(?:\.(?P<f>\d{1,6}))?\s*\Z", re.A)


def parse_any(text: str, default: Zone | None) -> int:
    """The instant of a text in ISO 8601 or one of the other common forms; `@` stands before seconds
    since 1970. `default` is the zone of a text that names none, and stands against one that does.

    Raises `XRepoQueryError` when the text has none of the forms, or is no date.
    """
    since = _SECONDS.match(text)
    if since is not None:
        return instant_of(text, {"Y": "1970", "m": "1", "d": "1", "z": "UTC"}, default) + _passed(since)
    for form in _FORMS:
        found = form.match(text)
        if found is not None and _is_sound(read := _given(found)):
            return _read(text, read, default)
    return unreadable(text, "its form is not known; give a format")


def _given(found: re.Match[str]) -> dict[str, str]:
    return {name: part for name, part in found.groupdict().items() if part is not None}


def _passed(since: re.Match[str]) -> int:
    fraction = int((since["f"] or "0").ljust(6, "0"))
    return int(since["s"]) * SECOND + (-fraction if since["s"].startswith("-") else fraction)


def _is_sound(read: dict[str, str]) -> bool:
    """Whether a name is that of a month, and a lone number behind the day an hour."""
    if "b" in read and read["b"].lower() not in MONTH_NUMBERS | SHORT_MONTHS:
        return False
    return "H" not in read or "M" in read or "half" in read or read.get("sep", "").upper() == "T"


def _read(text: str, read: dict[str, str], default: Zone | None) -> int:
    fraction, half = read.pop("f", ""), read.pop("half", "").lower()
    word = read.pop("word", "").lower()
    if word:
        read["H"] = "12" if word == "noon" else "0"
    if half:
        if not 1 <= int(read["H"]) <= 12:
            unreadable(text, "an hour before or after noon runs from 1 to 12")
        read["H"] = str(int(read["H"]) % 12 + 12 * (half == "p"))
    if len(read.get("Y", "")) == 2:
        read["Y"] = ("20" if read["Y"] < "70" else "19") + read["Y"]
    if "z" in read:
        read["z"] = read["z"].strip("()")
    if "b" in read or "m" in read:
        read.setdefault("d", "1")
    instant = instant_of(text, read, default)
    return instant + int(fraction[:3].ljust(3, "0")) * 1000 if fraction else instant
