"""Joins whose keys repeat on both sides are counted before they run."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.engines.polars import engine, fanout
from xrepo_nb.engines.select import choose, get_engine
from xrepo_nb.query.expressions import DocumentExpr, FieldRef, Literal
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Accumulator, Group, Join, Match, Plan, Scan, Sort, SortKey
from xrepo_nb.schema.table import Table

N = 100_000
ONE = Table(frame=pl.DataFrame({"k": [1] * N, "l": range(N)}))
SAME = Table(frame=pl.DataFrame({"k": [1] * N, "r": range(N)}))
UNIQUE = Table(frame=pl.DataFrame({"k": range(N), "r": range(N)}))


def join(left: Plan | None = None, *, on: Any = (("k", "k"),), how: str = "inner") -> Join:
    return Join(left or Scan("a"), Scan("b"), on, how)


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_what_multiplies_its_rows_is_declined(how: str) -> None:
    inputs = {"a": ONE, "b": SAME}
    assert "too many" in str(get_engine("polars").supports(join(how=how), inputs))
    with pytest.raises(XRepoUnsupportedError, match="100,000 and 100,000 rows"):
        get_engine("polars").collect(join(how=how), inputs)


def unread(table: Table) -> Table:
    """The same rows as a file gives them: their number is known, none of them is read."""
    return Table(lazy=table.frame.lazy(), schema=table.schema, height=len(table))


def test_files_are_counted_too() -> None:
    prepare = engine.PolarsEngine().prepare
    assert "too many" in str(prepare(join(), {"a": unread(ONE), "b": unread(SAME)}, None))
    assert "too many" in str(prepare(join(), {"a": ONE, "b": unread(SAME)}, None))


def test_files_of_which_nobody_knows_the_rows_are_joined() -> None:
    inputs = {"a": Table(lazy=ONE.lazy), "b": Table(lazy=UNIQUE.lazy)}
    assert engine.lower_frame(join(), inputs).frame.height is None


def counted(plan: Plan) -> Plan:
    return Group(plan, Literal(None), (Accumulator("n", "$sum", (Literal(1),)),))


@pytest.mark.parametrize(
    ("plan", "inputs", "rows"),
    [
        (join(), {"a": ONE, "b": UNIQUE}, N),
        (join(how="outer"), {"a": UNIQUE, "b": ONE}, 2 * N - 1),
        (join(how="semi"), {"a": ONE, "b": SAME}, N),
        (join(on=(("k", "k"), ("l", "r"))), {"a": ONE, "b": SAME}, N),
        (join(Match(Scan("a"), parse_filter({"l": {"$lt": 3}}))), {"a": ONE, "b": SAME}, 3 * N),
    ],
)
def test_what_does_not_is_joined(plan: Join, inputs: dict[str, Table], rows: int) -> None:
    found = get_engine("polars").collect(counted(plan), inputs).documents
    assert found == [{"_id": None, "n": rows}]


def test_a_join_of_a_join_is_bounded_too() -> None:
    first = join(Match(Scan("a"), parse_filter({"l": {"$lt": 100}})))
    plan = Join(first, Scan("c"), (("k", "k"),), "inner")
    inputs = {"a": ONE, "b": SAME, "c": Table(frame=pl.DataFrame({"k": [1] * N, "c": range(N)}))}
    assert "too many" in str(get_engine("polars").supports(plan, inputs))


def test_usual_joins_count_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "_pairs", lambda *given: pytest.fail("counted"))
    small = Table(frame=pl.DataFrame({"k": [1] * 200, "r": range(200)}))
    for inputs in ({"a": ONE, "b": UNIQUE}, {"a": ONE, "b": small}, {"a": ONE, "b": unread(UNIQUE)}):
        found = engine.lower_frame(join(), inputs).frame
        assert found.height is not None and found.height <= 200 * N + N + 200


def test_the_greatest_number_of_rows_is_never_less_than_there_are() -> None:
    left = Table(frame=pl.DataFrame({"k": [1, 1, 2, None, 5], "l": range(5)}))
    right = Table(frame=pl.DataFrame({"k": [1, 1, 3, None], "r": range(4)}))
    for how in ("inner", "left", "right", "outer"):
        frame = engine.lower_frame(join(how=how), {"a": left, "b": right}).frame
        assert frame.height is not None
        assert frame.lazy.collect().height <= frame.height


def test_windows_of_many_widths_are_planned_one_after_another() -> None:
    widths = {f"w{i}": {"$sum": "$r", "window": {"documents": [-i, 0]}} for i in range(40)}
    plan = parse_pipeline([{"$setWindowFields": {"sortBy": {"r": 1}, "output": widths}}], Scan("b"))
    table = Table(frame=SAME.frame.head(50))
    found = get_engine("polars").collect(plan, {"b": table}).documents
    assert found == get_engine("document").collect(plan, {"b": table}).documents


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_duckdb_refuses_by_the_same_rule(how: str) -> None:
    duckdb = get_engine("duckdb")
    assert "too many" in str(duckdb.supports(counted(join(how=how)), {"a": ONE, "b": SAME}))
    with pytest.raises(XRepoUnsupportedError, match="100,000 and 100,000 rows"):
        duckdb.collect(join(how=how), {"a": ONE, "b": SAME})
    assert "too many" in str(duckdb.supports(join(how=how), {"a": ONE, "b": unread(SAME)}))


@pytest.mark.parametrize("how", ["inner", "left", "semi", "anti"])
def test_duckdb_joins_what_stays_of_its_size(how: str) -> None:
    other = SAME if how in ("semi", "anti") else UNIQUE
    assert len(get_engine("duckdb").collect(join(how=how), {"a": ONE, "b": other})) in (0, N)


SKEWED = {
    "a": Table(frame=pl.DataFrame({"k": [1] * 10_000, "g": [i % 3 for i in range(10_000)]})),
    "b": Table(
        frame=pl.DataFrame({"k": [1] * 10_000, "r": range(10_000), "h": [i % 2 for i in range(10_000)]})
    ),
}


def reduced(plan: Plan, key: Any, op: str = "$sum") -> Plan:
    return Group(plan, key, (Accumulator("n", op, (FieldRef(("r",)),)),))


def test_a_group_of_a_join_too_large_for_polars_is_duckdbs() -> None:
    matched = Match(join(), parse_filter({"r": {"$lt": 9_000}}))
    plan = Sort(reduced(matched, FieldRef(("g",))), (SortKey(("_id",)),))
    assert "too many" in str(get_engine("polars").supports(plan, SKEWED))
    chosen = choose(plan, SKEWED)
    assert chosen.name == "duckdb"
    total = sum(range(9_000))
    expected = [{"_id": 0, "n": 3334 * total}, {"_id": 1, "n": 3333 * total}, {"_id": 2, "n": 3333 * total}]
    assert chosen.collect(plan, SKEWED).documents == expected


BOTH_SIDES = DocumentExpr((("g", FieldRef(("g",))), ("h", FieldRef(("h",)))))


@pytest.mark.parametrize(
    "plan",
    [
        reduced(join(), Literal(None), "$push"),
        reduced(join(), BOTH_SIDES),
        reduced(Sort(join(), (SortKey(("r",)),)), Literal(None)),
        reduced(Join(join(), Scan("c"), (("k", "k"),), "inner"), Literal(None)),
    ],
)
def test_duckdb_refuses_joins_whose_rows_are_kept(plan: Plan) -> None:
    few = {"c": Table(frame=pl.DataFrame({"k": [1], "c": [1]}))} if "c" in plan.sources() else {}
    assert "too many" in str(get_engine("duckdb").supports(plan, SKEWED | few))


def test_a_join_that_polars_takes_stays_its_own() -> None:
    plan = reduced(join(), FieldRef(("k",)))
    assert choose(plan, {"a": ONE, "b": UNIQUE}).name == "polars"
