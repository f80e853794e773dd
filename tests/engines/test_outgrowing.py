"""Queries that multiply their values end soon, with an error, on every engine."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoError, XRepoLimitError, XRepoUnsupportedError
from xrepo_nb.engines.growth import outgrows
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

THOUSAND = list(range(1000))
ROWS = pl.DataFrame({"n": THOUSAND, "k": [1] * 1000, "a": ["x"] * 1000, "l": [[1, 2]] * 1000})
CROSS = pl.DataFrame({name: [THOUSAND] for name in "abcd"})


def looked_up(number: int) -> list[dict[str, Any]]:
    name = f"j{number}"
    lookup = {"from": "t", "localField": "k", "foreignField": "k", "as": name}
    return [{"$lookup": lookup}, {"$unwind": f"${name}"}]


def mapped(inner: Any) -> dict[str, Any]:
    return {"$map": {"input": {"$range": [0, 5000]}, "in": inner}}


PUSH_ALL = {"$setWindowFields": {"sortBy": {"n": 1}, "output": {"w": {"$push": "$$ROOT"}}}}
GROWING: dict[str, list[dict[str, Any]]] = {
    "text": [{"$addFields": {"a": {"$concat": ["$a", "$a"]}}}] * 40,
    "arrays": [{"$addFields": {"l": ["$l", "$l"]}}] * 40,
    "array lengths": [{"$addFields": {"l": {"$concatArrays": ["$l", "$l"]}}}] * 40,
    "documents": [{"$addFields": {"a": {"x": "$a", "y": "$a"}}}] * 40,
    "group": [{"$group": {"_id": None, "x": {"$push": "$$ROOT"}, "y": {"$push": "$$ROOT"}}}] * 30,
    "windows": [PUSH_ALL] * 3,
    "replacements": [
        {"$addFields": {"a": {"$replaceAll": {"input": "$a", "find": "x", "replacement": "x" * 1000}}}}
    ]
    * 8,
    "lookups": [stage for number in range(5) for stage in looked_up(number)],
    "facets": [{"$facet": {"x": [{"$match": {}}], "y": [{"$match": {}}]}}] * 30,
    "depth": [{"$addFields": {"a": ["$a"]}}] * 300,
}


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_engines_that_cannot_stop_decline(name: str, engine: str) -> None:
    plan, inputs = parse_pipeline(GROWING[name], Scan("t")), {"t": Table(frame=ROWS)}
    assert get_engine(engine).supports(plan, inputs) is not None
    with pytest.raises(XRepoUnsupportedError):
        get_engine(engine).collect(plan, inputs)


def test_cross_products_of_arrays_are_declined() -> None:
    plan = parse_pipeline([{"$unwind": f"${name}"} for name in "abcd"], Scan("t"))
    assert outgrows(plan, {"t": Table(frame=CROSS)}) is not None


LONG = list(range(20_000))
SKEWED = pl.DataFrame({"a": [LONG, *[[1]] * 9999], "b": [LONG, *[[1]] * 9999], "c": ["x"] * 10_000})
APART = pl.DataFrame({"a": [LONG, *[[1]] * 9999], "b": [*[[1]] * 9999, LONG], "c": ["x"] * 10_000})


@pytest.mark.parametrize(
    "stages",
    [
        [{"$unwind": "$a"}, {"$unwind": "$b"}],
        [{"$match": {"c": "x"}}, {"$unwind": "$a"}, {"$addFields": {"c": 1}}, {"$unwind": "$b"}],
        [{"$project": {"a": 1, "b": 1}}, {"$unwind": "$b"}, {"$unwind": {"path": "$a"}}],
        [{"$unwind": "$a"}],
    ],
)  # fmt: skip
def test_long_arrays_of_the_same_row_multiply(stages: list[dict[str, Any]]) -> None:
    plan = parse_pipeline(stages, Scan("t"))
    assert outgrows(plan, {"t": Table(frame=SKEWED)}) is not None
    assert outgrows(plan, {"t": Table(frame=APART)}) is None


@pytest.mark.parametrize(
    "stages",
    [
        [{"$addFields": {"a": {"$concat": ["$a", "!"]}}}] * 20,
        looked_up(1)[:1],
        [{"$group": {"_id": "$k", "all": {"$push": "$$ROOT"}}}, {"$unwind": "$all"}, {"$unwind": "$all.l"}],
        [{"$addFields": {"n": {"$add": ["$n", "$n"]}}}] * 40,
        [PUSH_ALL, {"$project": {"n": 1}}],
    ],
)
def test_usual_plans_are_not(stages: list[dict[str, Any]]) -> None:
    assert outgrows(parse_pipeline(stages, Scan("t")), {"t": Table(frame=ROWS)}) is None


def test_documents_are_counted_too() -> None:
    plan = parse_pipeline([PUSH_ALL], Scan("t"))
    assert outgrows(plan, {"t": Table(documents=[])}) is None
    assert outgrows(plan, {"t": Table(documents=ROWS.to_dicts() * 20)}) is not None


CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
import polars as pl
from tests.engines.test_outgrowing import INTERPRETED, ROWS, CROSS
from xrepo_nb.core.errors import XRepoError, XRepoLimitError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table
for name, (rows, stages) in INTERPRETED.items():
    try:
        get_engine("document").collect(parse_pipeline(stages, Scan("t")), {"t": Table(frame=rows.head(200))})
        print(name, "answered")
    except XRepoLimitError:
        print(name, "refused")
"""

