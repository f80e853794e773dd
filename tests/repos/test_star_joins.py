"""Star joins: a fact table and its dimensions, each by a key of its own."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb import ACLRule, Identity, MaterializedRepo, XRepoConfigurationError, XRepoQueryError

FLIGHTS = [
    {"_id": 1, "carrier": "UA", "tail": "N1", "origin": "JFK", "dest": "LAX"},
    {"_id": 2, "carrier": "AA", "tail": "N2", "origin": "LAX", "dest": "JFK"},
    {"_id": 3, "carrier": "ZZ", "tail": "N1", "origin": "JFK", "dest": "QQQ"},
    {"_id": 4, "carrier": None, "tail": None, "origin": None, "dest": None},
]
AIRLINES = [{"carrier": c, "name": n} for c, n in (("UA", "United"), ("AA", "American"), ("B6", "JetBlue"))]
PLANES = [{"tailnum": "N1", "seats": 100}, {"tailnum": "N9", "seats": 900}]
HUBS = [{"airline": "United", "hub": "EWR"}, {"airline": "Delta", "hub": "ATL"}]
AIRPORTS = [{"faa": "JFK", "city": "New York"}, {"faa": "LAX", "city": "Los Angeles"}]
ON = {"airlines": "carrier", "planes": [("tail", "tailnum")]}
KINDS = ("left", "inner", "right", "outer", "semi", "anti")


def repo(rows: list[dict[str, Any]], name: str, **options: Any) -> MaterializedRepo[Any]:
    return MaterializedRepo(data=[dict(row) for row in rows], name=name, **options)


@pytest.fixture
def sources() -> dict[str, Any]:
    return {
        "flights": repo(FLIGHTS, "flights"),
        "airlines": repo(AIRLINES, "airlines"),
        "planes": repo(PLANES, "planes"),
    }


async def star(sources: dict[str, Any], **options: Any) -> Any:
    return await xr.join("star", sources, **{"on": ON, "register": False} | options)


def by_hand(hows: tuple[str, str]) -> list[dict[str, Any]]:
    """The star join row by row."""
    rows = [
        {"flights__id": f["_id"], "carrier": f["carrier"], "tail": f["tail"]}
        | {"flights_origin": f["origin"], "flights_dest": f["dest"]}
        for f in FLIGHTS
    ]
    airlines = [{"carrier": a["carrier"], "airlines_name": a["name"]} for a in AIRLINES]
    planes = [{"tail": p["tailnum"], "planes_seats": p["seats"]} for p in PLANES]
    left_names = set(rows[0])
    for key, others, how in (("carrier", airlines, hows[0]), ("tail", planes, hows[1])):
        rows = step(rows, left_names, others, key, how)
        if how not in ("semi", "anti"):
            left_names |= set(others[0])
    return rows


def step(rows: list[Any], names: set[str], others: list[Any], key: str, how: str) -> list[dict[str, Any]]:
    pairs = [(a, b) for a in rows for b in others if a[key] is not None and a[key] == b[key]]
    met = [row for row in rows if any(a is row for a, _ in pairs)]
    unmet = [row for row in rows if not any(a is row for a in met)]
    if how in ("semi", "anti"):
        return met if how == "semi" else unmet
    found = [a | b for a, b in pairs]
    if how in ("left", "outer"):
        found += [dict.fromkeys(others[0]) | row for row in unmet]
    if how in ("right", "outer"):
        found += [dict.fromkeys(names) | b for b in others if not any(b is o for _, o in pairs)]
    return found


@pytest.mark.parametrize("materialize", [True, False])
@pytest.mark.parametrize("hows", [*itertools.product(KINDS, KINDS)], ids="-".join)
async def test_every_pair_of_kinds(sources: Any, hows: tuple[str, str], materialize: bool) -> None:
    view = await star(sources, how=dict(zip(ON, hows, strict=True)), materialize=materialize)
    found, expected = await view.frame(), by_hand(hows)
    assert sorted(found.to_dicts(), key=repr) == sorted(
        ({name: row[name] for name in found.columns} for row in expected), key=repr
    )
    assert set(view.schema.names) == set(found.columns) == set(expected[0] if expected else found.columns)
    required = {field.name for field in view.schema.fields if field.absence == "never"}
    assert not [name for name in required if None in found[name].to_list()]
    assert await view.count() == len(expected)
    if materialize:
        assert view.join_report.rows == len(expected)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("hows", [*itertools.product(KINDS, KINDS)], ids="-".join)
async def test_engines_agree_on_stars(sources: Any, hows: tuple[str, str], engine: str) -> None:
    view = await star(sources, how=dict(zip(ON, hows, strict=True)), materialize=False)
    pipeline = [{"$match": {"tail": {"$ne": "N2"}, "flights_origin": {"$in": ["JFK", None]}}}]
    found = await view.aggregate(pipeline, engine=engine)
    exact = await view.aggregate(pipeline, engine="document")
    assert sorted(map(in_order, found)) == sorted(map(in_order, exact))


def in_order(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


async def test_one_dimension_in_two_roles(sources: Any) -> None:
    airports = repo(AIRPORTS, "airports")
    view = await xr.join(
        "routes",
        {"flights": sources["flights"], "from": airports, "to": airports},
        on={"from": [("origin", "faa")], "to": [("dest", "faa")]},
        how={"from": "inner"},
        register=False,
    )
    rows = await view.list(sort="flights__id")
    assert [(row["origin"], row["from_city"], row["dest"], row["to_city"]) for row in rows] == [
        ("JFK", "New York", "LAX", "Los Angeles"),
        ("LAX", "Los Angeles", "JFK", "New York"),
        ("JFK", "New York", "QQQ", None),
    ]


@pytest.mark.parametrize("materialize", [True, False])
async def test_a_snowflake_goes_on_from_a_dimension(sources: Any, materialize: bool) -> None:
    on = {"airlines": "carrier", "hubs": [("airlines_name", "airline")], "planes": [("tail", "tailnum")]}
    given = {
        name: sources.get(name) or repo(HUBS, "hubs") for name in ("flights", "airlines", "hubs", "planes")
    }
    view = await star(given, on=on, how={"hubs": "inner"}, materialize=materialize)
    (row,) = await view.list()
    assert (row["flights__id"], row["airlines_name"], row["hubs_hub"], row["planes_seats"]) == (
        1, "United", "EWR", 100,
    )  # fmt: skip
    assert await view.count({"hub_filters": {"airline": "United"}, "plane_filters": {"tailnum": "N1"}}) == 1
    assert view.schema.field("airlines_name").lineage == ("airlines.name", "hubs.airline")


async def test_the_report_names_each_steps_keys(sources: Any) -> None:
    view = await star(sources, how={"planes": "inner"})
    assert str(view.join_report).splitlines() == [
        "flights left join airlines on carrier: 2 of 4 left rows and 2 of 3 right rows matched, fan-out 1",
        "flights + airlines inner join planes on tail: "
        "2 of 4 left rows and 1 of 2 right rows matched, fan-out 1",
        "2 rows",
    ]


async def test_cardinality_by_source(sources: Any) -> None:
    twice = sources | {"planes": repo([*PLANES, {"tailnum": "N1", "seats": 1}], "planes")}
    view = await star(twice, validate={"airlines": "many_to_one"})
    assert await view.count() == 6
    with pytest.raises(XRepoQueryError, match="not unique on the right side"):
        await star(twice, validate={"planes": "m:1"})


async def test_keys_apart_on_both_sides(sources: Any) -> None:
    view = await star(
        sources,
        on=None,
        left_on={"airlines": "carrier", "planes": "tail"},
        right_on={"airlines": "carrier", "planes": "tailnum"},
    )
    assert view.schema.names == (await star(sources)).schema.names


@pytest.mark.parametrize("options", [{"how": "inner"}, {"how": {"airlines": "left"}}, {"validate": "1:1"}])
async def test_a_join_needs_keys(sources: Any, options: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"a join needs keys.*on=\"user_id\""):
        await xr.join("v", sources, register=False, **options)


async def test_the_factory_and_aggregations_take_keys_by_source(sources: Any) -> None:
    config = {"on": ON, "type": {"airlines": "inner_join"}}
    view = await xr.XRepoFactory.create(sources=list(sources.values()), join_config=config)
    assert await view.count() == 2
    totals = await xr.XRepoFactory.create_aggregate_repo(
        "totals",
        list(sources.values()),
        {
            "group_by": "airlines_name",
            "aggregations": {"seats": {"sum": "planes_seats"}},
            "join_config": config,
        },
    )
    assert await totals.list() == [
        {"airlines_name": "American", "seats": 0},
        {"airlines_name": "United", "seats": 100},
    ]


async def test_rules_of_a_dimension_hold_in_a_star(sources: Any) -> None:
    def rule(role: str, **conditions: Any) -> ACLRule:
        return ACLRule(role=role, permissions=["list"], conditions=conditions)

    sources["planes"].set_rules(
        [
            rule("all"),
            rule("few", rows={"seats__gt": 500}),
            rule("keyless", fields={"deny": ["tailnum"]}),
            rule("seatless", fields={"deny": ["seats"]}),
        ]
    )
    view = await star(sources)
    whole, few, keyless, seatless = (
        Identity(role, roles={role}) for role in ("all", "few", "keyless", "seatless")
    )
    assert [row["planes_seats"] for row in await view.list(user_id=whole)] == [100, None, 100, None]
    assert [row["planes_seats"] for row in await view.list(user_id=few)] == [None] * 4
    with pytest.raises(
        XRepoConfigurationError,
        match=r"unknown field 'planes_seats' \(at[^)]*\); there are: [^.]*airlines_name$",
    ):
        await view.list({"planes_seats": 100}, user_id=seatless)
    with pytest.raises(xr.XRepoPermissionError, match="keyless may not list in star") as refused:
        await view.list(user_id=keyless)
    assert "tail" not in str(refused.value)


async def test_explain_knows_the_types_of_what_a_database_gives_a_view(tmp_path: Path) -> None:
    path = database(
        tmp_path / "planes.db",
        "CREATE TABLE planes (tailnum TEXT NOT NULL, seats INTEGER)",
        planes=[("N1", 180)],
    )
    planes = await xr.open(path, register=False)
    flights = await xr.open([{"flight": 1, "tailnum": "N1"}], name="flights", register=False)
    view = await xr.join(
        "seen", {"flights": flights, "planes": planes}, on="tailnum", materialize=False, register=False
    )
    told = await view.explain({"planes_seats": {"$gt": 100}}, engine="polars")
    assert {node.engine for node in told.walk() if not node.pushed} == {"polars"}
    assert [node.stage for node in told.walk() if "seats" in node.stage and node.pushed]
    rows = await view.list({"planes_seats": {"$gt": 100}}, engine="polars")
    assert list(rows) == [{"flights_flight": 1, "tailnum": "N1", "planes_seats": 180}]
