"""Dates: parts, zones, arithmetic, bins, text."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from asking import value
from bson import ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from xrepo_nb.core.errors import XRepoQueryError


def day(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


LEAP = day("2024-02-29T23:30:15.250")
DST = "Europe/Paris"


@pytest.mark.parametrize(
    ("op", "zone", "expected"),
    [
        ("$year", None, 2024),
        ("$month", None, 2),
        ("$month", "+01:00", 3),
        ("$dayOfMonth", "Asia/Tokyo", 1),
        ("$dayOfMonth", "-0130", 29),
        ("$hour", DST, 0),
        ("$minute", "+05:45", 15),
        ("$second", None, 15),
        ("$millisecond", None, 250),
        ("$dayOfYear", None, 60),
        ("$dayOfWeek", None, 5),
        ("$isoDayOfWeek", None, 4),
        ("$week", None, 8),
        ("$isoWeek", None, 9),
        ("$isoWeekYear", None, 2024),
    ],
)
def test_parts(op: str, zone: str | None, expected: int) -> None:
    given: Any = {"date": "$d"} if zone is None else {"date": "$d", "timezone": zone}
    assert value({op: given}, {"d": LEAP}) == expected
    assert value({op: given}, {"d": DatetimeMS(int(LEAP.timestamp() * 1000))}) == expected
    assert value({op: given}, {"d": None}) is None


def test_object_ids_timestamps_and_plain_dates_count_as_dates() -> None:
    assert value({"$year": "$x"}, {"x": ObjectId("507f191e810c19729de860ea")}) == 2012
    assert value({"$year": "$x"}, {"x": Timestamp(1704067200, 1)}) == 2024
    assert value({"$month": "$x"}, {"x": dt.date(2024, 5, 1)}) == 5
    assert value({"$hour": "$x"}, {"x": dt.datetime(2024, 5, 1, 7)}) == 7


@pytest.mark.parametrize("wrong", ["2024-01-01", 5, True])
def test_what_is_no_date_is_refused(wrong: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value({"$year": "$d"}, {"d": wrong})


@pytest.mark.parametrize("zone", ["Mars/Base", "+8", "+25:0", "Z", "CEST", "", 5])
def test_unknown_zones_are_refused(zone: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value({"$hour": {"date": "$d", "timezone": zone}}, {"d": LEAP})


@pytest.mark.parametrize(
    ("start", "unit", "amount", "zone", "expected"),
    [
        ("2024-01-31", "month", 1, None, "2024-02-29"),
        ("2024-02-29", "year", 1, None, "2025-02-28"),
        ("2024-03-31", "month", -1, None, "2024-02-29"),
        ("2024-01-31", "quarter", 1, None, "2024-04-30"),
        ("2024-01-01", "week", 2, None, "2024-01-15"),
        ("2024-03-30T12:00", "day", 1, DST, "2024-03-31T11:00"),
        ("2024-03-30T12:00", "hour", 24, DST, "2024-03-31T12:00"),
        ("2024-01-01", "millisecond", 1500, None, "2024-01-01T00:00:01.500"),
    ],
)
def test_adding(start: str, unit: str, amount: int, zone: str | None, expected: str) -> None:
    given: dict[str, Any] = {"startDate": "$d", "unit": unit, "amount": amount}
    given |= {"timezone": zone} if zone else {}
    assert value({"$dateAdd": given}, {"d": day(start)}) == day(expected)
    given["amount"] = -amount
    assert value({"$dateSubtract": given}, {"d": day(start)}) == day(expected)


@pytest.mark.parametrize(
    ("start", "end", "options", "expected"),
    [
        ("2023-12-31T23:59", "2024-01-01", {"unit": "year"}, 1),
        ("2024-01-31", "2024-03-01", {"unit": "month"}, 2),
        ("2024-01-01", "2023-12-31", {"unit": "quarter"}, -1),
        ("2024-01-06", "2024-01-07", {"unit": "week"}, 1),
        ("2024-01-06", "2024-01-07", {"unit": "week", "startOfWeek": "Monday"}, 0),
        ("2024-01-07", "2024-01-08", {"unit": "week", "startOfWeek": "mon"}, 1),
        ("2024-01-01T23:00", "2024-01-02T01:00", {"unit": "day"}, 1),
        ("2024-01-01T23:00", "2024-01-02T01:00", {"unit": "day", "timezone": "+02:00"}, 0),
        ("2024-01-01T00:59", "2024-01-01T01:01", {"unit": "hour"}, 1),
        ("2024-01-01T00:00:00.9", "2024-01-01T00:00:01", {"unit": "second"}, 1),
        ("2024-03-30T23:00", "2024-03-31T22:00", {"unit": "day", "timezone": DST}, 1),
        ("2024-03-30T23:00", "2024-03-31T22:00", {"unit": "hour", "timezone": DST}, 23),
        ("2024-03-31T22:00", "2024-03-30T23:00", {"unit": "hour", "timezone": DST}, -23),
        ("2024-10-26T22:00", "2024-10-27T23:00", {"unit": "hour", "timezone": DST}, 25),
        ("2024-03-31T00:59", "2024-03-31T01:01", {"unit": "minute", "timezone": DST}, 2),
        ("2024-03-30T14:29", "2024-04-07T00:31", {"unit": "hour", "timezone": "Australia/Lord_Howe"}, 178),
    ],
)
def test_differences_count_boundaries(start: str, end: str, options: Any, expected: int) -> None:
    given = {"startDate": "$a", "endDate": "$b", **options}
    assert value({"$dateDiff": given}, {"a": day(start), "b": day(end)}) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"unit": "year"}, "2024-01-01"),
        ({"unit": "quarter"}, "2024-01-01"),
        ({"unit": "month", "binSize": 5}, "2023-10-01"),
        ({"unit": "week"}, "2024-02-25"),
        ({"unit": "week", "startOfWeek": "wed"}, "2024-02-28"),
        ({"unit": "day"}, "2024-02-29"),
        ({"unit": "day", "timezone": "+01:00"}, "2024-02-29T23:00"),
        ({"unit": "hour", "binSize": 6}, "2024-02-29T18:00"),
        ({"unit": "minute", "binSize": 20}, "2024-02-29T23:20"),
        ({"unit": "second", "binSize": 10}, "2024-02-29T23:30:10"),
    ],
)
def test_truncation(options: Any, expected: str) -> None:
    assert value({"$dateTrunc": {"date": "$d", **options}}, {"d": LEAP}) == day(expected)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%Y-%m-%dT%H:%M:%S.%LZ", "2024-02-29T23:30:15.250Z"),
        ("%j %u %w %U %V %G", "060 4 5 08 09 2024"),
        ("%b %B %%", "Feb February %"),
        ("%z %Z", "+0000 0"),
    ],
)
def test_formats(template: str, expected: str) -> None:
    assert value({"$dateToString": {"date": "$d", "format": template}}, {"d": LEAP}) == expected


def test_text_of_null_and_of_wrong_formats() -> None:
    assert value({"$dateToString": {"date": None, "onNull": "-"}}) == "-"
    assert value({"$dateToString": {"date": "$d", "format": None}}, {"d": LEAP}) is None
    assert value({"$dateToString": {"date": "$d", "timezone": None}}, {"d": LEAP}) is None
    for wrong in ("%i", "%", 5):
        with pytest.raises(XRepoQueryError):
            value({"$dateToString": {"date": None, "format": wrong}})
    with pytest.raises(XRepoQueryError):
        value({"$dateToString": {"date": DatetimeMS(10**15)}})


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("2024-02-29", {}, "2024-02-29"),
        ("2024-02-29T10:11:12.5Z", {}, "2024-02-29T10:11:12.5"),
        ("2024-02-29T10:11:12+02:00", {}, "2024-02-29T08:11:12"),
        ("2024-02-29 10:11", {"timezone": "America/New_York"}, "2024-02-29T15:11"),
        ("July 4th, 2017", {}, "2017-07-04"),
        ("06-15-2018", {"format": "%m-%d-%Y"}, "2018-06-15"),
        ("2018.20.3", {"format": "%G.%V.%u"}, "2018-05-16"),
        ("2024 060", {"format": "%Y %j"}, "2024-02-29"),
        ("01 Mar 2024 +0100", {"format": "%d %b %Y %z"}, "2024-02-29T23:00"),
        ("01 Mar 2024 PST", {"format": "%d %b %Y %z"}, "2024-03-01T08:00"),
        ("1.1.1", {"format": "%V.%u.%G"}, "0001-01-01"),
        ("2017", {"format": "%G"}, "2017-01-02"),
        ("4/26/1992:+285", {"format": "%m/%d/%Y:%Z"}, "1992-04-25T19:15"),
        ("2017-Jul-04 noon", {}, "2017-07-04T12:00"),
        ("2017-07-04 noon", {}, "2017-07-04T12:00"),
        ("2017-07-04 12:30pm", {}, "2017-07-04T12:30"),
        ("2017-07-04 12:30 a.m.", {}, "2017-07-04T00:30"),
        ("2017-07-04 5:30 p.m.", {}, "2017-07-04T17:30"),
        ("2017-07-04 5pm", {}, "2017-07-04T17:00"),
        ("2017-07-04T11", {}, "2017-07-04T11:00"),
        ("2017-07-04T11:56.02.813", {"timezone": "Europe/London"}, "2017-07-04T10:56:02.813"),
        ("7/4/99", {}, "1999-07-04"),
        ("2017-07", {}, "2017-07-01"),
        ("July 2017", {}, "2017-07-01"),
        ("@-1.5", {}, "1969-12-31T23:59:58.5"),
        ("2017-07-04T02:00+02:00", {"timezone": "UTC"}, "2017-07-04"),
    ],
)
def test_reading(text: str, options: Any, expected: str) -> None:
    assert value({"$dateFromString": {"dateString": text, **options}}) == day(expected)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("yesterday", {}),
        ("2023-02-29", {}),
        ("2024-13-01", {"format": "%Y-%m-%d"}),
        ("2024-01", {"format": "%Y-%m"}),
        ("2024-01-01Z", {"timezone": DST}),
        ("@5", {"timezone": DST}),
        ("2024-01-01T00:00:00 Europe/Paris", {}),
        ("2024-01-01T00:00:00 J", {}),
        ("2024-01-01 11", {}),
        ("2024-01-01 13pm", {}),
        ("July 4th", {}),
        ("12:50:53", {}),
        ("2017, 12:50:53", {}),
        (5, {}),
    ],
)
def test_what_cannot_be_read(text: Any, options: Any) -> None:
    given = {"dateString": "$t", **options}
    with pytest.raises(XRepoQueryError):
        value({"$dateFromString": given}, {"t": text})
    assert value({"$dateFromString": {**given, "onError": "?"}}, {"t": text}) == "?"
    assert value({"$dateFromString": {**given, "onNull": "-"}}) == "-"


def test_parts_make_dates_and_carry_over() -> None:
    assert value({"$dateFromParts": {"year": 2024, "month": 14, "day": 0}}) == day("2025-01-31")
    assert value({"$dateFromParts": {"isoWeekYear": 2018, "isoWeek": 20, "isoDayOfWeek": 3}}) == day(
        "2018-05-16"
    )
    assert value({"$dateFromParts": {"year": 2024, "timezone": DST}}) == day("2023-12-31T23:00")
    assert value({"$dateFromParts": {"year": None}}) is None
    parts = value({"$dateToParts": {"date": "$d", "timezone": DST}}, {"d": LEAP})
    assert value({"$dateFromParts": {**parts, "timezone": DST}}) == LEAP
    for wrong in ({"month": 1}, {"year": 2024, "isoWeek": 1}, {"year": 0}, {"year": 2024, "month": 1.5}):
        with pytest.raises(XRepoQueryError):
            value({"$dateFromParts": wrong})


@pytest.mark.parametrize(
    "given",
    [
        {"$dateFromParts": {"year": 2024, "hour": None, "minute": "x"}},
        {"$dateFromParts": {"year": "x", "hour": None}},
        {"$dateFromParts": {"year": 0, "month": None}},
        {"$dateFromParts": {"year": "x", "timezone": None}},
        {"$dateFromParts": {"isoWeekYear": 2024, "millisecond": None, "timezone": "x"}},
        {"$dateAdd": {"startDate": None, "unit": "$x", "amount": 1}},
        {"$dateAdd": {"startDate": "$x", "unit": "day", "amount": None}},
        {"$dateDiff": {"startDate": "$x", "endDate": None, "unit": "$x"}},
        {"$dateDiff": {"startDate": "$x", "endDate": "$x", "unit": "day", "timezone": None}},
        {"$dateTrunc": {"date": None, "unit": "$x"}},
        {"$dateTrunc": {"date": "$x", "unit": "day", "timezone": None}},
        {"$dateToString": {"date": "$d", "format": None, "onNull": {"$divide": [1, "$zero"]}}},
    ],
)
def test_what_is_read_first_decides(given: Any) -> None:
    assert value(given, {"x": "x", "zero": 0, "d": LEAP}) is None


@pytest.mark.parametrize(
    "given",
    [
        {"$dateFromParts": {"year": None, "hour": "x"}},
        {"$dateFromParts": {"year": None, "timezone": "x"}},
        {"$dateFromParts": {"year": None, "minute": 2**15}},
        {"$dateFromParts": {"year": 2024, "month": "x", "day": None}},
        {"$dateAdd": {"startDate": "$d", "unit": "$x", "amount": None}},
        {"$dateAdd": {"startDate": "$x", "unit": "day", "amount": 1}},
        {"$dateDiff": {"startDate": "$d", "endDate": "$d", "unit": "$x", "timezone": None}},
        {"$dateTrunc": {"date": "$d", "binSize": "x", "unit": None}},
        {"$dateTrunc": {"date": "$d", "unit": "week", "startOfWeek": "x", "timezone": None}},
    ],
)
def test_what_is_wrong_before_a_null_is_refused(given: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(given, {"x": "x", "d": LEAP})


def test_clock_changes() -> None:
    skipped = {"year": 2024, "month": 3, "day": 31, "hour": 2, "minute": 30, "timezone": DST}
    assert value({"$dateFromParts": skipped}) == day("2024-03-31T01:30")
    twice = {"year": 2024, "month": 10, "day": 27, "hour": 2, "timezone": DST}
    assert value({"$dateFromParts": twice}) == day("2024-10-27T00:00")


def test_now_is_one_moment_for_a_whole_query() -> None:
    assert value({"$eq": ["$$NOW", "$$NOW"]}, NOW=LEAP)
    assert value("$$NOW").microsecond % 1000 == 0


@pytest.mark.parametrize(
    "text",
    [
        "2017-W27-2",
        "2017W272",
        "2017-185",
        "2017.185",
        "04.07.2017",
        "4-7-2017",
        "2017-Jul-04",
        "Tue Jul 04 2017 00:00:00 GMT+0000",
        "Tue Jul  4 00:00:00 2017",
        "4/Jul/2017:00:00:00 +0000",
        "2017-07-03T20:00:00 EDT",
        "2017-07-04T02:00:00 (CEST)",
        "2017-07-04 01:00 A",
        "July 4th, 2017 12am",
        "7/4/17 midnight",
        "2017-07-04 0.00.00",
        "20170704000000",
        "July 4 2017 0:00",
        "@1499126400",
    ],
)
def test_common_forms_of_a_date_need_no_format(text: str) -> None:
    assert value({"$dateFromString": {"dateString": text}}) == dt.datetime(2017, 7, 4, tzinfo=dt.UTC)


def test_an_empty_format_is_a_format() -> None:
    with pytest.raises(XRepoQueryError, match="form"):
        value({"$dateFromString": {"dateString": "2017-07-04", "format": ""}})
