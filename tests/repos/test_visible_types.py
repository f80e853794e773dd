"""Types that rows tell are told to a narrowed caller by the rows that he may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr

ANN, EVE = xr.Identity("ann", roles={"staff"}), xr.Identity("eve", roles={"boss"})
RULES = [
    xr.ACLRule(role="boss", permissions=["admin"]),
    xr.ACLRule(
        role="staff", permissions=["list", "read", "create", "update"], conditions={"rows": {"team": "eu"}}
    ),
]
ROWS: list[dict[str, Any]] = [{"id": 1, "team": "eu", "n": 5}, {"id": 2, "team": "us", "n": "many", "x": 1}]


async def opened(target: Any, **options: Any) -> xr.XRepo[Any]:
    return await xr.open(target, name="people", rules=RULES, model=False, register=False, **options)


def types_of(repo: xr.XRepo[Any], who: xr.Identity) -> dict[str, str]:
    with xr.acting_as(who):
        return {field.name: str(field.type) for field in repo.schema.fields}


async def test_a_file_is_typed_anew_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,team,n,day\n1,eu,5,2024-01-31\n2,us,many,never\n3,eu,,2024-02-29\n")
    repo = await opened(path)
    assert types_of(repo, ANN) == {}
    assert await repo.frame({"n": {"$gt": 4}}, fields=["n"], user_id=ANN) is not None
    assert types_of(repo, ANN) == {"id": "int", "team": "string", "n": "int", "day": "date"}
    assert types_of(repo, EVE)["n"] == "string"
    (kept,) = (kept for kept in repo._visible.values() if kept.found.narrowed)
    assert kept.found.table is not None and kept.found.table.is_lazy
    path.write_text("id,team,n,day\n1,eu,few,soon\n")
    assert (await repo.frame(user_id=EVE)).height == 1
    assert (await repo.find_one({}, ANN))["n"] == "few"


async def test_ints_stay_ints_whatever_hidden_rows_hold() -> None:
    repo = await opened([{"id": 1, "team": "eu", "n": 5}, {"id": 2, "team": "us", "n": 2.5}])
    assert repr(await repo.list(user_id=ANN)) == "[{'id': 1, 'team': 'eu', 'n': 5}]"
    assert (await repo.frame(user_id=EVE))["n"].to_list() == [5.0, 2.5]
    await repo.create({"id": 3, "team": "us", "n": 0.5}, EVE)
    assert repr(await repo.read(1, ANN)) == "{'id': 1, 'team': 'eu', 'n': 5}"
    assert types_of(repo, ANN)["n"] == "int"


async def test_types_follow_the_visible_rows_as_they_change() -> None:
    repo = await opened(ROWS)
    assert types_of(repo, ANN) == {"id": "int", "team": "string", "n": "int"}
    await repo.create({"id": 3, "team": "us", "y": 1}, EVE)
    assert types_of(repo, ANN) == {"id": "int", "team": "string", "n": "int"}
    await repo.update(1, {"n": "some"}, ANN)
    assert types_of(repo, ANN)["n"] == "string"
    repo.set_rules([RULES[0], xr.ACLRule(role="staff", permissions=["list"])], EVE)
    assert set(types_of(repo, ANN)) == {"id", "team", "n", "x", "y"}


@pytest.mark.parametrize("hidden", [None, 7])
async def test_what_is_stated_stays_so(hidden: int | None) -> None:
    frame = pl.DataFrame(
        {"id": [1, 2], "team": ["eu", "us"], "n": [None, hidden]}, schema_overrides={"n": pl.Int32}
    )
    assert (await (await opened(frame)).frame(user_id=ANN)).schema["n"] == pl.Int32
    fields = {name: {"type": kind} for name, kind in {"id": "int", "team": "string", "n": "int"}.items()}
    repo = await opened(frame.to_dicts(), schema={"fields": fields})
    assert types_of(repo, ANN)["n"] == "int"


async def test_where_hidden_rows_make_no_difference_nothing_is_copied() -> None:
    repo = await opened([{"id": at, "team": "eu" if at % 2 else "us", "n": at} for at in range(10)])
    assert await repo.count(user_id=ANN) == 5
    assert not any(kept.found.narrowed for kept in repo._visible.values())
