"""Rows in the forms of other libraries."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import xrepo_nb as xr

ROWS = [{"_id": 1, "n": 1, "v": 1}, {"_id": 2, "n": 2, "v": "a"}, {"_id": 3, "n": 3}]


def odd() -> xr.MaterializedRepo[Any]:
    return xr.MaterializedRepo(data=ROWS, name="odd")


async def test_arrow_refuses_columns_of_several_types() -> None:
    with pytest.raises(xr.XRepoUnsupportedError, match="column of several: v"):
        await odd().to_arrow()
    found = await odd().to_arrow(fields=["_id", "n"])
    assert found.to_pydict() == {"_id": [1, 2, 3], "n": [1, 2, 3]}


async def test_pandas_holds_none_for_what_is_absent() -> None:
    found = await odd().to_pandas()
    assert found["v"].tolist() == [1, "a", None]
    assert found["n"].tolist() == [1, 2, 3]


def test_other_libraries_take_a_repo_as_a_stream() -> None:
    typed = xr.MaterializedRepo(data=[{"_id": 1, "n": 1.5}], name="typed")
    assert pa.table(typed).to_pylist() == [{"_id": 1, "n": 1.5}]
    assert pl.DataFrame(typed).rows() == [(1, 1.5)]
    with pytest.raises(xr.XRepoUnsupportedError, match="column of several: v"):
        pa.table(odd())


async def test_the_rows_that_were_read_become_frames() -> None:
    people = await xr.open(
        [{"id": 1, "name": "Ann", "age": 34}, {"id": 2, "name": "Bo", "age": None}], name="people"
    )
    rows = await people.list(sort="id")
    assert rows.to_polars().rows() == [(1, "Ann", 34), (2, "Bo", None)]
    assert list(rows.to_pandas().columns) == ["id", "name", "age"]
    assert rows.to_arrow().to_pylist()[1] == {"id": 2, "name": "Bo", "age": None}
    groups = await people.aggregate([{"$group": {"_id": "$name", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}])
    assert groups.to_polars().rows() == [("Ann", 1), ("Bo", 1)]
    none = await people.list({"age": 99})
    assert none.to_polars().schema == rows.to_polars().schema and none.to_polars().is_empty()


async def test_rows_of_several_types_become_frames_that_can_hold_them() -> None:
    rows = await odd().list()
    assert rows.to_pandas()["v"].to_list() == [1, "a", None]
    with pytest.raises(xr.XRepoUnsupportedError, match="Arrow has no type for a column of several: v"):
        rows.to_arrow()
    with pytest.raises(xr.XRepoUnsupportedError, match="only records become a frame"):
        xr.Rows([1, 2]).to_polars()
