"""Groups by fields of a small joined table are gathered before the join, with the same answer."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.test_differential import QUIET, plain
from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars.engine import PolarsEngine, lower_frame
from xrepo_nb.engines.polars.stages import early
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Join, Plan, Project, Scan
from xrepo_nb.repos.connected import ConnectedRepo
from xrepo_nb.resources.factory import ResourceFactory
from xrepo_nb.schema.table import Table

HUGE = st.sampled_from([0, 1, -1, 2**53 + 1, 2**62, -(2**63), 2**63 - 1])
FLOATS = st.sampled_from([0.5, -1.0, 0.0, 1e300, math.nan, math.inf, -math.inf])
FACTS = st.fixed_dictionaries(
    {"k": st.sampled_from(["a", "b", "c", "z", None]), "m": st.integers(0, 2)},
    optional={
        "i": st.none() | HUGE,
        "f": FLOATS,
        "s": st.sampled_from(["x", "Y", ""]),
        "b": st.booleans() | st.none(),
    },
)
DIMENSION = st.fixed_dictionaries(
    {"k": st.sampled_from(["a", "b", "c", None]), "m": st.integers(0, 2)},
    optional={"name": st.sampled_from(["A", "B", None]), "size": st.integers(0, 2)},
)
WHOLE = st.fixed_dictionaries(
    {
        "k": st.sampled_from(["a", "b", "c", None]),
        "m": st.integers(0, 2),
        "name": st.sampled_from(["A", "B", None]),
        "size": st.integers(0, 2),
    }
)
"""Without missing fields, which a join tells from null in no row that found no partner."""
ACCUMULATORS: dict[str, Any] = {
    "n": {"$sum": 1},
    "many": {"$sum": 7},
    "count": {"$count": {}},
    "i_sum": {"$sum": "$i"},
    "i_avg": {"$avg": "$i"},
    "f_sum": {"$sum": "$f"},
    "f_avg": {"$avg": "$f"},
    "f_min": {"$min": "$f"},
    "f_max": {"$max": "$f"},
    "s_min": {"$min": "$s"},
    "i_max": {"$max": "$i"},
    "b_sum": {"$sum": "$b"},
    "b_min": {"$min": "$b"},
}
KEYS: list[Any] = [
    "$d.name",
    {"name": "$d.name", "size": "$d.size"},
    {"k": "$k", "size": "$d.size"},
    {"$toLower": {"$ifNull": ["$d.name", "?"]}},
    None,
    "$k",
]


def looked_up(key: Any, accumulators: dict[str, Any], *, keep: bool, **options: Any) -> Plan:
    lookup = {"from": "dimension", "localField": "k", "foreignField": "k", "as": "d", **options}
    unwind = {"path": "$d", "preserveNullAndEmptyArrays": keep}
    stages = [{"$lookup": lookup}, {"$unwind": unwind}, {"$group": {"_id": key, **accumulators}}]
    return parse_pipeline(stages, Scan("facts"))


def joined(key: Any, accumulators: dict[str, Any], on: list[str], how: str) -> Plan:
    names = {"d_name": "name", "d_size": "size"}
    right = parse_pipeline(
        [{"$project": {"_id": 0, **dict.fromkeys(on, 1), **{new: f"${old}" for new, old in names.items()}}}],
        Scan("dimension"),
    )
    left = parse_pipeline([{"$project": {"_id": 0, **dict.fromkeys(("k", "m", *FIELDS), 1)}}], Scan("facts"))
    assert isinstance(right, Project)
    join = Join(left, right, tuple((name, name) for name in on), how)
    return parse_pipeline([{"$group": {"_id": key, **accumulators}}], join)


FIELDS = ("i", "f", "s", "b")


@pytest.fixture(autouse=True)
def _any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "MANY", 0)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the groups that were lowered have been gathered early."""
    found: list[bool] = []
    made = early.grouped_early

    def spied(*given: Any) -> Any:
        answer = made(*given)
        found.append(answer is not None)
        return answer

    monkeypatch.setattr("xrepo_nb.engines.polars.stages.groups.grouped_early", spied)
    return found


def tables(facts: list[dict[str, Any]], dimension: list[dict[str, Any]]) -> dict[str, Table]:
    found = {"facts": Table(documents=facts), "dimension": Table(documents=dimension)}
    return {name: Table(frame=table.frame, schema=table.schema) for name, table in found.items()}


