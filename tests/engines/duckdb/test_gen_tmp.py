"""Generated rows, filters and pipelines: DuckDB and the document engine agree."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.duckdb.engine import DuckDBEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

KINDS = {"i": "int", "f": "float", "s": "string", "b": "bool", "t": "datetime"}
SCHEMA = Schema.of({"fields": {name: {"type": kind} for name, kind in KINDS.items()}})
FEW = {
    "i": st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1, -(2**31)]),
    "f": st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.5, math.nan, math.inf, -math.inf, 2.0**53]),
    "s": st.sampled_from(["", "a", "A", "ab", "b%", "é", "Z", "1"]),
    "b": st.booleans(),
    "t": st.sampled_from([datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)]),
}
VALUES = st.one_of(*FEW.values(), st.none())
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | few for name, few in FEW.items()}), max_size=6)
NAMES = st.sampled_from(list(KINDS))


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    operators = st.one_of(
        st.builds(
            lambda op, v: {op: v}, st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), VALUES
        ),
        st.builds(lambda op, v: {op: v}, st.sampled_from(["$in", "$nin"]), st.lists(VALUES, max_size=3)),
        st.builds(lambda v: {"$exists": v}, st.booleans()),
        st.builds(lambda v: {"$type": v}, st.sampled_from(["int", "double", "string", "null", "number"])),
    )
    negated = st.builds(lambda c: {"$not": c}, operators)
    field = st.builds(lambda name, c: {name: c}, NAMES, operators | negated)
    compared = st.builds(
        lambda op, a, b: {"$expr": {op: ["$" + a, "$" + b]}},
        st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), NAMES, NAMES,
    )  # fmt: skip
    leaf = field | compared
    joined = st.builds(
        lambda op, parts: {op: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(leaf, min_size=1, max_size=3),
    )
    return leaf | joined


def text(rows: Any) -> list[str]:
    return [repr({name: _plain(value) for name, value in sorted(row.items())}) for row in rows]


def _plain(value: Any) -> Any:
    """Equal numbers alike, whatever their type and sign of zero; moments by their UTC text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and value == value and abs(value) < 2**53 and value == int(value):
        return int(value)
    return value


def check(rows: list[dict[str, Any]], stages: list[dict[str, Any]], *, ordered: bool) -> None:
    plan, table = parse_pipeline(stages, Scan("t")), {"t": Table(documents=rows, schema=SCHEMA)}
    engine = DuckDBEngine()
    reason = engine.supports(plan, table)
    assert reason is None or "comparing" in reason, reason
    if reason is None:
        found, expected = (text(e.collect(plan, table).documents) for e in (engine, DocumentEngine()))
        assert (found if ordered else sorted(found)) == (expected if ordered else sorted(expected))


FAST = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))


@FAST
@given(ROWS, conditions())
def test_filters(rows: list[dict[str, Any]], condition: dict[str, Any]) -> None:
    check(rows, [{"$match": condition}], ordered=True)


@FAST
@given(ROWS, st.lists(st.tuples(NAMES, st.sampled_from([1, -1])), min_size=1, max_size=3), st.integers(0, 3))
def test_sorts(rows: list[dict[str, Any]], keys: list[tuple[str, int]], skip: int) -> None:
    check(rows, [{"$sort": dict(keys)}, {"$skip": skip}, {"$limit": 3}], ordered=True)


@FAST
@given(
    ROWS, NAMES | st.none(), NAMES, st.sampled_from(["$min", "$max", "$first", "$last", "$push", "$count"])
)
def test_groups(rows: list[dict[str, Any]], key: str | None, name: str, op: str) -> None:
    argument: Any = {} if op == "$count" else "$" + name
    made = {"_id": key and "$" + key, "x": {op: argument}, "n": {"$sum": 1}, "s": {"$sum": "$b"}}
    check(rows, [{"$group": made}], ordered=False)


@FAST
@given(ROWS, NAMES, NAMES)
def test_choices(rows: list[dict[str, Any]], first: str, second: str) -> None:
    made = {
        "less": {"$lt": ["$" + first, "$" + second]},
        "order": {"$cmp": ["$" + first, "$" + second]},
        "either": {"$or": ["$" + first, "$" + second]},
        "first": {"$ifNull": ["$" + first, "$" + first]},
        "kind": {"$type": "$" + first},
    }
    check(rows, [{"$project": made}], ordered=True)
