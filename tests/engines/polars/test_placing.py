"""Joins that find few other rows by the place of their keys give what hashing and the interpreter give."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars import placing
from xrepo_nb.engines.polars.engine import PolarsEngine, lower_frame
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Join, Plan, Scan
from xrepo_nb.schema.table import Table

ROWS = 120
LEFT = pl.DataFrame({
    "id": range(ROWS),
    "to": [None if i % 9 == 0 else i % 14 - 2 for i in range(ROWS)],
    "full": [i * 5 % 12 for i in range(ROWS)],
    "real": [float(i % 12) for i in range(ROWS)],
    "text": [f"t{i % 4}" for i in range(ROWS)],
})  # fmt: skip
RIGHT = pl.DataFrame({
    "key": [3, 1, 9, 4, -1, 7],
    "nulls": [3, None, 9, 4, None, 7],
    "twice": [3, 1, 3, 4, 5, 6],
    "wide": [3, 1, 9, 4, 10**15, 7],
    "real": [3.0, 1.0, 9.0, 4.0, -1.0, 7.0],
    "name": ["c", "a", None, "d", "z", "g"],
    "tags": [["x"], [], None, ["y", "z"], ["x"], []],
})  # fmt: skip


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "MANY", 1)


def inputs(left: pl.DataFrame = LEFT, right: pl.DataFrame = RIGHT) -> dict[str, Table]:
    return {"l": Table(frame=left), "r": Table(frame=right)}


def looked_up(local: str, foreign: str, *stages: dict[str, Any], keep: bool, pipeline: Any = None) -> Plan:
    lookup: dict[str, Any] = {"from": "r", "localField": local, "foreignField": foreign, "as": "r"}
    if pipeline is not None:
        lookup["pipeline"] = pipeline
    unwind = {"path": "$r", "preserveNullAndEmptyArrays": keep}
    return parse_pipeline([{"$lookup": lookup}, {"$unwind": unwind}, *stages], Scan("l"))


def joined(key: str, other: str, how: str, validate: str = "many_to_many") -> Plan:
    return Join(Scan("l"), Scan("r"), ((key, other),), how, validate)  # type: ignore[arg-type]


def is_hashed(plan: Plan, tables: dict[str, Table]) -> bool:
    return "JOIN" in lower_frame(plan, tables).frame.lazy.explain()


def answers(plan: Plan, tables: dict[str, Table]) -> tuple[list[Any], list[Any]]:
    expected = DocumentEngine().collect(plan, tables).documents
    return PolarsEngine().collect(plan, tables).documents, expected


@pytest.mark.parametrize("keep", [False, True], ids=["inner", "left"])
@pytest.mark.parametrize("local", ["to", "full"])
@pytest.mark.parametrize(
    "pipeline",
    [None, [{"$match": {"name": {"$ne": "d"}}}, {"$project": {"name": 1}}], [{"$match": {"name": "nobody"}}]],
    ids=["all", "some", "none"],
)
def test_rows_are_found_in_order(local: str, pipeline: Any, *, keep: bool) -> None:
    plan = looked_up(local, "key", keep=keep, pipeline=pipeline)
    found, expected = answers(plan, inputs())
    assert found == expected
    assert is_hashed(plan, inputs()) is (pipeline is not None and len(pipeline) == 1)


@pytest.mark.parametrize("how", ["left", "inner"])
@pytest.mark.parametrize("key", ["to", "full", "key"])
def test_views_are_joined_in_order(key: str, how: str) -> None:
    left, right = LEFT.rename({"full": "key"}) if key == "key" else LEFT, RIGHT.drop("real")
    plan = joined(key, "key", how)
    tables = inputs(left, right)
    assert not is_hashed(plan, tables)
    found, expected = answers(plan, tables)
    assert found == expected


@pytest.mark.parametrize(
    ("local", "foreign"),
    [
        ("to", "nulls"),
        ("full", "twice"),
        ("full", "wide"),
        ("full", "real"),
        ("real", "key"),
        ("text", "name"),
    ],
)
def test_other_keys_are_hashed(local: str, foreign: str) -> None:
    plan = looked_up(local, foreign, keep=True)
    tables = inputs()
    assert is_hashed(plan, tables)
    found, expected = answers(plan, tables)
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_nulls_of_others_are_never_found_by_rows_without_any() -> None:
    plan = looked_up("full", "nulls", keep=True)
    assert not is_hashed(plan, inputs())
    found, expected = answers(plan, inputs())
    assert found == expected


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.Int32], ids=str)
def test_narrow_keys_do_not_overflow(dtype: Any) -> None:
    ends = {pl.Int8: [-128, 127], pl.UInt16: [0, 1_500], pl.Int32: [-(2**31), -(2**31) + 1_000]}[dtype]
    right = pl.DataFrame({"key": pl.Series(ends, dtype=dtype), "name": ["low", "high"]})
    left = pl.DataFrame({"to": pl.Series(ends * 20, dtype=dtype), "id": range(40)})
    plan, tables = joined("to", "key", "inner"), inputs(left, right)
    assert is_hashed(plan, tables) is (dtype == pl.UInt16)
    found, expected = answers(plan, tables)
    assert sorted(map(str, found)) == sorted(map(str, expected))


@pytest.mark.parametrize("validate", ["one_to_one", "one_to_many"])
def test_joins_that_check_the_left_keys_are_hashed(validate: str) -> None:
    assert is_hashed(joined("to", "key", "left", validate), inputs(right=RIGHT.drop("real")))


def test_it_takes_many_rows_and_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = looked_up("full", "key", keep=False)
    assert not is_hashed(plan, inputs())
    assert is_hashed(plan, inputs(LEFT.head(RIGHT.height)))
    monkeypatch.setattr(placing, "FEW", RIGHT.height - 1)
    assert is_hashed(plan, inputs())


def test_files_are_not_read_for_it(tmp_path: Any) -> None:
    RIGHT.write_parquet(tmp_path / "right.parquet")
    lazy = Table(lazy=pl.scan_parquet(tmp_path / "right.parquet"), schema=Table(frame=RIGHT).schema, height=6)
    plan = looked_up("full", "key", keep=False)
    assert is_hashed(plan, {"l": Table(frame=LEFT), "r": lazy})
    LEFT.write_parquet(tmp_path / "left.parquet")
    left = Table(
        lazy=pl.scan_parquet(tmp_path / "left.parquet"), schema=Table(frame=LEFT).schema, height=ROWS
    )
    tables = {"l": left, "r": Table(frame=RIGHT)}
    assert not is_hashed(plan, tables)
    assert answers(plan, tables)[0] == answers(plan, inputs())[1]


def test_groups_over_such_a_join_are_the_same() -> None:
    stages = [
        {"$group": {"_id": "$r.name", "n": {"$sum": 1}, "ids": {"$push": "$id"}}},
        {"$sort": {"_id": 1}},
    ]
    plan = optimize(looked_up("full", "key", *stages, keep=True), {n: t.schema for n, t in inputs().items()})
    found, expected = answers(plan, inputs())
    assert found == expected
