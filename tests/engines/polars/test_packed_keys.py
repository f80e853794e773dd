"""Several keys of a group are packed into one whole number, with the same answer."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.polars.engine import PolarsEngine, lower
from xrepo_nb.engines.polars.stages import groups, keys
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

ROWS = 300
FRAME = pl.DataFrame({
    "small": [i % 5 - 2 for i in range(ROWS)],
    "year": [2013 + i % 3 for i in range(ROWS)],
    "one": [1] * ROWS,
    "holes": [None if i % 4 == 0 else i % 3 + 1 for i in range(ROWS)],
    "nothing": pl.Series([None] * ROWS, dtype=pl.Int64),
    "wide": [(-1) ** i * (2**62 + i % 2) for i in range(ROWS)],
    "flag": [None if i % 7 == 0 else i % 2 == 0 for i in range(ROWS)],
    "kind": pl.Series([None if i % 6 == 0 else "abc"[i % 3] for i in range(ROWS)], dtype=pl.Categorical),
    "size": pl.Series(["SML"[i % 3] for i in range(ROWS)], dtype=pl.Enum(["S", "M", "L"])),
    "byte": pl.Series([i % 2 * 255 for i in range(ROWS)], dtype=pl.UInt8),
    "text": [f"t{i % 4}" for i in range(ROWS)],
    "ratio": [i % 3 / 2 for i in range(ROWS)],
    "n": range(ROWS),
})  # fmt: skip
OUTPUTS = {"total": {"$sum": "$n"}, "rows": {"$push": "$n"}}


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MANY", 1)


def plan_of(table: Table, by: Any) -> Any:
    stages = [{"$group": {"_id": by, **OUTPUTS}}]
    return optimize(parse_pipeline(stages, Scan("t")), {"t": table.schema})


def native(*names: str) -> str:
    table = Table(frame=FRAME)
    return str(lower(plan_of(table, {name: f"${name}" for name in names}), {"t": table})[0].explain())


@pytest.mark.parametrize(
    "names",
    [
        ("small", "year"),
        ("holes", "small", "one"),
        ("nothing", "holes"),
        ("wide", "small", "year"),
        ("flag", "kind", "size"),
        ("byte", "flag"),
        ("text", "small", "kind"),
        ("ratio", "text", "holes", "year"),
        ("kind", "text"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("frame", [FRAME, FRAME.clear(), FRAME.head(1)], ids=["rows", "no rows", "one row"])
def test_the_answer_stays_the_same(names: tuple[str, ...], frame: pl.DataFrame) -> None:
    table = Table(frame=frame)
    plan = plan_of(table, {name: f"${name}" for name in names})
    expected = DocumentEngine().collect(plan, {"t": table}).documents
    found = PolarsEngine().collect(plan, {"t": table})
    assert sorted(map(str, found.documents)) == sorted(map(str, expected))


def test_computed_keys_and_those_of_chosen_rows_are_packed_too() -> None:
    table = Table(frame=FRAME)
    stages = [
        {"$match": {"small": {"$gt": 0}}},
        {"$group": {"_id": {"a": {"$multiply": ["$small", 2]}, "b": {"$gt": ["$year", 2013]}}, **OUTPUTS}},
    ]
    plan = parse_pipeline(stages, Scan("t"))
    expected = DocumentEngine().collect(plan, {"t": table}).documents
    assert sorted(map(str, PolarsEngine().collect(plan, {"t": table}).documents)) == sorted(
        map(str, expected)
    )
    assert keys.PACKED in str(lower(plan, {"t": table})[0].explain())


def test_what_fits_is_packed_and_the_rest_stays_beside_it() -> None:
    assert keys.PACKED in native("small", "year", "kind", "flag")
    assert keys.PACKED in native("wide", "small", "year", "text")
    assert keys.PACKED not in native("wide", "small")
    assert keys.PACKED not in native("text", "small")
    assert keys.PACKED not in native("small")


def test_small_tables_are_grouped_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MANY", ROWS + 1)
    assert keys.PACKED not in native("small", "year")


def test_files_whose_dtypes_tell_the_bounds_are_packed(tmp_path: Any) -> None:
    path = tmp_path / "rows.parquet"
    FRAME.with_columns(pl.col("small", "year", "holes").cast(pl.Int16)).write_parquet(path)
    table = Table(lazy=pl.scan_parquet(path), schema=Table(frame=FRAME).schema)
    plan = plan_of(table, {"small": "$small", "holes": "$holes"})
    expected = DocumentEngine().collect(plan, {"t": Table(frame=FRAME)}).documents
    assert keys.PACKED in str(lower(plan, {"t": table})[0].explain())
    assert sorted(map(str, PolarsEngine().collect(plan, {"t": table}).documents)) == sorted(
        map(str, expected)
    )
