"""Many alternatives and conditions of one path: fewer tests, the same answer."""

from __future__ import annotations

import math
import random
from itertools import count
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.document import alternatives
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

VALUES: list[Any] = [None, 0, 1, 2, 2.0, 2.5, -0.0, math.nan, "a", "b", "", True, [1, 2], [], {"x": 1}, [[1]]]
CHANCE = random.Random(5)


def _document() -> dict[str, Any]:
    document = {name: CHANCE.choice(VALUES) for name in "abc" if CHANCE.random() < 0.8}
    if CHANCE.random() < 0.5:
        document["o"] = CHANCE.choice([{"x": CHANCE.choice(VALUES)}, [{"x": 1}, {"x": "a"}, 3], 7])
    return document


DOCUMENTS = [_document() for _ in range(400)]


def _one() -> dict[str, Any]:
    name = CHANCE.choice(["a", "b", "c", "o.x", "a.0"])
    test = CHANCE.choice(["$eq", "$eq", "$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$ne", "$nin"])
    given = [CHANCE.choice(VALUES) for _ in range(2)]
    return {name: {test: given if test in ("$in", "$nin") else given[0]}}


def _some() -> dict[str, Any]:
    return {name: test for _ in range(CHANCE.randint(1, 3)) for name, test in _one().items()}


@pytest.mark.parametrize("op", ["$or", "$and", "$nor"])
@pytest.mark.parametrize("count", [2, 3, 12, 40])
def test_the_same_rows_as_one_by_one(op: str, count: int) -> None:
    matched = 0
    for _ in range(40):
        parts = [_some() for _ in range(count)]
        if op == "$and":
            parts = [{"$nor": [part]} if len(part) > 1 else part for part in parts]
        tests = [compile_predicate(parse_filter(part)) for part in parts]
        hold = {"$or": any, "$and": all, "$nor": lambda found: not any(found)}[op]
        expected = [document for document in DOCUMENTS if hold(test(document) for test in tests)]
        plan = parse_pipeline([{"$match": {op: parts}}], Scan("t"))
        for asked in (plan, optimize(plan)):
            found = get_engine("document").collect(asked, {"t": Table(documents=DOCUMENTS)}).documents
            assert repr(found) == repr(expected), parts
        matched += len(expected)
    assert matched or count == 40


@pytest.mark.parametrize("first", [0, 1])
def test_an_alternative_that_fails_is_shielded_by_those_before_it(first: int) -> None:
    fails = {"$expr": {"$gt": [{"$divide": [1, "$zero"]}, 2]}}
    parts: list[Any] = [{"a": i, "b": i} for i in range(20)]
    given = parse_filter({"$or": [fails, *parts] if first == 0 else [*parts, fails]})
    test, row = compile_predicate(given), {"a": 3, "b": 3, "zero": 0}
    if first == 0:
        with pytest.raises(XRepoError, match="divide by zero"):
            test(row)
    else:
        assert test(row)
        with pytest.raises(XRepoError, match="divide by zero"):
            test({**row, "b": 4})


@pytest.mark.parametrize(
    ("given", "shorter"),
    [
        ({"$or": [{"a": {"$gt": 3}}, {"b": 1}, {"a": {"$gt": 2}}]}, {"$or": [{"a": {"$gt": 2}}, {"b": 1}]}),
        ({"$or": [{"a": {"$lte": "x"}}, {"a": {"$lte": "y"}}]}, {"a": {"$lte": "y"}}),
        ({"$and": [{"a": {"$gt": 3}}, {"a": {"$gt": 2.5}}]}, {"a": {"$gt": 3}}),
        ({"$or": [{"a": {"$lt": 3}}, {"a": {"$lt": ""}}]}, {"$or": [{"a": {"$lt": 3}}, {"a": {"$lt": ""}}]}),
        ({"$and": [{"a": {"$ne": 1}}, {"a": {"$nin": [2, None]}}]}, {"a": {"$nin": [1, 2, None]}}),
        ({"$and": [{"a": 1}, {"a": 2}]}, {"$and": [{"a": 1}, {"a": 2}]}),
    ],
)  # fmt: skip
def test_conditions_on_one_path_are_one(given: dict[str, Any], shorter: dict[str, Any]) -> None:
    plans = [parse_pipeline([{"$match": filter_}], Scan("t")) for filter_ in (given, shorter)]
    assert optimize(plans[0]) == plans[1]


@pytest.mark.parametrize("op", ["$or", "$nor"])
@pytest.mark.parametrize("engine", ["document", "polars"])
@pytest.mark.parametrize("first", [{}, {"k": 1}])
def test_alternatives_that_a_value_tells_apart_are_found_by_it(
    engine: str, op: str, first: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, original = count(), alternatives.tests_of

    def counting(items: Any, compiled: Any, on_path: Any) -> Any:
        def counted(item: Any) -> Any:
            test = compiled(item)
            return lambda document: next(tried) >= 0 and test(document)

        return original(items, counted, on_path)

    monkeypatch.setattr("xrepo_nb.engines.document.predicates.tests_of", counting)
    frame = pl.DataFrame({"n": range(2000), "s": [f"t{i % 7}" for i in range(2000)], "k": [1] * 2000})
    parts = [{**first, "n": i, "s": f"t{i % 5}"} for i in range(25_000)]
    plan = parse_pipeline([{"$match": {op: parts}}], Scan("t"))
    found = len(get_engine(engine).collect(plan, {"t": Table(frame=frame)}))
    alike = sum(i % 7 == i % 5 for i in range(2000))
    assert found == (alike if op == "$or" else 2000 - alike)
    assert next(tried) <= 2000, "one by one they were fifty million"


def test_text_joined_a_thousand_times_is_declined_by_sql() -> None:
    plan = parse_pipeline([{"$project": {"a": {"$concat": ["$s"] * 1000}}}], Scan("t"))
    table = {"t": Table(frame=pl.DataFrame({"s": ["x"]}))}
    with pytest.raises(XRepoError, match="nested too deeply"):
        get_engine("duckdb").collect(plan, table)
