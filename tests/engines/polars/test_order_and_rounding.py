"""When joins keep the order of their rows, rounding to places, and what is kept of a table."""

from __future__ import annotations

import math
import random
import weakref
from decimal import ROUND_HALF_EVEN
from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.document.numbers import rounded as exactly
from xrepo_nb.engines.polars import PolarsEngine, planning, running
from xrepo_nb.engines.polars.frame import scan
from xrepo_nb.engines.polars.numbers import rounded
from xrepo_nb.engines.polars.planning import Lowering
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import NATURAL, Join, Scan, Sort
from xrepo_nb.schema.table import Table

JOINED = Join(Scan("left"), Scan("right"), (("k", "k"),))
INPUTS = {
    "left": Table(frame=pl.DataFrame({"k": [3, 1, 2], "v": [1, 2, 3]})),
    "right": Table(frame=pl.DataFrame({"k": [1, 2, 3], "w": [4, 5, 6]})),
}


def _order_of_join(stages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each join that a plan lowers is to keep the order of its left rows."""
    seen: list[bool] = []
    join = planning.STAGES[Join]

    def spy(stage: Join, lowering: Lowering) -> Any:
        seen.append(lowering.ordered)
        return join(stage, lowering)

    monkeypatch.setitem(planning.STAGES, Join, spy)
    plan = parse_pipeline(stages, JOINED)
    ordered = running.keeps_order(plan, INPUTS)
    Lowering(lambda name: scan(INPUTS[name]), {}, ordered=ordered).frame(plan)
    assert PolarsEngine().collect(plan, INPUTS).documents
    return seen[:1]


LOOKUP: list[dict[str, Any]] = [
    {"$lookup": {"from": "right", "localField": "k", "foreignField": "k", "as": "r"}},
    {"$unwind": "$r"},
]
TOTAL = {"$group": {"_id": "$w", "n": {"$sum": "$v"}}}
FIRST = {"$group": {"_id": "$w", "n": {"$first": "$v"}}}


@pytest.mark.parametrize(
    ("stages", "small", "big"),
    [
        ([], True, False),
        ([{"$match": {"v": {"$gt": 0}}}], True, False),
        ([{"$sort": {"w": 1}}], True, True),
        ([{"$limit": 2}], True, True),
        ([TOTAL], False, False),
        ([{"$match": {"v": {"$gt": 0}}}, TOTAL, {"$sort": {"n": 1}}], False, False),
        ([FIRST], True, True),
        ([{"$limit": 2}, TOTAL], True, True),
        ([{"$facet": {"a": [TOTAL]}}], True, True),
    ],
)
def test_joins_keep_an_order_that_matters(
    stages: list[dict[str, Any]], small: bool, big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _order_of_join(stages, monkeypatch) == [small]
    monkeypatch.setattr(running, "BIG", 3)
    assert _order_of_join(stages, monkeypatch) == [big]


@pytest.mark.parametrize(
    ("how", "stages", "kept"),
    [
        ("left", [], True),
        ("inner", [], False),
        ("left", [{"$group": {"_id": "$v", "n": {"$first": "$w"}}}], False),
        ("left", LOOKUP[:1], True),
        ("left", LOOKUP, False),
    ],
)
def test_all_rows_of_one_big_table_keep_their_order(
    how: str, stages: list[dict[str, Any]], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BIG", 4)
    big = Table(frame=pl.DataFrame({"k": [3, 1, 2, 1], "v": [1, 2, 3, 4]}))
    plan = parse_pipeline(stages, Join(Scan("left"), Scan("right"), (("k", "k"),), how))
    assert running.keeps_order(plan, INPUTS | {"left": big}) is kept
    assert not running.keeps_order(plan, {"left": big, "right": big})


@pytest.mark.parametrize("places", [0, 1, 2, 7, 15])
def test_doubles_are_rounded_as_the_interpreter_does(places: int) -> None:
    chance = random.Random(places)
    values: list[float | None] = [
        None,
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        3.4999999999999996,
        2.675,
        0.25,
        1e300,
    ]
    for _ in range(2_000):
        tie = chance.randrange(-(10**6), 10**6) / 10 ** chance.randrange(8) + 0.5 * 10**-places
        values += [tie, math.nextafter(tie, math.inf), chance.uniform(-1e3, 1e3)]
        values.append(chance.gauss(0, 1) * 10 ** chance.randrange(-20, 20))
    found = pl.DataFrame({"x": values}).select(rounded(pl.col("x"), places)).to_series().to_list()
    wanted = [None if v is None else exactly(v, places, ROUND_HALF_EVEN) for v in values]
    assert list(map(repr, found)) == list(map(repr, wanted))


def test_what_is_known_of_a_table_is_read_once_and_goes_with_it() -> None:
    table = Table(frame=pl.DataFrame({"k": [1]}))
    assert scan(table) is scan(table)
    gone = weakref.ref(table)
    del table
    assert gone() is None


def test_the_rows_as_they_stand_last_to_first() -> None:
    table = Table(frame=pl.DataFrame({"a": [2, 1, 3]}))
    plan = Sort(Scan("rows"), (NATURAL,))
    assert PolarsEngine().collect(plan, {"rows": table}).frame["a"].to_list() == [3, 1, 2]


@pytest.mark.parametrize("order", [{"a.b": 1}, {"x": 1, "y": 1}, {"n": 1, "a.b": -1}])
def test_sorts_by_elements_of_documents_or_by_two_arrays_are_declined(order: Any) -> None:
    table = Table(frame=pl.DataFrame({"n": [1], "a": [[{"b": 2}]], "x": [[1]], "y": [[2]]}))
    engine = PolarsEngine()
    assert engine.supports(parse_pipeline([{"$sort": order}], Scan("rows")), {"rows": table}) is not None
    assert (
        engine.supports(parse_pipeline([{"$sort": {"n": 1, "x": 1}}], Scan("rows")), {"rows": table}) is None
    )
