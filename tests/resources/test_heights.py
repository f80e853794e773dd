"""Lazy tables of files tell how many rows they have, which engines rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr
from xrepo_nb.resources.factory import ResourceFactory

ROWS = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})


def write(folder: Path, kind: str) -> None:
    if kind == "csv":
        ROWS.write_csv(folder / "one.csv")
        (folder / "two.csv").write_text("a,b\n4,x\n\n5,y\n6,z,too many\n")
    elif kind == "ndjson":
        ROWS.write_ndjson(folder / "one.ndjson")
        (folder / "two.ndjson").write_text('{"a": 4, "b": "x"}\n{"a": 5,\n{"a": 6, "b": "y"}\n')
    elif kind == "json":
        ROWS.write_json(folder / "one.json")
        (folder / "two.json").write_text('[{"a": 4, "b": "x"}, {"a": 5, "b": "y"}]')
    else:
        ROWS.write_parquet(folder / "one.parquet")
        ROWS[:2].write_parquet(folder / "two.parquet")


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson", "parquet"])
async def test_the_height_is_the_number_of_rows(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind)
    options: dict[str, Any] = {} if kind in ("parquet", "json") else {"on_error": "report"}
    pattern = {"both": f"*.{kind}"}
    resource = ResourceFactory.create(kind, root=tmp_path, pattern=pattern, **options)
    await resource.connect()
    table = await resource.table("both")
    rows = table.lazy.collect().height
    assert table.height == rows == 5
    await resource.close()


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson", "parquet"])
async def test_all_rows_are_counted_without_reading_one(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, kind)
    repo = await xr.open(tmp_path / f"one.{kind}", register=False, primary_key="a")
    with monkeypatch.context() as patched:
        patched.setattr("xrepo_nb.repos.reading.answer", None)
        assert await repo.count() == 3
    assert await repo.count({"a": {"$gt": 1}}) == 2
    ROWS[:1].write_parquet(tmp_path / "one.parquet")
    assert await repo.count() == (1 if kind == "parquet" else 3)
    rules = [xr.ACLRule(role="some", permissions=["list"], conditions={"rows": {"a": {"$gt": 1}}})]
    guarded = await xr.open(tmp_path / f"one.{kind}", register=False, rules=rules)
    left = 0 if kind == "parquet" else 2
    assert await guarded.count(user_id=xr.Identity("ida", roles={"some"})) == left


async def test_files_of_the_same_columns_are_one_scan(tmp_path: Path) -> None:
    write(tmp_path, "parquet")
    resource = ResourceFactory.create("parquet", root=tmp_path, pattern={"all": "*.parquet"})
    await resource.connect()
    table = await resource.table("all")
    assert table.lazy.explain().count("SCAN") == 1
    assert table.lazy.collect().equals(pl.concat([ROWS, ROWS[:2]]))
    ROWS.select("b", "a").write_parquet(tmp_path / "zero.parquet")
    table = await resource.table("all")
    assert table.lazy.explain().count("SCAN") > 1
    assert table.lazy.collect().equals(pl.concat([ROWS, ROWS[:2], ROWS]))
    await resource.close()
