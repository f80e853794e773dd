"""Answers that are easily missed: every engine gives them, types and all, or says that it cannot."""

from __future__ import annotations

import math
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ENGINES = ("document", "polars", "duckdb")
Rows = list[dict[str, Any]]


def answer(engine: str, pipeline: list[Any], documents: Rows) -> Rows | None:
    """The answer, or None from an engine that declines."""
    plan, tables = parse_pipeline(pipeline, Scan("rows")), {"rows": Table(documents=documents)}
    chosen = get_engine(engine)
    return None if chosen.supports(plan, tables) is not None else list(chosen.collect(plan, tables).documents)


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are the same, their types and the sign of zero as well."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float):
        return (
            isinstance(found, float)
            and found == wanted
            and math.copysign(1, found) == math.copysign(1, wanted)
        )
    return type(found) is type(wanted) and bool(found == wanted)


FEW: Rows = [{"_id": 1, "i": 2, "s": "x", "b": True, "l": [1.5], "n": None}]

VALUES = [
    ({"$sum": ["$l", "$i"]}, 2),
    ({"$sum": ["$s", "$i", "$b"]}, 2),
    ({"$sum": ["$n", "$no", "$i"]}, 2),
    ({"$sum": "$s"}, 0),
    ({"$sum": ["$l", 0.5]}, 0.5),
    ({"$concatArrays": []}, []),
    ({"$ceil": -0.5}, -0.0),
    ({"$ceil": 0.0}, 0.0),
    ({"$ceil": -0.0}, -0.0),
    ({"$floor": 0.5}, 0.0),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=str)
def test_values(engine: str, expression: Any, expected: Any) -> None:
    found = answer(engine, [{"$project": {"_id": 0, "out": expression}}], FEW)
    assert found is None or same(found, [{"out": expected}])


INTO = {"e.x": "$a", "e.f": 1, "_id": 0}
"""A field computed and one kept within whatever `e` is."""

PROJECTED = [
    (INTO, {"a": 7, "e": [{"f": 1, "g": 2}, 5, [{"f": 9}, 4], [], {}]},
     {"e": [{"f": 1, "x": 7}, {"x": 7}, [{"f": 9, "x": 7}, {"x": 7}], [], {"x": 7}]}),
    (INTO, {"a": 7, "e": 5}, {"e": {"x": 7}}),
    (INTO, {"e": [{"f": 1}, 5]}, {"e": [{"f": 1}, {}]}),
    ({"e.x.y": "$a", "e.x.z": 1, "_id": 0}, {"a": 7, "e": 5}, {"e": {"x": {"y": 7}}}),
    ({"e.x.y": "$a", "e.x.z": 1, "_id": 0}, {"a": 7}, {"e": {"x": {"y": 7}}}),
    ({"e.x.y": "$a", "e.q": 1, "_id": 0}, {"a": 7, "e": {"q": 1}}, {"e": {"q": 1, "x": {"y": 7}}}),
    ({"e.x.y": "$a", "e.q": 1, "_id": 0}, {"a": 7, "e": {"x": 3}}, {"e": {"x": {"y": 7}}}),
    ({"e.x.z": 1, "a": 1, "_id": 0}, {"a": 7, "e": {"x": 3}}, {"a": 7, "e": {}}),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("fields", "given", "expected"), PROJECTED, ids=str)
def test_fields_computed_below_paths(engine: str, fields: Any, given: Any, expected: Any) -> None:
    found = answer(engine, [{"$project": fields}], [{"_id": 1, **given}])
    assert found is None or same(found, [expected])


WINDOWS: list[tuple[Any, list[Any]]] = [
    ({"$shift": {"output": 1, "by": -1}}, [None, 1, 1]),
    ({"$shift": {"output": ["a"], "by": 1, "default": []}}, [["a"], ["a"], []]),
    ({"$locf": "a"}, ["a", "a", "a"]),
    ({"$first": 1, "window": {"documents": [-1, -1]}}, [None, 1, 1]),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("output", "expected"), WINDOWS, ids=str)
