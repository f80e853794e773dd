"""Promises A2, A5 and A9 where the rows themselves tell the types: a schema that is inferred tells a caller
whom rules narrow nothing of the rows and fields that they hide, however dirty the hidden cells are."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import xrepo_nb as xr
from tests.promises.test_unseen import ANN, RULES, everything, filters, outcome, pipelines
from xrepo_nb.core.missing import MISSING
from xrepo_nb.resources.memory import MemoryResource

SEEN: list[dict[str, Any]] = [
    {"id": 1, "team": "eu", "n": 5, "f": 1.5, "day": "2024-01-31", "deep": {"a": 1}},
    {"id": 3, "team": "eu", "n": 7, "f": 2.0, "day": "2024-02-29", "deep": {"a": 2}},
    {"id": 5, "team": "eu", "n": -2, "f": 0.25, "day": "2023-12-01", "deep": {"a": 5}},
]
COLUMNS = ("id", "team", "n", "f", "day", "deep", "pay", "extra")
CANARY = "987canary"

typed = {
    "team": st.sampled_from(["us", "", None, CANARY]),
    "n": st.none() | st.integers(-3, 3) | st.just(987_654_321),
    "f": st.none() | st.sampled_from([0.0, 9.5]),
    "day": st.none() | st.sampled_from(["2020-01-01", "2020-13-77"]),
    "pay": st.none() | st.integers(-3, 3),
}
dirt = st.sampled_from([None, MISSING, 0, 2, 2.5, CANARY, True, 2**70, "", "2020-13-77", [1], {"a": CANARY}])
dirty = {
    "team": st.sampled_from(["us", "", None, MISSING, CANARY, 9, ["us"]]),
    "n": dirt,
    "f": dirt,
    "day": dirt,
    "deep": dirt | st.sampled_from([{"a": None}, {}, {"b": 1, "a": 1}]),
    "pay": dirt,
    "extra": dirt,
}

CLEAN = ("polars", "parquet", "duckdb")
"""Sources whose columns have a type of their own, so that nothing else can be in them."""
KINDS = (
    "rows",
    "json",
    "ndjson",
    "csv",
    "sqlite",
    *CLEAN,
    "memory",
    "view",
    "view of csv",
    "view of json with rules",
)
EXAMPLES = {"rows": 40, "json": 20, "csv": 20, "duckdb": 4}


def dataset(others: list[dict[str, Any]], pays: list[Any]) -> list[dict[str, Any]]:
    """The visible rows with their hidden field, and hidden rows among them."""
    rows = [row | {"pay": pay} for row, pay in zip(SEEN, pays, strict=True)]
    rows += [{"id": 2 * at, **row} for at, row in enumerate(others)]
    rows.sort(key=lambda row: row["id"])
    return [{name: row[name] for name in COLUMNS if row.get(name, MISSING) is not MISSING} for row in rows]


def flat(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The rows as cells of a table."""
    return [tuple(_cell(row.get(name)) for name in COLUMNS) for row in rows]


def _cell(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > 2**60:
        return str(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


TYPES = {
    "id": "INTEGER PRIMARY KEY",
    "team": "VARCHAR",
    "n": "INTEGER",
    "f": "DOUBLE",
    "day": "VARCHAR",
} | dict.fromkeys(("deep", "pay", "extra"), "VARCHAR")


def source_of(kind: str, rows: list[dict[str, Any]], folder: Path) -> Any:
    """The rows in a source of that kind."""
    if kind == "memory":
        return MemoryResource(rows, collection="people", primary_key="id")
    if kind in ("rows", "view"):
        return rows
    path = folder / f"people.{kind.removeprefix('view of ').removesuffix(' with rules')}"
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif kind == "ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind.endswith("csv"):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *flat(rows)])
    elif kind == "sqlite":
        declared = ", ".join(f"{n} {'DATE' if n == 'day' else t}" for n, t in TYPES.items())
        with sqlite3.connect(path) as connection:
            connection.execute(f"CREATE TABLE people ({declared})")
            connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * 8)})", flat(rows))
        connection.close()
    elif kind == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"CREATE TABLE people ({', '.join(f'{n} {t}' for n, t in TYPES.items())})")
            connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * 8)})", flat(rows))
    else:
        kinds = {"id": pl.Int64, "n": pl.Int32, "f": pl.Float64, "pay": pl.Int64}
        frame = pl.DataFrame(
            flat(rows), schema={name: kinds.get(name, pl.String) for name in COLUMNS}, orient="row"
        )
        if kind == "polars":
            return frame
        frame.write_parquet(path)
    return path


