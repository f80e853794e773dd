"""Constants in conditions: of the fields' types, or told to be wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb.core.errors import XRepoQueryError

ROWS = [
    {"_id": 1, "n": 1, "ok": True, "name": "Ann", "at": datetime(2024, 1, 31, 12, tzinfo=UTC), "tags": ["a"]},
    {"_id": 2, "n": 2, "ok": False, "name": "Bo", "at": datetime(2024, 2, 1, tzinfo=UTC), "tags": []},
]


def people() -> xr.MaterializedRepo[Any]:
    return xr.MaterializedRepo(data=ROWS, name="people")


@pytest.mark.parametrize(
    "filters",
    [
        {"n": "1"}, {"n": True}, {"n": {"$gt": "a"}}, {"n": {"$ne": "a"}}, {"n__in": [1, "a"]},
        {"n": {"$regex": "1"}}, {"ok": 1}, {"name": 1}, {"at": "soon"}, {"at": {"$gte": 3}},
        {"tags": 1}, {"$or": [{"n": "1"}, {"n": 1}]}, {"$nor": [{"n": "1"}]}, {"name": {"a": 1}},
    ],
    ids=str,
)  # fmt: skip
async def test_a_constant_of_a_wrong_kind_is_refused(filters: dict[str, Any]) -> None:
    with pytest.raises(XRepoQueryError, match="holds .*, and is compared with"):
        await people().count(filters)


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"n": 1.0}, [1]), ({"n": Decimal(1)}, [1]), ({"n": None}, []), ({"n__in": [None, 2]}, [2]),
        ({"tags": "a"}, [1]), ({"tags": []}, [2]), ({"name": {"$regex": "^A"}}, [1]),
        ({"at": {"$gte": date(2024, 2, 1)}}, [2]),
    ],
    ids=str,
)  # fmt: skip
async def test_constants_of_the_fields_kind(filters: dict[str, Any], ids: list[int]) -> None:
    assert [row["_id"] for row in await people().list(filters)] == ids


@pytest.mark.parametrize(
    "text", ["2024-02-01", "2024-02-01T00:00:00Z", "2024-02-01 00:00", "2024-02-01T01:00:00+01:00"]
)
async def test_iso_text_stands_for_the_time_it_tells(text: str) -> None:
    repo = people()
    assert [row["_id"] for row in await repo.list({"at__gte": text})] == [2]
    assert await repo.count({"at": {"$in": [text]}}) == 1
    assert await repo.count({"$nor": [{"at": text}]}) == 1
    stages = [{"$match": {"at": {"$gte": text}}}, {"$count": "n"}]
    assert await repo.aggregate(stages) == [{"n": 1}]
    assert "2024-02-01" in str(await repo.explain({"at": text}))


async def test_a_computed_time_takes_no_text() -> None:
    stages = [
        {"$project": {"day": {"$dateTrunc": {"date": "$at", "unit": "day"}}}},
        {"$match": {"day": "2024-02-01"}},
    ]
    with pytest.raises(XRepoQueryError, match="'day' holds datetime") as caught:
        await people().aggregate(stages)
    assert "datetime" in str(caught.value.hint)


async def test_mixed_fields_take_any_constant() -> None:
    repo = xr.MaterializedRepo(data=[{"_id": 1, "v": 1}, {"_id": 2, "v": "a"}, {"_id": 3, "v": None}])
    assert [row["_id"] for row in await repo.list({"v": "a"})] == [2]


async def test_operators_without_their_sign_are_told_of_it() -> None:
    repo = xr.MaterializedRepo(data=[{"age": 3}])
    with pytest.raises(XRepoQueryError, match=r"compared with object.*operators begin with \$: \$gt, \$lt"):
        await repo.list({"age": {"gt": 1, "lt": 5}})
    with pytest.raises(XRepoQueryError, match="compared with object.*give a number"):
        await repo.list({"age": {"years": 1}})


def test_a_schema_read_by_a_fields_name_says_where_fields_are() -> None:
    schema = xr.MaterializedRepo(data=[{"age": 3}]).schema
    with pytest.raises(KeyError, match=r"schema\.field\(name\)"):
        schema["age"]
    assert schema.get("age") is None
    assert "fields" in schema
