"""Many fields: set together in one object, computed side by side, unset again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoLimitError, XRepoUnsupportedError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

FRAME = pl.DataFrame({"n": [1, 2]})
SUM = {"$add": ["$n", 1]}
MADE = {"$addFields": {"o": {"a": "$n", "b": "x"}}}

WIDE: dict[str, list[dict[str, Any]]] = {
    "a new object": [{"$addFields": {"x": {f"c{i}": SUM for i in range(300)}}}],
    "an object there": [MADE, {"$addFields": {f"o.c{i}": SUM for i in range(100)}}],
    "objects in it": [MADE, {"$addFields": {f"o.p.{p}.c{i}": SUM for p in "ab" for i in range(20)}}],
    "unset again": [
        {"$addFields": {"x": {f"c{i}": SUM for i in range(100)}}},
        {"$unset": [f"x.c{i}" for i in range(99)]},
    ],
    "a new root": [{"$addFields": {"x": {f"c{i}": SUM for i in range(100)}}}, {"$replaceWith": "$x"}],
    "many fields": [{"$project": {f"c{i}": SUM for i in range(300)}}],
    "set and dropped": [MADE, {"$project": {"o.a": 0}}, {"$addFields": {"o.c": SUM, "o.a": "$n", "o.d": 1}}],
}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_engines_agree(name: str, engine: str) -> None:
    plan, inputs = parse_pipeline(WIDE[name], Scan("t")), {"t": Table(frame=FRAME)}
    exact = get_engine("document").collect(plan, inputs).documents
    assert repr(get_engine(engine).collect(plan, inputs).documents) == repr(exact)


def test_more_fields_than_a_collection_has_are_no_sql() -> None:
    for fields in ({f"c{i}": SUM for i in range(10_001)}, {"x": {f"c{i}": SUM for i in range(10_001)}}):
        plan = parse_pipeline([{"$addFields": fields}], Scan("t"))
        with pytest.raises(XRepoUnsupportedError, match="more than 10,000 fields"):
            get_engine("duckdb").collect(plan, {"t": Table(frame=FRAME)})


NAMES = {"$map": {"input": {"$range": [0, 20_000]}, "in": {"k": {"$toString": "$$this"}, "v": 1}}}
LOOPS: dict[str, Any] = {
    "pairs": {"$arrayToObject": "$$big"},
    "fields": {"$objectToArray": "$$wide"},
    "merged": {"$mergeObjects": ["$$wide", {"a": 1}]},
    "set": {"$setField": {"field": "a", "input": "$$wide", "value": 1}},
    "sought": {"$indexOfArray": ["$$big", -1]},
    "summed": {"$sum": "$$numbers"},
    "median": {"$median": {"input": "$$numbers", "method": "approximate"}},
    "sliced": {"$slice": ["$$numbers", 20_000]},
    "long": {"$cond": [{"$and": [{"$gt": [{"$add": ["$$this", i]}, -1]} for i in range(2000)]}, 1, 2]},
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_over_wide_values_pass_the_time(name: str, change_settings: Callable[..., None]) -> None:
    change_settings(query_timeout=0.3)
    loop = {"$map": {"input": {"$range": [0, 1_000_000]}, "in": {"$type": LOOPS[name]}}}
    bound = {"$let": {"vars": {"wide": {"$arrayToObject": "$$big"}}, "in": loop}}
    given = {"$let": {"vars": {"big": NAMES, "numbers": {"$range": [0, 20_000]}}, "in": bound}}
    plan = parse_pipeline([{"$project": {"v": {"$size": given}}}], Scan("t"))
    with pytest.raises(XRepoLimitError, match=r"longer than 0\.3 s"):
        get_engine("document").collect(plan, {"t": Table(frame=FRAME)})


@pytest.mark.parametrize("wide", [{"x": {f"c{i}": "$n" for i in range(20_000)}}])
def test_a_wide_object_passes_the_time(wide: dict[str, Any], change_settings: Callable[..., None]) -> None:
    change_settings(query_timeout=0.3)
    plan = parse_pipeline([{"$addFields": wide}], Scan("t"))
    with pytest.raises(XRepoLimitError, match=r"longer than 0\.3 s"):
        get_engine("document").collect(plan, {"t": Table(frame=pl.concat([FRAME] * 100))})


@pytest.mark.parametrize(
    "loop",
    [
        {"$map": {"input": {"$range": [0, 4_000_000]}, "in": {"$toString": {"$add": ["$$this", 1]}}}},
        {"$filter": {"input": {"$range": [0, 4_000_000]}, "cond": {"$toBool": {"$toString": "$$this"}}}},
        {"$reduce": {"input": {"$range": [0, 4_000_000]}, "initialValue": 0, "in": {"$toString": "$$this"}}},
    ],
)
def test_one_long_loop_passes_the_time_on_its_way(
    loop: dict[str, Any], change_settings: Callable[..., None]
) -> None:
    change_settings(query_timeout=0.2)
    plan = parse_pipeline([{"$project": {"v": {"$type": loop}}}], Scan("t"))
    with pytest.raises(XRepoLimitError, match=r"longer than 0\.2 s"):
        get_engine("document").collect(plan, {"t": Table(frame=FRAME.head(1))})