INTERPRETED: dict[str, tuple[pl.DataFrame, list[dict[str, Any]]]] = {
    **{name: (ROWS, GROWING[name]) for name in ("text", "arrays", "array lengths", "documents", "group")},
    "facets": (ROWS, GROWING["facets"]),
    "grouped by an array": (ROWS, [*GROWING["arrays"], {"$group": {"_id": "$l"}}]),
    "maps of maps": (ROWS, [{"$project": {"v": mapped(mapped(mapped(1)))}}]),
    "ranges": (ROWS, [{"$project": {"v": {"$range": [0, 4_000_000]}}}]),
    "zip": (ROWS, [{"$project": {"v": {"$zip": {"inputs": [{"$range": [0, 4_000_000]}] * 50}}}}]),
    "cross": (CROSS, [{"$unwind": f"${name}"} for name in "abcd"]),
    "counted cross": (CROSS, [*({"$unwind": f"${name}"} for name in "abcd"), {"$count": "n"}]),
}


def test_the_interpreter_stops_within_its_memory_and_time() -> None:
    environment = {"XREPO_QUERY_TIMEOUT": "1", "XREPO_MEMORY_LIMIT": "300MB", "PATH": "", "PYTHONPATH": "."}
    run = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=120, env=environment
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines() == [f"{name} refused" for name in INTERPRETED]


def test_a_query_in_duckdb_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, change_settings: Callable[..., None]
) -> None:
    change_settings(query_timeout=0.2)
    monkeypatch.setattr("xrepo_nb.engines.duckdb.engine.outgrows", lambda plan, inputs: None)
    frame = pl.DataFrame({"k": [1] * 50_000, "n": range(50_000)})
    stages = [*looked_up(1), {"$group": {"_id": "$n", "x": {"$sum": "$j1.n"}}}]
    with pytest.raises(XRepoLimitError, match=r"longer than 0\.2 s"):
        get_engine("duckdb").collect(parse_pipeline(stages, Scan("t")), {"t": Table(frame=frame)})


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    "given",
    [
        {"$and": [{"n": {"$gt": i}} for i in range(2000)]},
        {"l": {"$all": THOUSAND * 2}},
        {"$expr": {"$gt": [{"$add": ["$n"] * 2000}, 1]}},
    ],
)
def test_long_conditions_are_interpreted_or_declined(engine: str, given: dict[str, Any]) -> None:
    plan, inputs = parse_pipeline([{"$match": given}], Scan("t")), {"t": Table(frame=ROWS.head(5))}
    wanted = get_engine("document").collect(plan, inputs).documents
    try:
        assert get_engine(engine).collect(plan, inputs).documents == wanted
    except XRepoError as error:
        assert isinstance(error, XRepoUnsupportedError)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_long_constant_arrays_are_not_made_for_planning(engine: str) -> None:
    ranges = {"$zip": {"inputs": [{"$range": [0, 4_000_000]}] * 3}}
    plan, inputs = parse_pipeline([{"$project": {"v": ranges}}], Scan("t")), {"t": Table(frame=ROWS.head(1))}
    with pytest.raises((XRepoLimitError, XRepoUnsupportedError)):
        get_engine(engine).collect(plan, inputs)


def test_limits_beyond_any_table() -> None:
    plan = parse_pipeline([{"$limit": 2**63 - 1}, {"$skip": 2**63 - 1}], Scan("t"))
    for engine in ("document", "polars", "duckdb"):
        assert get_engine(engine).collect(plan, {"t": Table(frame=ROWS)}).documents == []


def test_conditions_are_bounded() -> None:
    with pytest.raises(XRepoLimitError, match="200,000 conditions"):
        parse_filter({"$or": [{"n": i} for i in range(200_001)]})
    with pytest.raises(XRepoLimitError, match="1,000,000 elements"):
        parse_filter({"n": {"$in": range(10**9)}})


def test_shared_documents_of_a_query_count_as_often_as_they_stand_there() -> None:
    union: dict[str, Any] = {"$unionWith": "t"}
    for _ in range(40):
        union = {"$unionWith": {"coll": "t", "pipeline": [union, union]}}
    with pytest.raises(XRepoLimitError):
        parse_pipeline([union], Scan("t"))


@pytest.mark.parametrize(
    ("left", "right"), [([math.nan], [math.nan]), ([math.nan, 1.0], [math.nan]), ([-0.0], [0.0])]
)
@pytest.mark.parametrize("tail", [[], [{"$unwind": "$m"}]])
def test_nan_finds_nan(left: list[float], right: list[float], tail: list[Any]) -> None:
    inputs = {
        "a": Table(frame=pl.DataFrame({"k": left})),
        "b": Table(frame=pl.DataFrame({"k": right, "v": 1})),
    }
    lookup = {"$lookup": {"from": "b", "localField": "k", "foreignField": "k", "as": "m"}}
    plan = parse_pipeline([lookup, *tail], Scan("a"))
    exact = get_engine("document").collect(plan, inputs).documents
    assert "'v': 1" in repr(exact)
    assert repr(get_engine("polars").collect(plan, inputs).documents) == repr(exact)