def test_windows_over_constants(engine: str, output: Any, expected: list[Any]) -> None:
    stage = {"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"out": output}}}
    found = answer(engine, [stage], [{"_id": number} for number in range(3)])
    assert found is None or same([row["out"] for row in found], expected)


@pytest.mark.parametrize("engine", ["document", "polars"])
@pytest.mark.parametrize("stage", ["$fill", "$setWindowFields"])
def test_a_line_needs_each_place_once(engine: str, stage: str) -> None:
    rows: Rows = [{"_id": 1, "t": 1, "v": 1.0}, {"_id": 2, "t": 1, "v": None}, {"_id": 3, "t": 2, "v": 3.0}]
    filled = {"v": {"method": "linear"}} if stage == "$fill" else {"v": {"$linearFill": "$v"}}
    pipeline = [{stage: {"partitionBy": "$p", "sortBy": {"t": 1}, "output": filled}}]
    with pytest.raises(XRepoQueryError, match="different values to sort by"):
        answer(engine, pipeline, rows)
    found = answer(engine, pipeline, [{**row, "p": number} for number, row in enumerate(rows)])
    assert found is not None and [row["v"] for row in found] == [1.0, None, 3.0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "by",
    [{"$mod": ["$i", "$k"]}, {"$divide": ["$i", "$k"]}, {"a": {"$mod": ["$i", "$k"]}, "b": "$k"}],
    ids=str,
)
def test_a_partition_by_what_may_fail(engine: str, by: Any) -> None:
    rows: Rows = [{"_id": number, "i": number, "k": 2} for number in range(1, 5)]
    outputs = {
        "n": {"$documentNumber": {}},
        "sum": {"$sum": "$i", "window": {"documents": ["unbounded", "current"]}},
    }
    stage = {"$setWindowFields": {"partitionBy": by, "sortBy": {"i": 1}, "output": outputs}}
    expected = answer("document", [stage], rows)
    assert answer(engine, [stage], rows) == expected
    with pytest.raises(XRepoQueryError, match="by zero"):
        answer(engine, [stage], [{**row, "k": 0} for row in rows])


PLACES = [
    ([{"$sort": {"a": 1, "b": 1}}], "pipeline[0].$sort"),
    ([{"$sort": {"a": 1, "b": 1}}, {"$limit": 1}], "pipeline[0].$sort"),
    ([{"$fill": {"sortBy": {"a": 1, "b": 1}, "output": {"c": {"method": "locf"}}}}], "pipeline[0].$fill"),
    ([{"$skip": 0}, {"$match": {"a": {"$regex": "("}}}], "pipeline[1].$match"),
    ([{"$facet": {"q": [{"$match": {"a": {"$regex": "("}}}]}}], "pipeline[0].$facet.q[0].$match"),
    ([{"$documents": [{"$add": [1, "$no"]}]}], "pipeline[0].$documents"),
]  # fmt: skip


@pytest.mark.parametrize(("pipeline", "at"), PLACES, ids=str)
def test_failures_on_the_data_tell_their_stage(pipeline: list[Any], at: str) -> None:
    with pytest.raises(XRepoQueryError) as failed:
        answer("document", pipeline, [{"_id": 1, "a": [1], "b": [2]}, {"_id": 2, "a": [1], "b": [2]}])
    assert failed.value.at == at


@pytest.mark.parametrize("engine", ["document", "polars"])
@pytest.mark.parametrize("date", ["$no", "$n"])
@pytest.mark.parametrize("wrong", [{"timezone": "+8"}, {"format": "%q"}, {"format": 5}], ids=str)
def test_wrong_constants_beside_no_date(engine: str, date: Any, wrong: Any) -> None:
    with pytest.raises(XRepoQueryError):
        answer(engine, [{"$project": {"out": {"$dateToString": {"date": date, **wrong}}}}], FEW)


def test_duckdb_leaves_a_wrong_time_zone_to_the_interpreter() -> None:
    asked = {"$dateToString": {"date": "$no", "timezone": "+8"}}
    assert answer("duckdb", [{"$project": {"out": asked}}], FEW) is None


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_a_line_to_infinity_is_the_same_everywhere(odd: float) -> None:
    numbers: list[float | None] = [1.0, None, odd, None, 3.0, None, 5.0]
    rows: Rows = [{"_id": i, "f": number} for i, number in enumerate(numbers)]
    stage = {"$fill": {"sortBy": {"_id": 1}, "output": {"f": {"method": "linear"}}}}
    exact = answer("document", [stage], rows)
    assert exact is not None
    assert exact[5]["f"] == 4.0
    assert repr(answer("polars", [stage], rows)) == repr(exact)
