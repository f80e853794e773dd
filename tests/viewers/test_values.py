"""How values read in a cell."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from xrepo_nb.core.missing import MISSING
from xrepo_nb.viewers.values import HOVER, SHOWN, decimals_of, show


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (MISSING, "missing"),
        ("", '""'),
        ("null", "null"),
        (True, "true"),
        (2013, "2013"),
        (-12345, "-12,345"),
        (10**30, "1,000,000,000,000,000,000,000,000,000,000"),
        (1.5, "1.5"),
        (1234567.25, "1,234,567.25"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1e300, "1e+300"),
        (Decimal("12345.60"), "12,345.60"),
        (Colour.RED, "red"),
        (datetime(2013, 1, 1, 10, tzinfo=UTC), "2013-01-01T10:00:00Z"),
        (datetime(2013, 1, 1, 10, tzinfo=timezone(timedelta(hours=2))), "2013-01-01T08:00:00Z"),
        (date(2013, 1, 1), "2013-01-01"),
        (time(7, 30), "07:30:00"),
        (timedelta(days=1, hours=2, seconds=3.5), "1d 02:00:03.5"),
        (-timedelta(minutes=90), "-01:30:00"),
        (b"\x00\xff", "0x00ff (2 bytes)"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [1, None, {"b": "x"}]}, '{a: [1, null, {b: "x"}]}'),
        ({"zip": 10001, "n": [0.5, True]}, "{zip: 10001, n: [0.5, true]}"),
        ([], "[]"),
    ],
)
def test_each_kind_of_value(value: Any, text: str) -> None:
    assert show(value).text == text


def test_null_missing_and_text_that_looks_like_them_differ() -> None:
    kinds = [show(value).kind for value in (None, MISSING, "null", "missing")]
    assert kinds == ["null", "missing", "text", "text"]


def test_floats_of_a_column_have_the_same_places_and_keep_their_exact_value_for_hovering() -> None:
    shown = show(2.123456, decimals=2)
    assert (shown.text, shown.full) == ("2.12", "2.123456")
    assert show(2.5, decimals=2).text == "2.50"


@pytest.mark.parametrize(
    ("column", "places"),
    [
        ([0.0, 1.37, 12.330000000000002], 2),
        ([1.0, 2.0], 1),
        ([1 / 3, 1e5], 4),
        ([0.00034, 0.00012], 5),
        ([0.0012345678], 6),
        ([float("nan"), None, 0.0], 1),
    ],
)
def test_a_column_has_the_places_that_tell_something(column: list[float | None], places: int) -> None:
    assert decimals_of(column) == places


def test_long_values_are_cut_and_their_text_is_kept_for_hovering() -> None:
    shown = show("x" * 200)
    assert len(shown.text) == SHOWN
    assert shown.text.endswith("…")
    assert shown.full == "x" * 200


def test_a_huge_value_costs_no_more_than_what_is_shown() -> None:
    shown = show([{"a": "y" * 100_000}] * 1000)
    assert shown.full is not None
    assert len(shown.full) <= HOVER + 1


def test_line_breaks_do_not_break_the_row() -> None:
    shown = show("two\nlines")
    assert (shown.text, shown.full) == ("two lines", "two\nlines")
