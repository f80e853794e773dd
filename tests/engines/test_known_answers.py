"""An answer that the types alone tell hides no failure of what it is an answer about."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.schema.table import Table

ROWS = Table(documents=[{"_id": 1, "n": 3, "zero": 0, "s": "a"}, {"_id": 2, "n": 4, "zero": 0, "s": "b"}])
FAILS: dict[str, Any] = {"$divide": ["$n", "$zero"]}

ABOUT: list[Any] = [
    {"$gt": [FAILS, "text"]},
    {"$ne": [FAILS, None]},
    {"$cmp": [FAILS, "text"]},
    {"$isNumber": FAILS},
    {"$isArray": [FAILS]},
    {"$type": FAILS},
    {"$add": [FAILS, None]},
    {"$and": [FAILS, False]},
    {"$and": [FAILS, 0]},
    {"$and": [True, FAILS, -0.0]},
    {"$or": [FAILS, 1]},
    {"$not": [{"$gt": [FAILS, "text"]}]},
    {"$cond": [{"$gt": [FAILS, "text"]}, "$n", 0]},
    {"$let": {"vars": {"v": FAILS}, "in": 1}},
    {"$let": {"vars": {"v": FAILS}, "in": "$$v.x"}},
]


def _plan(expression: Any) -> Plan:
    return parse_pipeline([{"$project": {"out": expression}}], Scan("rows"))


@pytest.mark.parametrize("expression", ABOUT, ids=str)
@pytest.mark.parametrize("engine", ["document", "polars", "duckdb"])
def test_what_fails_fails(engine: str, expression: Any) -> None:
    plan = _plan(expression)
    if get_engine(engine).supports(plan, {"rows": ROWS}) is None:
        with pytest.raises(XRepoQueryError, match="by zero"):
            get_engine(engine).collect(plan, {"rows": ROWS})


@pytest.mark.parametrize("expression", [{"$gt": ["$n", "text"]}, {"$type": "$s"}, {"$cmp": ["$n", "text"]}])
def test_what_cannot_fail_is_still_told_by_the_types(expression: Any) -> None:
    plan = _plan(expression)
    expected = list(DocumentEngine().collect(plan, {"rows": ROWS}).documents)
    assert list(get_engine("polars").collect(plan, {"rows": ROWS}).documents) == expected