def same_rows(found: Any, expected: Any) -> bool:
    return Counter(map(plain, found)) == Counter(map(plain, expected))


def check(plan: Plan, inputs: dict[str, Table]) -> None:
    if PolarsEngine().supports(plan, inputs) is None:
        expected = DocumentEngine().collect(plan, inputs).documents
        assert same_rows(expected, PolarsEngine().collect(plan, inputs).documents)


@QUIET
@given(
    facts=st.lists(FACTS, min_size=1, max_size=12),
    dimension=st.lists(DIMENSION, min_size=1, max_size=6),
    key=st.sampled_from(KEYS),
    chosen=st.sets(st.sampled_from(list(ACCUMULATORS)), min_size=1),
    keep=st.booleans(),
)
def test_a_lookup_gives_what_the_interpreter_gives(
    facts: list[dict[str, Any]], dimension: list[dict[str, Any]], key: Any, chosen: set[str], keep: bool
) -> None:
    plan = looked_up(key, {name: ACCUMULATORS[name] for name in chosen}, keep=keep)
    check(plan, tables(facts, dimension))


@QUIET
@given(
    facts=st.lists(FACTS, min_size=1, max_size=12),
    dimension=st.lists(WHOLE, min_size=1, max_size=6),
    key=st.sampled_from(["$d_name", {"n": "$d_name", "k": "$k"}, {"$ifNull": ["$d_size", 7]}, None]),
    chosen=st.sets(st.sampled_from(list(ACCUMULATORS)), min_size=1),
    on=st.sampled_from([["k"], ["k", "m"]]),
    how=st.sampled_from(["left", "inner"]),
)
def test_a_join_gives_what_the_interpreter_gives(
    facts: list[dict[str, Any]],
    dimension: list[dict[str, Any]],
    key: Any,
    chosen: set[str],
    on: list[str],
    how: str,
) -> None:
    check(joined(key, {name: ACCUMULATORS[name] for name in chosen}, on, how), tables(facts, dimension))


SOME = tables(
    [{"k": k, "m": 0, "i": i, "f": i / 2, "s": "x", "b": True} for i, k in enumerate("aabbccz")],
    [{"k": "a", "m": 0, "name": "A"}, {"k": "a", "m": 0, "name": "B"}, {"k": "b", "m": 0, "name": "B"}],
)


@pytest.mark.parametrize(
    ("key", "accumulators", "options", "expected"),
    [
        ("$d.name", {"i": {"$avg": "$i"}, "n": {"$sum": 1}}, {}, True),
        ("$k", {"i": {"$sum": "$i"}}, {}, True),
        (None, {"i": {"$min": "$f"}}, {}, True),
        ("$d.name", {"i": {"$sum": "$i"}}, {"pipeline": [{"$match": {"name": "B"}}]}, True),
        ("$m", {"i": {"$sum": "$i"}}, {}, False),  # a field of these rows that is not the key
        ({"a": "$d.name", "m": "$m"}, {"i": {"$sum": "$i"}}, {}, False),
        ("$$ROOT", {"n": {"$sum": 1}}, {}, False),
        ({"a": "$$ROOT.i"}, {"n": {"$sum": 1}}, {}, False),
        ("$d.name", {"all": {"$push": "$i"}}, {}, False),  # reads more than a part of each group
        ("$d.name", {"i": {"$sum": "$d.m"}}, {}, False),  # of the other rows
        ("$d.name", {"i": {"$sum": {"$add": ["$i", 1]}}}, {}, False),
    ],
)
def test_which_groups_are_gathered_early(
    key: Any, accumulators: dict[str, Any], options: dict[str, Any], expected: bool, taken: list[bool]
) -> None:
    plan = looked_up(key, accumulators, keep=True, **options)
    lower_frame(plan, SOME)
    assert taken == [expected]
    check(plan, SOME)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ([{"$match": {"d.name": "B"}}], True),
        ([{"$set": {"name": "$d.name"}}, {"$match": {"name": {"$ne": None}}}, {"$unset": "d.m"}], True),
        ([{"$set": {"d.name": {"$concat": ["$k", "$d.name"]}}}], True),
        ([{"$match": {"i": {"$gt": 1}, "d.name": "B"}}], False),  # by a field of these rows
        ([{"$match": {"$expr": {"$lt": [{"$rand": {}}, 2]}}}], False),  # row by row
        ([{"$match": {"$sampleRate": 1}}], False),
        ([{"$set": {"d.name": {"$lt": [{"$rand": {}}, 2]}}}], False),
        ([{"$set": {"i": 1}}], False),
        ([{"$set": {"k": "$d.name"}}], False),
        ([{"$set": {"all": "$$ROOT"}}], False),
    ],
)
def test_stages_between_that_look_at_the_other_rows_alone(
    between: list[dict[str, Any]], expected: bool, taken: list[bool]
) -> None:
    group = {"_id": {"d": "$d.name", "k": "$k"}, "n": {"$sum": 1}, "i": {"$avg": "$i"}}
    lookup = {"from": "dimension", "localField": "k", "foreignField": "k", "as": "d"}
    stages = [{"$lookup": lookup}, {"$unwind": "$d"}, *between, {"$group": group}]
    plan = parse_pipeline(stages, Scan("facts"))
    lower_frame(plan, SOME)
    assert taken == [expected]
    check(plan, SOME)


