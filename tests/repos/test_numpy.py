"""Values as pandas and NumPy hand them out, wherever a Python value may stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import xrepo_nb as xr
from xrepo_nb.core.progress import Step, reporting

ROWS = [{"_id": i, "n": i, "x": i / 2, "name": "ab"[i % 2]} for i in range(4)]


def numbers() -> xr.MaterializedRepo[Any]:
    return xr.MaterializedRepo(data=ROWS, name="numbers")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"n": np.int64(3)}, 1), ({"x": {"$gte": np.float32(1)}}, 2), ({"name": np.str_("a")}, 2),
        ({"n": {"$in": np.array([1, 2])}}, 2), ({"n__in": np.array([1, 2])}, 2),
        ({"n": {"$in": pd.Series([1, 9])}}, 1), ({"n": {"$nin": pl.Series([1, 9])}}, 3),
        ({"n": {"$in": {1, 2}}}, 2), ({"n__in": range(2)}, 2), ({"n": {"$in": [np.int64(1)]}}, 1),
        ({"n": {"$mod": [np.int64(2), np.int64(1)]}}, 2), ({"n__range": (np.int64(1), np.int64(2))}, 2),
    ],
    ids=str,
)  # fmt: skip
async def test_filters(filters: dict[str, Any], count: int) -> None:
    assert await numbers().count(filters) == count


async def test_ids_and_records() -> None:
    repo = numbers()
    assert (await repo.read(np.int64(2)))["n"] == 2
    assert (await repo.update(np.int64(2), {"x": np.float64(9)}))["x"] == 9.0
    made = await repo.create({"_id": np.int64(7), "n": np.int32(7), "x": np.float64(1), "name": np.str_("c")})
    assert [type(value) for value in made.values()] == [int, int, float, str]
    assert (await repo.read(7)) == made
    assert await repo.bulk_delete(np.array([2, 7])) == 2
    assert repo.schema.field("n").type.kind == "int"


async def test_records_of_a_model_take_them_too() -> None:
    repo = await xr.open(ROWS, name="modelled", register=False)
    made = await repo.create({"_id": np.int64(7), "n": np.int32(7), "x": np.float64(1), "name": "c"})
    assert made.n == 7 and type(made.n) is int


async def test_moments() -> None:
    repo = xr.MaterializedRepo(
        data=pl.DataFrame({"_id": [1], "at": [pd.Timestamp("2024-05-01").to_pydatetime()]})
    )
    for moment in (
        np.datetime64("2024-05-01"),
        np.datetime64("2024-05-01", "ns"),
        pd.Timestamp("2024-05-01"),
    ):
        assert await repo.count({"at": {"$gte": moment}}) == 1


async def test_no_moment_is_none() -> None:
    repo = xr.MaterializedRepo(data=[{"_id": 1, "at": datetime(2024, 1, 1, tzinfo=UTC)}])
    assert await repo.create({"_id": 2, "at": pd.NaT}) == {"_id": 2, "at": None}
    assert await repo.count({"at": pd.NaT}) == 1


@pytest.mark.parametrize("model", [True, False])
async def test_naive_moments_are_utc_from_the_first_read_on(model: bool) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    repo = await xr.open([{"id": 1, "at": start}], name="events", model=model, register=False)
    made = await repo.create({"id": 2, "at": datetime(2024, 1, 2)})
    changed = await repo.update(1, {"at": pd.Timestamp("2024-01-03")})
    for record, day in (
        (made, 2),
        (changed, 3),
        (await repo.read(2), 2),
        (await repo.find_one({"id": 1}), 3),
    ):
        found = record.at if model else record["at"]
        assert type(found) is datetime and found == datetime(2024, 1, day, tzinfo=UTC)


async def test_integers_of_numpy_bound_a_list() -> None:
    with xr.acting_as(xr.Identity(user_id="ada")):
        found = await numbers().list(skip=np.int64(1), limit=np.int64(2))
    assert [row["n"] for row in found] == [1, 2]
    with pytest.raises(xr.XRepoConfigurationError, match="limit"):
        await numbers().list(limit=np.float64(1))


async def test_a_join_reports_its_progress_once() -> None:
    seen = []

    @contextmanager
    def keep(label: str, total: int | None = None) -> Iterator[Step]:
        seen.append(label)
        yield lambda amount: None

    with reporting(keep):
        await xr.join("pairs", {"a": numbers(), "b": numbers()}, on="_id", register=False)
    assert seen == ["computing pairs"]
