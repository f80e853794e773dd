"""Arithmetic: types of results, overflow, null, decimals."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest
from asking import value
from bson import Decimal128, Int64

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING

BIG, LONG = 2**31 - 1, 2**63 - 1
DAY = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "expected", "kind"),
    [
        ({"$add": [1, 2]}, 3, "int"),
        ({"$add": []}, 0, "int"),
        ({"$add": [BIG, 1]}, 2**31, "long"),
        ({"$add": [LONG, 1]}, 2.0**63, "double"),
        ({"$add": [Int64(1), 1]}, 2, "long"),
        ({"$subtract": [2**40, 2**40 - 1]}, 1, "long"),
        ({"$add": [0.1, 0.2, 0.3]}, 0.6, "double"),
        ({"$add": [1, Decimal128("0.5")]}, Decimal128("1.5"), "decimal"),
        ({"$add": [Decimal("0.5"), 1]}, Decimal("1.5"), "decimal"),
        ({"$multiply": [2**20, 2**20]}, 2**40, "long"),
        ({"$multiply": [2**40, 2**40]}, 2.0**80, "double"),
        ({"$multiply": [0.1, Decimal("3")]}, Decimal("0.300000000000000"), "decimal"),
        ({"$divide": [6, 3]}, 2.0, "double"),
        ({"$mod": [-7, 3]}, -1, "int"),
        ({"$mod": [-7.5, 3]}, -1.5, "double"),
        ({"$mod": [7, Int64(4)]}, 3, "long"),
        ({"$mod": [7, 4.0]}, 3, "int"),
        ({"$abs": -(2**31)}, 2**31, "long"),
        ({"$ceil": -0.5}, -0.0, "double"),
        ({"$floor": Decimal128("-1.5")}, Decimal128("-2"), "decimal"),
        ({"$round": [2.5]}, 2.0, "double"),
        ({"$round": [2.675, 2]}, 2.67, "double"),
        ({"$round": [1.005, 2]}, 1.0, "double"),
        ({"$round": [1.35, 1]}, 1.4, "double"),
        ({"$trunc": [4.56, 2]}, 4.55, "double"),
        ({"$trunc": [2.9999999999999996]}, 2.0, "double"),
        ({"$round": [15, -1]}, 20, "int"),
        ({"$round": [25, -1]}, 20, "int"),
        ({"$round": [BIG, -1]}, 2147483650, "long"),
        ({"$trunc": [-2.7]}, -2.0, "double"),
        ({"$trunc": [1234, -2]}, 1200, "int"),
        ({"$pow": [2, 10]}, 1024, "int"),
        ({"$pow": [2, -1]}, 0.5, "double"),
        ({"$pow": [1, -3]}, 1, "int"),
        ({"$pow": [-1, -3]}, -1, "int"),
        ({"$pow": [-1, Int64(-2)]}, 1, "long"),
        ({"$pow": [-1, 10**6 + 1]}, -1, "int"),
        ({"$pow": [10, 400]}, math.inf, "double"),
        ({"$sqrt": 16}, 4.0, "double"),
        ({"$exp": 1000}, math.inf, "double"),
        ({"$log": [8, 2]}, 3.0, "double"),
        ({"$sigmoid": 0}, 0.5, "double"),
        ({"$bitAnd": [12, 10]}, 8, "int"),
        ({"$bitOr": [Int64(1), 2]}, 3, "long"),
        ({"$bitXor": []}, 0, "int"),
        ({"$bitNot": 5}, -6, "int"),
    ],
)
def test_values_and_types(expression: Any, expected: Any, kind: str) -> None:
    assert value(expression) == expected
    assert value({"$type": expression}) == kind


@pytest.mark.parametrize(
    "op",
    [
        "$add",
        "$subtract",
        "$multiply",
        "$divide",
        "$mod",
        "$pow",
        "$log",
        "$atan2",
        "$round",
        "$trunc",
        "$bitAnd",
    ],
)
@pytest.mark.parametrize("absent", [None, "$nothing"])
def test_null_and_missing_give_null(op: str, absent: Any) -> None:
    assert value({op: [absent, 2]}) is None
    assert value({op: [2, absent]}) is None


@pytest.mark.parametrize(
    "op",
    [
        "$abs",
        "$ceil",
        "$floor",
        "$sqrt",
        "$exp",
        "$ln",
        "$log10",
        "$sin",
        "$acosh",
        "$degreesToRadians",
        "$bitNot",
        "$sigmoid",
    ],
)
def test_one_null_gives_null(op: str) -> None:
    assert value({op: None}) is None
    assert value({op: "$nothing"}) is None


@pytest.mark.parametrize(
    "expression",
    [
        {"$add": [1, "2"]},
        {"$add": [True, 1]},
        {"$subtract": ["a", 1]},
        {"$multiply": [[], 1]},
        {"$divide": [1, 0]},
        {"$divide": [1, Decimal(0)]},
        {"$mod": [1, 0.0]},
        {"$abs": -(2**63)},
        {"$sqrt": -1},
        {"$ln": 0},
        {"$log": [1, 1]},
        {"$pow": [0, -1]},
        {"$round": [1, 101]},
        {"$round": [1, 1.5]},
        {"$acos": 2},
        {"$sin": math.inf},
        {"$atanh": -1.5},
        {"$bitAnd": [1, 2.0]},
        {"$bitNot": 1.5},
        {"$add": [DAY, DAY]},
        {"$subtract": [1, DAY]},
        {"$add": [DAY, math.nan]},
    ],
)
def test_wrong_arguments_are_refused(expression: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(expression)


def test_the_error_tells_the_place() -> None:
    with pytest.raises(XRepoQueryError, match=r"divide by zero.*expression\.\$add\[1\]\.\$divide"):
        value({"$add": [1, {"$divide": ["$a", "$b"]}]}, {"a": 1, "b": 0})


def test_constants_fail_before_any_row() -> None:
    with pytest.raises(XRepoQueryError):
        value({"$cond": [True, 1, {"$divide": [1, 0]}]})
    assert value({"$cond": [True, 1, {"$divide": [1, "$a"]}]}, {"a": 0}) == 1


def test_dates_move_by_milliseconds() -> None:
    assert value({"$add": ["$d", 1.5]}, {"d": DAY}) == DAY + dt.timedelta(milliseconds=2)
    assert value({"$subtract": ["$d", 86_400_000]}, {"d": DAY}) == DAY - dt.timedelta(days=1)
    assert value({"$subtract": [DAY, DAY - dt.timedelta(hours=1)]}) == 3_600_000
    assert value({"$type": {"$subtract": [DAY, DAY]}}) == "long"


def test_dates_beyond_python_years_stay_dates() -> None:
    far = value({"$add": [DAY, 10**15]})
    assert value({"$type": "$d"}, {"d": far}) == "date"
    assert value({"$year": "$d"}, {"d": far}) == 33712
    assert value({"$subtract": ["$d", 10**15]}, {"d": far}) == DAY
    with pytest.raises(XRepoQueryError):
        value({"$add": [DAY, 2**63 - 1]})


def test_sums_and_means_of_arguments_ignore_what_is_no_number() -> None:
    document = {"n": [1, 2.5, "x", None, True]}
    assert value({"$sum": "$n"}, document) == 3.5
    assert value({"$avg": "$n"}, document) == 1.75
    assert value({"$sum": ["$n", 4]}, document) == 4
    assert value({"$avg": ["a"]}) is None
    assert value({"$max": [1, "a", None]}) == "a"
    assert value({"$min": [None]}) is None
    assert value({"$stdDevSamp": [1]}) is None
    assert value({"$stdDevPop": [1, 3]}) == 1


def test_trigonometry_of_decimals_has_34_digits() -> None:
    assert value({"$sin": Decimal("0.5")}) == Decimal("0.4794255386042030002732879352155714")
    assert value({"$atan": Decimal(1)}) == Decimal("0.7853981633974483096156608458198757")
    half_turn = value({"$radiansToDegrees": Decimal("3.141592653589793238462643383279503")})
    assert abs(half_turn - 180) < Decimal("1e-30")
    assert value({"$tanh": Decimal("1E-40")}) == Decimal("1E-40")
    assert value({"$cos": Decimal("1E+40")}).is_finite()


def test_rand_differs_by_call() -> None:
    assert value({"$ne": [{"$rand": {}}, {"$rand": {}}]})


def test_missing_stays_missing_where_mongodb_says_so() -> None:
    assert value("$a.b", {"a": {}}) is MISSING
    assert value({"$arrayElemAt": [[1], 5]}) is MISSING


@pytest.mark.parametrize(
    "op", ["$add", "$multiply", "$concat", "$concatArrays", "$bitAnd", "$bitOr", "$bitXor"]
)
def test_the_first_absent_argument_decides(op: str) -> None:
    assert value({op: [None, {"a": 1}]}) is None
    assert value({op: ["$missing", {"a": 1}]}) is None
    with pytest.raises(XRepoQueryError):
        value({op: [{"a": 1}, None]})


@pytest.mark.parametrize(
    ("expression", "milliseconds"),
    [
        ({"$add": [DAY, 0.5]}, 1),
        ({"$add": [DAY, 2.5]}, 3),
        ({"$add": [DAY, Decimal128("2.5")]}, 2),
        ({"$subtract": [DAY, 0.5]}, -1),
        ({"$subtract": [DAY, Decimal128("0.5")]}, 0),
    ],
)
def test_dates_move_by_the_nearest_millisecond(expression: Any, milliseconds: int) -> None:
    assert value(expression) == DAY + dt.timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("args", [[math.nan, -1], [-1, math.nan], [math.nan, 1]])
def test_logarithms_check_the_argument_beside_nan(args: list[Any]) -> None:
    with pytest.raises(XRepoQueryError, match=r"\$log"):
        value({"$log": args})


@pytest.mark.parametrize(
    "expression",
    [
        {"$divide": [10**400, 3]},
        {"$log10": 10**400},
        {"$pow": [10**400, 0.5]},
        {"$divide": [1, Decimal("sNaN")]},
        {"$round": [1.5, 10**400]},
        {"$arrayElemAt": [[1], Decimal("sNaN")]},
        {"$arrayElemAt": [[1], 10**400]},
    ],
)
def test_numbers_that_no_type_holds_are_errors_of_the_query(expression: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(expression)


@pytest.mark.parametrize("number", [10**400, Decimal("sNaN"), math.nan])
def test_numbers_that_no_type_holds_are_true(number: Any) -> None:
    assert value({"$and": [number]}) is True


@pytest.mark.parametrize("op", ["$round", "$trunc", "$ceil", "$floor"])
def test_rounding_gives_a_signalling_nan_back(op: str) -> None:
    assert value({op: Decimal("sNaN")}).is_nan()
