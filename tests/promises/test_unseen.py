"""Promises A2, A5 and A9: what rules hide leaves no trace. Two data sets that differ only in hidden rows
and fields give the same results, errors, counts, schema, statistics, explanations, pages and log."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.viewers import view

ANN = xr.Identity("ann", roles={"staff"}, attributes={"team": "eu"})
RULES = [
    xr.ACLRule(role="boss", permissions=["admin"]),
    xr.ACLRule(
        role="staff",
        permissions=[p for p in xr.Permission if p is not xr.Permission.ADMIN],
        conditions={"rows": {"team": "$$user.team"}, "fields": {"deny": ["pay"]}},
    ),
]
SCHEMA: dict[str, Any] = {
    "fields": {"id": {"type": "int", "required": True}, "team": {"type": "string"}, "n": {"type": "int"},
               "pay": {"type": "int"}},
    "primary_key": ["id"],
}  # fmt: skip
SEEN = [
    {"id": 1, "team": "eu", "n": 5}, {"id": 3, "team": "eu", "n": None}, {"id": 5, "team": "eu", "n": -2},
    {"id": 7, "team": "eu", "n": 5},
]  # fmt: skip

small = st.none() | st.integers(-3, 3) | st.just(987_654_321)
hidden_rows = st.lists(
    st.fixed_dictionaries({"team": st.sampled_from(["us", "", None, "987canary"]), "n": small, "pay": small}),
    max_size=4,
)
hidden_pay = st.lists(small, min_size=len(SEEN), max_size=len(SEEN))

names = st.sampled_from(["id", "team", "n", "pay", "none"])
constants = st.sampled_from([None, 0, 5, 987_654_321, "eu", "us", True])
leaves = st.one_of(
    st.builds(
        lambda f, op, v: {f: {op: v}}, names, st.sampled_from(["$eq", "$ne", "$gt", "$lte"]), constants
    ),
    st.builds(lambda f, v: {f: {"$in": [v, 0]}}, names, constants),
    st.builds(lambda f: {"$expr": {"$gt": [{"$divide": [1, f"${f}"]}, 0]}}, names),
    st.builds(lambda f: {f: {"$exists": True}}, names),
)
filters = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda op, a, b: {op: [a, b]}, st.sampled_from(["$and", "$or", "$nor"]), inner, inner
    ),
    max_leaves=3,
)


def staged(f: str, g: str) -> list[dict[str, Any]]:
    """Stages that read two fields, each in another way."""
    looked_up = {"from": "people", "localField": f, "foreignField": g, "as": "r"}
    followed = {"from": "people", "startWith": f"${f}", "connectFromField": f, "connectToField": g, "as": "r"}
    return [
        {"$group": {"_id": f"${f}", "x": {"$sum": f"${g}"}, "k": {"$push": "$$ROOT"}}},
        {"$sort": {f: -1, "id": 1}},
        {"$set": {"y": {"$divide": [1, f"${f}"]}}},
        {"$project": {"z": f"${f}"}},
        {"$lookup": looked_up},
        {"$graphLookup": followed},
        {"$facet": {"a": [{"$unionWith": "people"}, {"$count": "c"}], "b": [{"$sortByCount": f"${f}"}]}},
        {"$setWindowFields": {"sortBy": {"id": 1}, "output": {"w": {"$sum": f"${f}"}}}},
        {"$limit": 2},
    ]


stages = st.builds(lambda f: {"$match": f}, filters) | st.builds(
    lambda f, g, at: staged(f, g)[at], names, names, st.integers(0, len(staged("n", "n")) - 1)
)


def leaves_any(pipeline: list[dict[str, Any]]) -> bool:
    """Whether it limits groups, which have no order: any of them may be left."""
    return [next(iter(stage)) for stage in pipeline] == ["$group", "$limit"]


pipelines = st.lists(stages, min_size=1, max_size=2).filter(lambda pipeline: not leaves_any(pipeline))


def dataset(others: list[dict[str, Any]], pay: list[Any]) -> list[dict[str, Any]]:
    """The visible rows with their hidden field, and hidden rows among them."""
    rows = [row | {"pay": p} for row, p in zip(SEEN, pay, strict=True)]
    hidden = [{"id": 2 * at, **row} for at, row in enumerate(others)]
    return sorted(rows + hidden, key=lambda row: row["id"])


def source_of(kind: str, rows: list[dict[str, Any]], folder: Path) -> Any:
    """The rows in a source of that kind."""
    values = [tuple(row[name] for name in SCHEMA["fields"]) for row in rows]
    table = "CREATE TABLE people (id INTEGER PRIMARY KEY, team VARCHAR, n INTEGER, pay INTEGER)"
    if kind in ("sqlite", "duckdb"):
        return database(folder / f"a.{kind}", table, people=values)
    if kind == "parquet":
        types = dict.fromkeys(SCHEMA["fields"], pl.Int64) | {"team": pl.String}
        pl.DataFrame(values, schema=types, orient="row").write_parquet(folder / "a.parquet")
        return folder / "a.parquet"
    return rows


async def outcome(work: Any) -> Any:
    """What a call gives, or how it is refused."""
    try:
        found = await work
    except XRepoError as error:
        return type(error).__name__, str(error)
    if isinstance(found, pl.DataFrame):
        return found.columns, found.dtypes, found.rows()
    return (found.total, settled(found)) if isinstance(found, xr.Rows) else found


def settled(value: Any) -> Any:
    """A result whose lists are in an order, which groups have not."""
    if isinstance(value, dict):
        return {name: settled(item) for name, item in value.items()}
    return sorted(map(settled, value), key=repr) if isinstance(value, list) else value


async def everything(repo: xr.XRepo[Any], asked: list[Any], piped: list[Any]) -> list[Any]:
    """All that Ann can see of the repo."""
    others = {"people": repo}
    calls: list[Any] = [repo.read(i, ANN) for i in range(9)] + [repo.exists(2, ANN), repo.list(user_id=ANN)]
    for filter in asked:
        calls += [repo.list(filter, sort="-n", limit=3, user_id=ANN), repo.count(filter, ANN),
                  repo.find_one(filter, ANN), repo.distinct("n", filter, ANN),
                  repo.frame(filter, user_id=ANN), repo.list(filter, sort="pay", user_id=ANN)]  # fmt: skip
    for pipeline in piped:
        calls += [
            repo.aggregate(pipeline, ANN, repos=others, engine=engine) for engine in ("auto", "document")
        ]
        calls.append(shown(repo.explain(pipeline=pipeline, user_id=ANN, repos=others)))
    calls += [repo.update(2, {"n": 1}, ANN), repo.delete(2, False, ANN), repo.update(1, {"n": 6}, ANN),
              repo.update(1, {"pay": 6}, ANN), repo.update(1, {"team": "us"}, ANN),
              repo.bulk_update([(1, {"n": 7}), (2, {"n": 7})], ANN), repo.list(user_id=ANN)]  # fmt: skip
    found = [await outcome(call) for call in calls]
    stats = await repo.get_statistics(ANN)
    found.append(stats.model_dump(exclude={"query_performance"}))
    log = await repo.get_audit_log(user_id=ANN)
    found.append([entry.model_dump(exclude={"timestamp"}) for entry in log])
    with xr.acting_as(ANN):
        found += [repr(repo), repo.schema.to_dict(), repo.height, view(repo).to_html().split("mean times")[0]]
    return found


async def shown(work: Any) -> str:
    return re.sub(r"CACHE\[id: [^]]+\]", "CACHE", str(await work))


async def seen_in(kind: str, rows: list[dict[str, Any]], asked: list[Any], piped: list[Any]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        target = source_of(kind, rows, Path(folder))
        repo = await xr.open(
            target, name="people", schema=xr.Schema.of(SCHEMA), rules=RULES, model=False, register=False
        )
        try:
            return await everything(repo, asked, piped)
        finally:
            if repo.resource is not None:
                await repo.resource.close()


EXAMPLES = {"rows": 100, "parquet": 20, "sqlite": 12, "duckdb": 4}
"""Fewer where each starts with a new database file."""


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_is_hidden_makes_no_difference(kind: str) -> None:
    @settings(
        max_examples=EXAMPLES[kind], deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(hidden_rows, hidden_pay, st.lists(filters, max_size=2), st.lists(pipelines, max_size=2))
    def holds(others: Any, pay: Any, asked: Any, piped: Any) -> None:
        with asyncio.Runner() as runner:
            without = runner.run(seen_in(kind, dataset([], [None] * len(SEEN)), asked, piped))
            beside = runner.run(seen_in(kind, dataset(others, pay), asked, piped))
        for a, b in zip(without, beside, strict=True):
            assert a == b
        told = repr(beside)
        asked_for = repr([asked, piped])
        assert "987654321" not in told or "987654321" in asked_for
        assert "canary" not in told

    holds()
