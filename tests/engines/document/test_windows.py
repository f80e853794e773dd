"""Window functions: frames by rows, by value, by time."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest
from asking import rows

from xrepo_nb.core.errors import XRepoQueryError

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
GIVEN = [
    {"g": "a", "t": 3, "v": 30},
    {"g": "b", "t": 1, "v": 5},
    {"g": "a", "t": 1, "v": 10},
    {"g": "a", "t": 2},
]


def window(
    output: Any, given: list[Any] = GIVEN, *, by: Any = "$g", sort: Any = None, **bounds: Any
) -> list[Any]:
    """The output for each row, in the order of partitions and of their sort."""
    stage: dict[str, Any] = {"output": {"x": {**output, **({"window": bounds} if bounds else {})}}}
    stage |= {"partitionBy": by, "sortBy": sort or {"t": 1}}
    return [row["x"] for row in rows([{"$setWindowFields": stage}], given)]


@pytest.mark.parametrize(
    ("output", "bounds", "expected"),
    [
        ({"$sum": "$v"}, {}, [40, 40, 40, 5]),
        ({"$sum": "$v"}, {"documents": ["unbounded", "current"]}, [10, 10, 40, 5]),
        ({"$avg": "$v"}, {"documents": ["unbounded", "current"]}, [10, 10, 20, 5]),
        ({"$min": "$v"}, {"documents": ["current", "unbounded"]}, [10, 30, 30, 5]),
        ({"$max": "$v"}, {"documents": ["unbounded", "current"]}, [10, 10, 30, 5]),
        ({"$push": "$t"}, {"documents": [-1, 0]}, [[1], [1, 2], [2, 3], [1]]),
        ({"$push": "$t"}, {"documents": [1, 2]}, [[2, 3], [3], [], []]),
        ({"$push": "$t"}, {"documents": [-9, -5]}, [[], [], [], []]),
        ({"$count": {}}, {"range": [-1, 0]}, [1, 2, 2, 1]),
        ({"$push": "$t"}, {"range": [1, "unbounded"]}, [[2, 3], [3], [], []]),
        ({"$first": "$v"}, {"documents": [-1, 1]}, [10, 10, None, 5]),
        ({"$documentNumber": {}}, {}, [1, 2, 3, 1]),
        ({"$shift": {"output": "$v", "by": 1, "default": -1}}, {}, [None, 30, -1, -1]),
        ({"$shift": {"output": "$t", "by": -1}}, {}, [None, 1, 2, None]),
        ({"$locf": "$v"}, {}, [10, 10, 30, 5]),
        ({"$linearFill": "$v"}, {}, [10, 20, 30, 5]),
        ({"$expMovingAvg": {"input": "$v", "alpha": 0.5}}, {}, [10, None, 20, 5]),
        ({"$minMaxScaler": {"input": "$v"}}, {}, [0, None, 1, 0]),
        ({"$minMaxScaler": {"input": "$t", "min": 0, "max": 10}}, {}, [0, 5, 10, 0]),
        ({"$covariancePop": ["$t", "$v"]}, {}, [10, 10, 10, 0]),
        ({"$covarianceSamp": ["$t", "$v"]}, {}, [20, 20, 20, None]),
        ({"$addToSet": "$g"}, {}, [["a"], ["a"], ["a"], ["b"]]),
        ({"$topN": {"n": 1, "sortBy": {"t": -1}, "output": "$t"}}, {}, [[3], [3], [3], [1]]),
    ],
)  # fmt: skip
def test_outputs(output: Any, bounds: Any, expected: Any) -> None:
    assert window(output, **bounds) == expected


def test_ranks() -> None:
    given = [{"s": 2}, {"s": 1}, {"s": 2.0}, {"s": None}, {}, {"s": 5}]
    order = {"by": None, "sort": {"s": 1}}
    assert window({"$rank": {}}, given, **order) == [1, 1, 3, 4, 4, 6]
    assert window({"$denseRank": {}}, given, **order) == [1, 1, 2, 3, 3, 4]


def test_ranges_of_time_follow_the_calendar() -> None:
    days = [START + dt.timedelta(days=n) for n in (0, 30, 59, 60, 90)]
    given = [{"t": day, "v": i} for i, day in enumerate(days)]
    found = window({"$push": "$v"}, given, by=None, range=[-1, 0], unit="month")
    assert found == [[0], [0, 1], [1, 2], [2, 3], [2, 3, 4]]


def test_slopes() -> None:
    given = [{"t": START + dt.timedelta(hours=n), "v": n * n} for n in range(4)]
    speed = {"$derivative": {"input": "$v", "unit": "hour"}}
    assert window(speed, given, by=None, documents=[-1, 0]) == [None, 1, 3, 5]
    area = {"$integral": {"input": "$v", "unit": "minute"}}
    assert window(area, given, by=None, documents=["unbounded", "current"]) == [0, 30, 180, 570]
    assert window({"$derivative": {"input": "$t"}}, by="$g", documents=[-1, 0]) == [None, 1, 1, None]


def test_sums_over_growing_frames_are_exact() -> None:
    given = [{"t": i, "v": value} for i, value in enumerate([1e100, 1.0, -1e100, Decimal("0.5"), 2])]
    found = window({"$sum": "$v"}, given[:3], by=None, documents=["unbounded", "current"])
    assert found == [1e100, 1e100, 1.0]
    mixed = window({"$sum": "$v"}, given[3:], by=None, documents=["unbounded", "current"])
    assert mixed == [Decimal("0.5"), Decimal("2.5")]
    assert math.isnan(window({"$sum": "$v"}, [{"t": 1, "v": math.nan}, {"t": 2, "v": 1}], by=None,
                             documents=["unbounded", "current"])[1])  # fmt: skip


@pytest.mark.parametrize(
    ("output", "given", "bounds"),
    [
        ({"$sum": "$v"}, [{"t": "x"}], {"range": [-1, 0]}),
        ({"$sum": "$v"}, [{"t": START}], {"range": [-1, 0]}),
        ({"$sum": "$v"}, [{"t": 1}], {"range": [-1, 0], "unit": "day"}),
        ({"$derivative": {"input": "$v"}}, [{"t": 1, "v": "x"}], {"documents": [-1, 0]}),
        ({"$linearFill": "$v"}, [{"t": 1, "v": "x"}], {}),
        ({"$linearFill": "$v"}, [{"t": 1, "v": 1}, {"t": 1}], {}),
        ({"$linearFill": "$v"}, [{"t": 1, "v": 1}, {"t": START}], {}),
        *(
            ({"$minMaxScaler": {"input": "$v", **bounds}}, [], {})
            for bounds in (
                {"min": 1},
                {"max": 0},
                {"min": 2, "max": 1},
                {"min": "a"},
                {"max": "$v"},
                {"min": None},
            )
        ),
    ],
)
def test_wrong_data_is_refused(output: Any, given: Any, bounds: Any) -> None:
    with pytest.raises(XRepoQueryError):
        window(output, given, by=None, **bounds)


def test_partitions_by_arrays_are_refused() -> None:
    with pytest.raises(XRepoQueryError):
        window({"$sum": 1}, [{"g": [1], "t": 1}])
