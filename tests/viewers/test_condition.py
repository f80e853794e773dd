"""What is typed into a filter box."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.schema.types import DataType, Field, Kind
from xrepo_nb.viewers.condition import condition


def _field(kind: Kind) -> Field:
    return Field("x", DataType(kind))


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("int", "5", 5),
        ("int", "=5", 5),
        ("int", "!= 5", {"$ne": 5}),
        ("int", "> 12,000", {"$gt": 12000}),
        ("int", "2.5", 2.5),
        ("int", "-3..-1", {"$gte": -3, "$lte": -1}),
        ("float", "<= 1e3", {"$lte": 1000.0}),
        ("decimal", "1.10", Decimal("1.10")),
        ("bool", "TRUE", True),
        ("string", "U.A", {"$regex": "U\\.A", "$options": "i"}),
        ("string", "= UA", "UA"),
        ("string", "!= UA", {"$ne": "UA"}),
        ("string", "null", None),
        ("string", "not null", {"$ne": None}),
        ("date", "2013-01-05", date(2013, 1, 5)),
        ("datetime", ">= 2013-01-05", {"$gte": datetime(2013, 1, 5, tzinfo=UTC)}),
        ("datetime", "> 2013-01-05T10:00:00+02:00", {"$gt": datetime(2013, 1, 5, 8, tzinfo=UTC)}),
        (
            "datetime",
            "2013-01-05",
            {"$gte": datetime(2013, 1, 5, tzinfo=UTC), "$lt": datetime(2013, 1, 6, tzinfo=UTC)},
        ),
    ],
)
def test_a_text_becomes_a_condition(kind: Kind, text: str, meant: Any) -> None:
    assert condition(text, _field(kind)) == meant


def test_an_array_is_filtered_by_its_items() -> None:
    assert condition("> 2", Field("x", DataType("array", item=DataType("int")))) == {"$gt": 2}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "ten"),
        ("int", "1..x"),
        ("bool", "yes"),
        ("datetime", "soon"),
        ("object", "x"),
        ("decimal", "x"),
    ],
)
def test_a_text_that_does_not_fit_says_so(kind: Kind, text: str) -> None:
    with pytest.raises(XRepoQueryError):
        condition(text, _field(kind))