def test_joined_rows_that_are_joined_again() -> None:
    first = joined("$d_name", {"n": {"$sum": 1}}, ["k"], "left").children()
    (join,) = first
    again = parse_pipeline([{"$project": {"_id": 0, "k": 1, "last": "$name"}}], Scan("dimension"))
    plan = parse_pipeline(
        [{"$group": {"_id": "$last", "i": {"$sum": "$i"}}}], Join(join, again, (("k", "k"),), "inner")
    )
    check(plan, SOME)


def test_a_right_table_that_is_not_small_is_joined_first(
    monkeypatch: pytest.MonkeyPatch, taken: list[bool]
) -> None:
    monkeypatch.setattr(early, "FEW", 2)
    lower_frame(looked_up("$d.name", {"n": {"$sum": 1}}, keep=True), SOME)
    assert taken == [False]


def test_a_join_that_checks_its_left_keys_is_made_as_it_is(taken: list[bool]) -> None:
    plan = joined("$d_name", {"n": {"$sum": 1}}, ["k"], "left")
    lower_frame(plan, SOME)
    checked = plan.transform(
        lambda n: Join(n.left, n.right, n.on, n.how, "one_to_many") if isinstance(n, Join) else n
    )
    lower_frame(checked, SOME)
    assert taken == [True, False]


async def test_files_tell_how_many_rows_they_have(tmp_path: Path, taken: list[bool]) -> None:
    SOME["facts"].frame.write_parquet(tmp_path / "facts.parquet")
    SOME["dimension"].frame.write_csv(tmp_path / "dimension.csv")
    found: dict[str, Table] = {}
    for kind, name in (("parquet", "facts"), ("csv", "dimension")):
        resource = ResourceFactory.create(kind, file_path=tmp_path / f"{name}.{kind}")
        await resource.connect()
        repo: ConnectedRepo[Any] = ConnectedRepo(await resource.describe(), resource, name=name)
        table = (await repo._open(None)).table
        assert table is not None and table.is_lazy
        assert table.height == SOME[name].frame.height
        found[name] = table
    plan = joined("$d_name", {"n": {"$sum": 1}, "i": {"$avg": "$i"}}, ["k"], "left")
    found["facts"] = Table(lazy=found["facts"].lazy, height=found["facts"].height)
    rows = PolarsEngine().collect(plan, found).documents
    assert taken == [True]
    expected = DocumentEngine().collect(plan, SOME).documents
    assert same_rows(expected, rows)


def test_ints_past_64_bits_are_the_interpreters() -> None:
    facts = [{"k": "a", "i": 2**62}] * 4 + [{"k": "b", "i": -(2**62)}] * 3
    inputs = tables(facts, [{"k": k, "name": "all"} for k in "ab"])
    plan = looked_up("$d.name", {"i": {"$sum": "$i"}}, keep=False)
    assert PolarsEngine().collect(plan, inputs).documents == [{"_id": "all", "i": 2**62}]
    inputs["facts"] = Table(frame=pl.DataFrame(facts[:4]))
    check(plan, inputs)
