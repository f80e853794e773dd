"""Deviations of numbers that lie close together, far from zero: as exact on every engine as doubles allow."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

CHANCE = random.Random(11)
ROWS = 1200
NOISE = [CHANCE.randint(-9, 9) for _ in range(ROWS)]
NUMBERS: dict[str, list[Any]] = {
    "ints": [10**12 + n for n in NOISE],
    "negative ints": [-(10**15) + n for n in NOISE],
    "ints with nulls": [None if n == 3 else 10**12 + n for n in NOISE],
    "doubles": [1e9 + n / 8 for n in NOISE],
    "negative doubles": [-1e12 + n / 8 for n in NOISE],
    "doubles apart by group": [(0.5, 1e9, -1e6)[i % 3] + n / 64 for i, n in enumerate(NOISE)],
    "nulls but for a few": [1e9 + n if i % 40 == 7 else None for i, n in enumerate(NOISE)],
    "one number": [0.1] * ROWS,
    "one large number": [1e12 + 0.1] * ROWS,
}
BOTH = {"p": {"$stdDevPop": "$n"}, "s": {"$stdDevSamp": "$n"}}
SORT = {"$sort": {"_id": 1}}
STAGES: dict[str, list[dict[str, Any]]] = {
    "group": [{"$group": {"_id": "$k", **BOTH}}, SORT],
    "all": [{"$group": {"_id": None, **BOTH}}],
    "computed": [
        {"$group": {"_id": "$k", "p": {"$stdDevPop": {"$add": ["$n", 1]}}}}, {"$project": {"p": 1}}, SORT
    ],
    "bucket": [{"$bucket": {"groupBy": "$k", "boundaries": [0, 2, 9], "output": BOTH}}],
    "partitions": [{"$setWindowFields": {"partitionBy": "$k", "sortBy": {"i": 1}, "output": BOTH}}],
    "running": [{"$setWindowFields": {"sortBy": {"i": 1}, "output": {
        name: {**given, "window": {"documents": [-7, 2]}} for name, given in BOTH.items()
    }}}],
}  # fmt: skip


def _exactly(numbers: list[Any], *, sample: bool) -> float | None:
    found = [Fraction(number) for number in numbers if number is not None]
    mean = sum(found) / len(found)
    variance = sum((number - mean) ** 2 for number in found) / (len(found) - sample)
    return math.sqrt(variance.numerator / variance.denominator)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_interpreter_is_exact(numbers: str) -> None:
    rows = [{"k": i % 3, "n": n} for i, n in enumerate(NUMBERS[numbers])]
    plan = parse_pipeline(STAGES["group"], Scan("t"))
    for row in get_engine("document").collect(plan, {"t": Table(documents=rows)}).documents:
        group = NUMBERS[numbers][row["_id"] :: 3]
        assert row["p"] == pytest.approx(_exactly(group, sample=False), rel=1e-13, abs=0)
        assert row["s"] == pytest.approx(_exactly(group, sample=True), rel=1e-13, abs=0)


@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("engine", ["polars", "polars over files", "duckdb"])
def test_engines_agree(engine: str, numbers: str, stages: str) -> None:
    frame = pl.DataFrame({"i": range(ROWS), "k": [i % 3 for i in range(ROWS)], "n": NUMBERS[numbers]})
    plan = parse_pipeline(STAGES[stages], Scan("t"))
    exact = get_engine("document").collect(plan, {"t": Table(frame=frame)}).documents
    given = Table(lazy=frame.lazy()) if engine == "polars over files" else Table(frame=frame)
    found = get_engine(engine.split()[0]).collect(plan, {"t": given}).documents
    assert len(found) == len(exact)
    for row, expected in zip(found, exact, strict=True):
        for name in {"p", "s"} & expected.keys():
            if expected[name] is None:
                assert row[name] is None, row
            else:
                assert row[name] == pytest.approx(expected[name], rel=1e-11, abs=0), (name, row)


def test_over_files_the_batches_are_as_exact() -> None:
    frame = pl.DataFrame({"k": [i % 3 for i in range(ROWS)], "n": NUMBERS["doubles"]})
    plan = parse_pipeline(STAGES["group"], Scan("t"))
    exact = get_engine("document").collect(plan, {"t": Table(frame=frame)}).documents
    batches = get_engine("polars").stream(plan, {"t": Table(lazy=frame.lazy())}, 2)
    found = [row for batch in batches for row in batch.documents]
    assert [row["p"] for row in found] == pytest.approx([row["p"] for row in exact], rel=1e-12)


@pytest.mark.parametrize("lazy", [False, True])
def test_close_numbers_stay_with_polars(lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"k": [i % 3 for i in range(ROWS)], "n": NUMBERS["doubles"]})
    plan = parse_pipeline(STAGES["group"], Scan("t"))
    table = Table(lazy=frame.lazy()) if lazy else Table(frame=frame)
    polars, document = get_engine("polars"), get_engine("document")
    monkeypatch.setattr(type(document), "collect", lambda *_: pytest.fail("asked the interpreter"))
    assert len(polars.collect(plan, {"t": table})) == 3


@pytest.mark.parametrize("stages", ["group", "all", "partitions", "running"])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_one_number_that_has_no_deviation(engine: str, odd: float | None, stages: str) -> None:
    for numbers in ([odd], [odd, None], [1.0, odd], [1e9, 1e9 + 1, odd], [odd] * 3):
        frame = pl.DataFrame(
            {"i": range(len(numbers)), "k": [1] * len(numbers), "n": pl.Series(numbers, dtype=pl.Float64)}
        )
        plan, inputs = parse_pipeline(STAGES[stages], Scan("t")), {"t": Table(frame=frame)}
        exact, found = (
            [(row["p"], row["s"]) for row in get_engine(name).collect(plan, inputs).documents]
            for name in ("document", engine)
        )
        assert repr(found) == repr(exact), numbers


@pytest.mark.parametrize("op", ["$covariancePop", "$covarianceSamp"])
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_the_covariance_of_pairs_that_have_none(op: str, odd: float) -> None:
    output = {"c": {op: ["$x", "$y"]}}
    plan = parse_pipeline([{"$setWindowFields": {"output": output}}], Scan("t"))
    for xs, ys in [
        ([odd], [2.0]),
        ([2.0], [odd]),
        ([odd, 1.0], [1.0, None]),
        ([odd, 1.0, 2.0], [None, 3.0, 7.0]),
    ]:
        inputs = {"t": Table(frame=pl.DataFrame({"x": xs, "y": ys}))}
        exact, found = (
            [row["c"] for row in get_engine(name).collect(plan, inputs).documents]
            for name in ("document", "polars")
        )
        assert repr(found) == repr(exact), (xs, ys)
