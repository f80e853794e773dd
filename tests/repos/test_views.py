"""Views: how sources are joined, what the view knows of it, and when it is computed again."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

import xrepo_nb as xr
from xrepo_nb import MaterializedRepo, XRepoConfigurationError, XRepoQueryError, XRepoUnsupportedError

FLIGHTS = [
    {"_id": 1, "carrier": "UA", "delay": 5.0},
    {"_id": 2, "carrier": "AA", "delay": 30.0},
    {"_id": 3, "carrier": "UA", "delay": 1.0},
    {"_id": 4, "carrier": None, "delay": None},
]
AIRLINES = [
    {"carrier": "UA", "name": "United"},
    {"carrier": "AA", "name": "American"},
    {"carrier": "B6", "name": "JetBlue"},
]


@pytest.fixture
def flights() -> MaterializedRepo[Any]:
    return MaterializedRepo(data=[dict(f) for f in FLIGHTS], name="flights")


@pytest.fixture
def airlines() -> MaterializedRepo[Any]:
    return MaterializedRepo(data=[dict(a) for a in AIRLINES], name="airlines", primary_key="carrier")


async def joined(flights: Any, airlines: Any, **options: Any) -> Any:
    sources = {"flights": flights, "airlines": airlines}
    return await xr.join("view", sources, **{"on": "carrier", "register": False} | options)


@pytest.mark.parametrize("materialize", [True, False])
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("left", [(1, "UA", "United"), (2, "AA", "American"), (3, "UA", "United"), (4, None, None)]),
        ("inner", [(1, "UA", "United"), (2, "AA", "American"), (3, "UA", "United")]),
        ("right", [(1, "UA", "United"), (3, "UA", "United"), (2, "AA", "American"), (None, "B6", "JetBlue")]),
        (
            "outer",
            [
                (1, "UA", "United"),
                (2, "AA", "American"),
                (3, "UA", "United"),
                (4, None, None),
                (None, "B6", "JetBlue"),
            ],
        ),
        ("semi", [(1, "UA", None), (2, "AA", None), (3, "UA", None)]),
        ("anti", [(4, None, None)]),
        ("left_join", [(1, "UA", "United"), (2, "AA", "American"), (3, "UA", "United"), (4, None, None)]),
    ],
)
async def test_kinds_of_join(flights: Any, airlines: Any, how: str, expected: Any, materialize: bool) -> None:
    view = await joined(flights, airlines, how=how, materialize=materialize)
    rows = await view.list(limit=None)
    found = [(r.get("flights__id"), r.get("carrier"), r.get("airlines_name")) for r in rows]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert await view.count() == len(expected)
    assert set(view.schema.names) == set((await view.frame()).columns)


async def test_pairs_and_several_keys() -> None:
    left = MaterializedRepo(data=[{"a": 1, "b": 1, "v": "x"}, {"a": 1, "b": 2, "v": "y"}], name="left")
    right = MaterializedRepo(data=[{"a": 1, "c": 2, "w": "z"}], name="right")
    view = await xr.join(
        "v", {"left": left, "right": right}, on=["a", ("b", "c")], how="inner", register=False
    )
    assert await view.list() == [{"a": 1, "b": 2, "left_v": "y", "right_w": "z"}]


async def test_asof_matches_the_nearest_before() -> None:
    trades = MaterializedRepo(
        data=[{"s": "a", "t": 5}, {"s": "a", "t": 1}, {"s": "b", "t": 9}], name="trades"
    )
    quotes = MaterializedRepo(
        data=[{"s": "a", "t": 3, "p": 1.0}, {"s": "b", "t": 8, "p": 2.0}], name="quotes"
    )
    view = await xr.join("v", {"trades": trades, "quotes": quotes}, on=["s", "t"], how="asof", register=False)
    found = {(row["s"], row["t"]): row["quotes_p"] for row in await view.list()}
    assert found == {("a", 5): 1.0, ("a", 1): None, ("b", 9): 2.0}


async def test_three_sources_chain(flights: Any, airlines: Any) -> None:
    fleets = MaterializedRepo(data=[{"carrier": "UA", "planes": 700}], name="fleets")
    sources = {"flights": flights, "airlines": airlines, "fleets": fleets}
    view = await xr.join("v", sources, on="carrier", register=False)
    assert (await view.find_one({"flights__id": 1}))["fleets_planes"] == 700
    report = view.join_report
    assert report is not None and [(step.left, step.right) for step in report] == [
        ("flights", "airlines"), ("flights + airlines", "fleets"),
    ]  # fmt: skip
    assert (report[1].left_rows, report[1].left_matched, report.rows) == (4, 2, 4)


async def test_the_report_counts_rows(flights: Any) -> None:
    doubled = MaterializedRepo(data=[*AIRLINES, {"carrier": "UA", "name": "again"}], name="airlines")
    view = await joined(flights, doubled)
    step = view.join_report[0]
    assert (step.left_rows, step.right_rows, step.left_matched, step.left_unmatched) == (4, 4, 3, 1)
    assert (step.right_matched, step.right_unmatched, step.fan_out) == (3, 1, 2)
    assert view.join_report.rows == 6


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("anti", "kept the 1 of 4 left rows without a partner among 3 right rows"),
        ("semi", "kept the 3 of 4 left rows with a partner among 3 right rows"),
    ],
)
async def test_the_report_of_a_join_that_selects_says_what_it_kept(
    flights: Any, airlines: Any, how: str, says: str
) -> None:
    from xrepo_nb import viewers

    view = await joined(flights, airlines, how=how)
    report = view.join_report
    assert report.rows == await view.count() == report[0].left_kept
    assert str(report).splitlines()[0] == f"flights {how} join airlines on carrier: {says}"
    shown = viewers.view(report).to_html()
    assert ("1 kept, 3 left out" if how == "anti" else "3 kept, 1 left out") in shown
    assert "fan-out" not in str(report) and ">–</td>" in shown


@pytest.mark.parametrize(("how", "kept"), [("left", 4), ("outer", 4), ("inner", 3), ("right", 3)])
async def test_the_report_of_other_joins_tells_which_left_rows_are_in_the_result(
    flights: Any, airlines: Any, how: str, kept: int
) -> None:
    assert (await joined(flights, airlines, how=how)).join_report[0].left_kept == kept


async def test_every_column_has_its_lineage(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines)
    assert {f.name: f.lineage for f in view.schema.fields} == {
        "flights__id": ("flights._id",),
        "carrier": ("flights.carrier", "airlines.carrier"),
        "flights_delay": ("flights.delay",),
        "airlines_name": ("airlines.name",),
    }


async def test_filters_by_source(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines)
    for filters in (
        {"flight_filters": {"delay__gt": 3}, "airline_filters": {"name": "United"}},
        {"flights_filters": {"$or": [{"delay": {"$gt": 3}}, {"_id": 9}]}, "airlines_name": "United"},
        {"flight_filters": xr.F("delay") > 3, "airlines_filters": {"name__ne": "American"}},
        {"flight_filters": {"$expr": {"$gt": ["$delay", 3]}}, "airline_filters": {"name": "United"}},
    ):
        rows = [row["flights__id"] for row in await view.list(filters) if row["airlines_name"]]
        assert rows == [1]
    with pytest.raises(XRepoQueryError, match="'plane_filters' names no source.*flights_filters"):
        await view.list({"plane_filters": {"x": 1}})
    with pytest.raises(XRepoQueryError, match="two filters for the source 'flights'"):
        await view.list({"flight_filters": {"delay": 1}, "flights_filters": {"delay": 5}})
    with pytest.raises(XRepoQueryError, match="names its fields: \\$jsonSchema"):
        await view.list({"flight_filters": {"$jsonSchema": {}}})
    with pytest.raises(XRepoConfigurationError, match="unknown field 'flights_late|unknown field 'late"):
        await view.list({"flight_filters": {"late": 1}})


async def test_wrong_joins_are_refused_when_made(flights: Any, airlines: Any) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"on": "carier"}, "left side of the join, flights, has no field 'carier'.*did you mean 'carrier'"),
        ({"on": [("carrier", "carier")]}, "right side of the join, airlines, has no field 'carier'"),
        ({"on": [("delay", "name")]}, "different types: flights.delay is float, airlines.name is string"),
        ({"how": "sideways"}, "unknown kind of join 'sideways'"),
        ({"validate": "some"}, "unknown cardinality 'some'"),
    ]
    for options, says in cases:
        with pytest.raises(XRepoConfigurationError, match=says):
            await joined(flights, airlines, **options)
    with pytest.raises(XRepoConfigurationError, match="needs two sources"):
        await xr.join("v", {"flights": flights}, on="carrier", register=False)
    with pytest.raises(XRepoConfigurationError, match="same last name part"):
        await xr.join("v", {"a.x": flights, "b.x": airlines}, on="carrier", register=False)


async def test_cardinality_is_insisted_on(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines, how="inner", validate="many_to_one")
    assert await view.count() == 3
    with pytest.raises(XRepoQueryError, match="not unique on the left side"):
        await joined(flights, airlines, how="inner", validate="one_to_one")


async def test_a_cyclic_view_is_refused(flights: Any, airlines: Any, clean_namespace: Any) -> None:
    first = await xr.join("first", {"flights": flights, "airlines": airlines}, on="carrier")
    await xr.join("second", {"first": "first", "airlines": airlines}, on="carrier")
    with pytest.raises(XRepoConfigurationError, match="would read itself: first reads second reads first"):
        await xr.join("first", {"second": "second", "airlines": airlines}, on="carrier")
    assert await clean_namespace.get_ns("ns.repos.first") is first


async def test_a_view_of_a_view(flights: Any, airlines: Any) -> None:
    for inner_kept in (True, False):
        for outer_kept in (True, False):
            inner = await joined(flights, airlines, materialize=inner_kept)
            fleets = MaterializedRepo(data=[{"carrier": "UA", "planes": 700}], name="fleets")
            sources = {"named": inner, "fleets": fleets}
            outer = await xr.join("outer", sources, on="carrier", materialize=outer_kept, register=False)
            found = await outer.find_one({"named_flights__id": 3})
            assert (found["named_airlines_name"], found["fleets_planes"]) == ("United", 700)


async def test_sources_without_a_key_form_a_union() -> None:
    a = MaterializedRepo(data=[{"x": 1}, {"x": 2, "y": "b"}], name="a")
    b = MaterializedRepo(data=[{"x": 3, "z": True}], name="b")
    union = await xr.join("u", {"a": a, "b": b}, register=False)
    assert await union.list() == [{"x": 1}, {"x": 2, "y": "b"}, {"x": 3, "z": True}]
    field = union.schema.field("x")
    assert field is not None and field.lineage == ("a.x", "b.x")


@pytest.mark.parametrize("materialize", [True, False])
async def test_a_change_of_a_source_is_seen(flights: Any, airlines: Any, materialize: bool) -> None:
    view = await joined(flights, airlines, materialize=materialize)
    told: list[Any] = []
    view.events.on("refreshed", told.append)
    await airlines.update("UA", {"name": "Untied"})
    await flights.delete(3)
    assert [row["airlines_name"] for row in await view.list({"carrier": "UA"})] == ["Untied"]
    assert told


async def test_refresh_and_time_to_live(flights: Any, airlines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("xrepo_nb.repos.view.time.monotonic", lambda: clock[0])
    view = await joined(flights, airlines, ttl=60)
    frame = pl.DataFrame({"carrier": ["UA"], "name": ["Other"]})
    airlines._storage.replace_all(frame, airlines.schema)  # behind the repo's back
    assert (await view.find_one({"flights__id": 1}))["airlines_name"] == "United"
    clock[0] = 61
    assert (await view.find_one({"flights__id": 1}))["airlines_name"] == "Other"
    airlines._storage.replace_all(pl.DataFrame(AIRLINES), airlines.schema)
    await view.refresh()
    assert (await view.find_one({"flights__id": 1}))["airlines_name"] == "United"


async def test_callers_at_once_compute_once(
    flights: Any, airlines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await joined(flights, airlines)
    await flights.create({"_id": 9, "carrier": "AA", "delay": 0.0})
    computed = []
    original = type(view)._compute

    async def counted(self: Any, *args: Any) -> Any:
        computed.append(args)
        return await original(self, *args)

    monkeypatch.setattr(type(view), "_compute", counted)
    assert await asyncio.gather(*(view.count() for _ in range(5))) == [5] * 5
    assert len(computed) == 1


async def test_a_view_takes_no_writes(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines)
    with pytest.raises(XRepoUnsupportedError, match="is a view.*write into its sources: flights, airlines"):
        await view.create({"carrier": "X"})
    with pytest.raises(XRepoUnsupportedError):
        await flights.aggregate([{"$out": "view"}], repos={"view": view})


async def test_aggregations_in_every_spelling(flights: Any) -> None:
    spellings: list[Any] = [
        {"op": "sum", "field": "delay"},
        {"function": "sum", "field": "delay"},
        {"type": "sum", "field": "delay"},
        {"sum": "delay"},
        {"$sum": "$delay"},
    ]
    for spelling in spellings:
        config = {
            "group_by": "carrier",
            "aggregations": {"total": spelling, "n": "count"},
            "filters": {"delay__ne": None},
        }
        repo = await xr.XRepoFactory.create_aggregate_repo("totals", [flights], config)
        assert await repo.list() == [
            {"carrier": "AA", "total": 30.0, "n": 1}, {"carrier": "UA", "total": 6.0, "n": 2},
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"group_by": ["carier"], "aggregations": {}}, "did you mean 'carrier'"),
        ({"aggregations": {"x": {"op": "summ", "field": "delay"}}}, "did you mean 'sum'"),
        ({"aggregations": {"x": {"op": "sum"}}}, "needs a field"),
        ({"groupby": ["carrier"]}, "no option 'groupby'.*did you mean 'group_by'"),
        ({}, "needs group_by or aggregations"),
    ],
)
async def test_wrong_aggregations_are_refused(flights: Any, config: Any, says: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=says):
        await xr.XRepoFactory.create_aggregate_repo("totals", [flights], config)


async def test_rows_in_hand_are_a_source_too(flights: Any) -> None:
    names = [{"carrier": "UA", "name": "United"}]
    view = await joined(flights, names, how="inner")
    assert {row["airlines_name"] for row in await view.list()} == {"United"}
    with pytest.raises(XRepoConfigurationError, match="cannot open an int"):
        await joined(flights, 3)


async def test_statistics_tell_the_size_of_the_rows_kept(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines)
    assert (await view.get_statistics()).storage_size_bytes == (await view.frame()).estimated_size() > 0
    kept_nowhere = await joined(flights, airlines, materialize=False)
    assert (await kept_nowhere.get_statistics()).storage_size_bytes is None


async def test_sources_forget_a_view_that_is_gone(flights: Any, airlines: Any) -> None:
    view = await joined(flights, airlines)
    assert flights.events.wants("created") and airlines.events.wants("refreshed")
    del view
    gc.collect()
    assert not any(
        repo.events.wants("created") or repo.events.wants("refreshed") for repo in (flights, airlines)
    )


def test_threads_compute_one_view_at_once(flights: Any, airlines: Any) -> None:
    """Each thread has an event loop of its own, and several tasks in it that wait for the rows."""
    view = asyncio.run(joined(flights, airlines))
    asyncio.run(flights.create({"_id": 9, "carrier": "AA", "delay": 0.0}))
    ready = threading.Barrier(4)
    computed = type(view)._compute

    async def together(*args: Any) -> Any:
        await asyncio.to_thread(ready.wait, 20)
        return await computed(view, *args)

    async def counts() -> list[int]:
        return list(await asyncio.gather(*(view.count() for _ in range(3))))

    view._compute = together
    with ThreadPoolExecutor(4) as threads:
        found = [thread.result() for thread in [threads.submit(asyncio.run, counts()) for _ in range(4)]]
    assert found == [[5, 5, 5]] * 4
