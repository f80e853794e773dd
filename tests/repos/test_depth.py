"""What is nested without end is refused with an error of ours, at every door."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import F
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoError, XRepoLimitError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query import predicates as p
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

DEEP = 5000


def nested(around: Callable[[Any], Any], inner: Any, levels: int = DEEP) -> Any:
    return reduce(lambda made, _: around(made), range(levels), inner)


CONDITIONS: dict[str, Callable[[], Any]] = {
    "and and or in turn": lambda: nested(lambda c: (c & (F.a > 1)) | (F.a < 3), F.a == 1),
    "not": lambda: nested(lambda c: ~(c & (F.a > 1)), F.a == 1),
    "elements": lambda: nested(F.l.any_element, F.y == 1),
    "a value": lambda: F.a == nested(lambda v: [v], 1),
    "values": lambda: F.a.is_in([nested(lambda v: {"x": v}, 1)]),
    "a predicate": lambda: parse_filter(nested(p.Not, p.Compare(("a",), "$eq", 1))),
    "a predicate among documents": lambda: parse_filter({"$or": [nested(p.Not, p.EVERYTHING), {"a": 1}]}),
    "the rows of a rule": lambda: xr.ACLRule(
        role="r", permissions=["list"], conditions={"rows": nested(lambda c: {"$and": [c]}, {"a": 1})}
    ),
    "an attribute": lambda: xr.Identity("u", attributes={"ids": nested(lambda v: [v], 1)}),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_deep_conditions_are_refused(name: str) -> None:
    with pytest.raises(XRepoLimitError, match="nested deeper than 100 levels"):
        CONDITIONS[name]()


def test_long_chains_are_not_deep() -> None:
    both = reduce(lambda a, b: a & b, [F.a >= -i for i in range(2000)])
    either = reduce(lambda a, b: a | b, [F.a == i for i in range(2000)])
    found = nested(lambda c: ~~c, both & either)
    assert found.depth == 3
    assert "1991 more" in repr(found)


def test_deep_schemas_are_refused() -> None:
    field = nested(lambda f: {"type": "object", "fields": {"x": f}}, {"type": "int"})
    with pytest.raises(XRepoError, match="nested deeper"):
        Schema.of({"fields": {"a": field}})
    with pytest.raises(XRepoConfigurationError, match="described by a str"):
        Schema.of({"fields": {"a": "int"}})


async def test_a_deep_id_is_refused() -> None:
    people = await xr.open([{"id": 1}], name="people")
    for given in (nested(lambda v: {"$nor": [v]}, {"id": 1}), nested(lambda v: [v], 1)):
        with pytest.raises(XRepoError, match="nested deeper"):
            await people.exists(given)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_variables_that_double_each_other_are_not_written_out(engine: str) -> None:
    body: Any = {"$size": "$$v30"}
    for i in reversed(range(30)):
        body = {"$let": {"vars": {f"v{i + 1}": [f"$$v{i}", f"$$v{i}"]}, "in": body}}
    given = {"$let": {"vars": {"v0": ["$n"]}, "in": body}}
    plan, table = parse_pipeline([{"$project": {"v": given}}], Scan("t")), Table(documents=[{"n": 1}])
    try:
        found = get_engine(engine).collect(plan, {"t": table}).documents
    except XRepoConfigurationError:
        return
    assert found == get_engine("document").collect(plan, {"t": table}).documents