async def all_told(repo: xr.XRepo[Any], asked: list[Any], piped: list[Any]) -> list[Any]:
    """All that Ann can see of the repo, its types above all."""
    with xr.acting_as(ANN):
        at_first = [repo.schema.to_dict(), repr(repo), repo.height]
    found = await everything(repo, asked, piped)
    calls: list[Any] = [repo.to_arrow(user_id=ANN), repo.to_pandas(user_id=ANN), repo.list(user_id=ANN)]
    calls += [repo.aggregate(pipeline, ANN, repos={"people": repo}) for pipeline in piped]
    for call in calls:
        found.append(told(await outcome(call)))
    with xr.acting_as(ANN):
        found += [list(repo.schema.fields), repo.schema.names, repr(repo.hints), repr(repo.report)]
        peeked = repo.peek(5)
        found.append(peeked and (list(peeked.schema.fields), list(peeked.documents)))
        found.append(repr(getattr(repo, "join_report", None)))
    return at_first + found


def plain(given: Any) -> Any:
    """The value with the instances of models, whose classes two repos do not share, as their text."""
    if isinstance(given, list | tuple):
        return [plain(item) for item in given]
    return repr(given) if isinstance(given, BaseModel) else given


def told(given: Any) -> Any:
    """What a result shows, its types with it."""
    if isinstance(given, xr.Rows):
        made = given.provenance
        return repr(list(given)), given.schema.to_dict(), made and made.engine
    if isinstance(given, pa.Table):
        return repr(given.schema), repr(given.to_pydict())
    kinds = getattr(given, "dtypes", None)
    return repr(given), None if kinds is None else repr(kinds)


async def seen_in(kind: str, model: bool, rows: Any, asked: list[Any], piped: list[Any]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        target = source_of(kind, rows, Path(folder))
        options: dict[str, Any] = {"primary_key": "id"} if kind != "memory" else {}
        name = "source" if kind.startswith("view") else "people"
        collection = None if kind in ("rows", "polars", "view") else "people"
        ruled = kind.endswith("with rules")
        rules = [] if ruled else RULES
        repo = await xr.open(
            target, name=name, rules=rules, model=model, register=False, collection=collection, **options
        )
        source = repo
        if ruled:
            metadata = xr.RepoMetadata(
                name="people", resource_name="view", model_name="dict", acl_rules=RULES
            )
            repo = await xr.join("people", {"source": source}, metadata=metadata, register=False)
        elif kind.startswith("view"):
            teams = await xr.open(
                [{"team": "eu", "head": "Eva"}, {"team": "us", "head": "Una"}], name="teams"
            )
            repo = await xr.join("people", {"source": repo, "teams": teams}, on="team", register=False)
        try:
            return await all_told(repo, asked, piped)
        finally:
            if source.resource is not None:
                await source.resource.close()


def hidden(kind: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rows = st.lists(st.fixed_dictionaries(typed if kind in CLEAN else dirty), max_size=3)
    if not kind.endswith("with rules"):
        return rows
    return rows.map(lambda found: [{n: _in_the_open(n, v) for n, v in row.items()} for row in found])


def _in_the_open(name: str, value: Any) -> Any:
    """What a hidden cell may be where a view over a source without rules has them: there a field that the
    first documents lack stands after the others, and ints beside a float are floats before rules apply."""
    if value is MISSING or (name == "n" and isinstance(value, float)):
        return None
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_rows_and_fields_tell_nothing_by_the_types_that_are_inferred(kind: str) -> None:
    pays = st.lists(typed["pay"] if kind in CLEAN else dirt, min_size=len(SEEN), max_size=len(SEEN))
    pays = pays.filter(lambda found: any(pay is not MISSING for pay in found))  # rules name no unknown field

    @settings(
        max_examples=EXAMPLES.get(kind, 10), deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(hidden(kind), pays, st.lists(filters, max_size=1), st.lists(pipelines, max_size=1), st.booleans())
    def holds(others: Any, pay: Any, asked: Any, piped: Any, model: bool) -> None:
        with asyncio.Runner() as runner:
            without = runner.run(seen_in(kind, model, dataset([], [None] * len(SEEN)), asked, piped))
            beside = runner.run(seen_in(kind, model, dataset(others, pay), asked, piped))
        for a, b in zip(map(plain, without), map(plain, beside), strict=True):
            assert a == b
        assert "canary" not in repr(beside)
        assert "987654321" not in repr(beside) or "987654321" in repr([asked, piped])

    holds()
