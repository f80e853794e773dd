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
