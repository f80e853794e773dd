"""Groups by direct addressing give what hashing and the interpreter give."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars import direct
from xrepo_nb.engines.polars.engine import PolarsEngine, lower
from xrepo_nb.engines.polars.stages import groups, totals
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.schema.table import Table

ROWS = 240
FRAME = pl.DataFrame({
    "key": [i * 7 % 11 + 1 for i in range(ROWS)],
    "below": [i % 13 - 6 for i in range(ROWS)],
    "holes": [None if i % 5 == 0 else 2013 + i % 3 for i in range(ROWS)],
    "sorted": [i // 20 for i in range(ROWS)],
    "far": [(i % 2) * 10**12 for i in range(ROWS)],
    "kind": pl.Series([None if i % 6 == 0 else "abc"[i % 3] for i in range(ROWS)], dtype=pl.Categorical),
    "n": [i * 31 % 17 - 5 for i in range(ROWS)],
    "some": [None if i % 4 else i for i in range(ROWS)],
    "none": pl.Series([None] * ROWS, dtype=pl.Float64),
    "x": [float(i * 37 % 41) / 4 for i in range(ROWS)],
    "nan": [float("nan") if i % 9 == 0 else float(i) for i in range(ROWS)],
    "end": [2**63 - 1 if i % 2 else -(2**63) for i in range(ROWS)],
    "text": ["t"] * ROWS,
})  # fmt: skip


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MANY", 1)
    monkeypatch.setattr(totals, "ROWS", 1)
    monkeypatch.setattr(totals, "GROUPS", 1)
    monkeypatch.setattr(totals, "ROWS_EACH", 0)
    monkeypatch.setattr(totals, "REDUCTIONS", 12)
    monkeypatch.setattr(totals, "CORES", 1_000)
    monkeypatch.setattr(direct, "CHUNK", 64)


def planned(table: Table, *stages: dict[str, Any]) -> Plan:
    return optimize(parse_pipeline(stages, Scan("t")), {"t": table.schema})


def is_direct(plan: Plan, table: Table) -> bool:
    return "PYTHON" in lower(plan, {"t": table})[0].explain().upper()


def same(plan: Plan, table: Table) -> bool:
    expected = DocumentEngine().collect(plan, {"t": table}).documents
    found = PolarsEngine().collect(plan, {"t": table})
    return sorted(map(plain, found.documents)) == sorted(map(plain, expected))


def plain(value: Any) -> str:
    """As text, in which equal numbers are equal, and NaN is."""
    if isinstance(value, dict):
        return str({name: plain(item) for name, item in value.items()})
    if isinstance(value, list):
        return str([plain(item) for item in value])
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


KEYS: list[Any] = [
    "$key",
    "$below",
    "$holes",
    "$sorted",
    "$kind",
    {"a": "$holes", "b": "$kind", "c": "$below"},
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize(
    "outputs",
    [
        {"n": {"$sum": 1}, "m": {"$count": {}}, "many": {"$sum": -3}},
        {"n": {"$sum": "$n"}, "some": {"$sum": "$some"}, "x": {"$sum": "$x"}, "none": {"$sum": "$none"}},
        {"n": {"$avg": "$n"}, "some": {"$avg": "$some"}, "x": {"$avg": "$x"}, "none": {"$avg": "$none"}},
        {"n": {"$avg": "$nan"}, "m": {"$sum": "$nan"}, "twice": {"$sum": {"$multiply": ["$n", "$n"]}}},
        {"n": {"$min": "$n"}, "m": {"$max": "$n"}, "x": {"$min": "$x"}, "y": {"$max": "$x"}},
        {"n": {"$min": "$end"}, "m": {"$max": "$end"}, "one": {"$max": 1}},
        {"n": {"$maxN": {"input": "$n", "n": 3}}, "m": {"$minN": {"input": "$n", "n": 1}}},
        {"n": {"$maxN": {"input": "$x", "n": 4}}, "m": {"$minN": {"input": "$end", "n": 4}}},
    ],
    ids=["counts", "sums", "means", "others", "extremes", "ends", "few", "farthest"],
)
@pytest.mark.parametrize("rows", ["all", "none", "two"])
def test_groups_are_the_same(key: Any, outputs: dict[str, Any], rows: str) -> None:
    table = Table(frame=FRAME)
    chosen: dict[str, Any] = {"all": {}, "none": {"text": "u"}, "two": {"n": 3, "x": {"$lt": 1}}}[rows]
    plan = planned(table, {"$match": chosen}, {"$group": {"_id": key, **outputs}})
    assert is_direct(plan, table)
    assert same(plan, table)


@pytest.mark.parametrize(
    ("key", "output"),
    [
        ("$text", {"$sum": "$n"}),
        ("$x", {"$sum": "$n"}),
        ("$key", {"$sum": "$end"}),
        ("$key", {"$avg": "$end"}),
        ("$key", {"$min": "$some"}),
        ("$key", {"$max": "$nan"}),
        ("$key", {"$max": "$text"}),
        ("$key", {"$push": "$n"}),
        ("$key", {"$maxN": {"input": "$some", "n": 2}}),
        ("$key", {"$maxN": {"input": "$x", "n": 40}}),
        ("$key", {"$sum": "$text"}),
        ({"a": "$key", "b": "$text"}, {"$sum": "$n"}),
        (None, {"$sum": "$n"}),
    ],
    ids=str,
)
def test_others_are_hashed(key: Any, output: dict[str, Any]) -> None:
    table = Table(frame=FRAME)
    plan = planned(table, {"$group": {"_id": key, "out": output}})
    assert not is_direct(plan, table)
    assert same(plan, table)


@pytest.mark.parametrize(
    ("name", "value"), [("ROWS", ROWS + 1), ("GROUPS", 13), ("ROWS_EACH", 30), ("CORES", 0)]
)
def test_it_is_chosen_where_it_pays(name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(frame=FRAME)
    plan = planned(table, {"$group": {"_id": "$key", "sum": {"$sum": "$n"}}})
    assert is_direct(plan, table)
    monkeypatch.setattr(totals, name, value)
    assert not is_direct(plan, table)


def test_outputs_of_one_field_share_what_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "REDUCTIONS", 3)
    table = Table(frame=FRAME)
    shared = {f"{op[1:]} {i}": {op: "$some"} for op in ("$sum", "$avg") for i in range(3)}
    plan = planned(table, {"$group": {"_id": "$key", **shared, "n": {"$max": "$n"}}})
    assert is_direct(plan, table)
    assert same(plan, table)
    plan = planned(table, {"$group": {"_id": "$key", **shared, "n": {"$max": "$n"}, "x": {"$sum": "$x"}}})
    assert not is_direct(plan, table)


def test_keys_far_from_each_other_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "ROWS_EACH", 4)
    table = Table(frame=FRAME)
    plan = planned(table, {"$group": {"_id": "$far", "sum": {"$sum": "$n"}}})
    assert not is_direct(plan, table)


def test_rows_of_files_are_hashed(tmp_path: Any) -> None:
    """They might not fit into memory."""
    path = tmp_path / "rows.parquet"
    FRAME.with_columns(pl.col("key").cast(pl.Int8)).write_parquet(path)
    table = Table(lazy=pl.scan_parquet(path), schema=Table(frame=FRAME).schema, height=ROWS)
    plan = planned(table, {"$group": {"_id": "$key", "sum": {"$sum": "$x"}}})
    assert not is_direct(plan, table)
    assert same(plan, table)


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.sampled_from([0.0, -0.0, 1.5, -1e300, float("inf")])), min_size=1
    ),
    st.integers(1, 4),
)
def test_ties_and_infinities_stand_where_they_belong(rows: list[tuple[int, float]], count: int) -> None:
    table = Table(frame=pl.DataFrame(rows, schema=["key", "x"], orient="row"))
    outputs = {op[1:]: {op: {"input": "$x", "n": count}} for op in ("$minN", "$maxN")}
    plan = planned(table, {"$group": {"_id": "$key", **outputs}})
    assert is_direct(plan, table)
    assert same(plan, table)
