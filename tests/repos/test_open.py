"""`open` and `join`: one call from a file or rows in hand to a repo; and what is refused."""

from __future__ import annotations

import inspect
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import xrepo_nb as xr
from xrepo_nb import (
    ConnectedRepo,
    MaterializedRepo,
    XRepo,
    XRepoConfigurationError,
    XRepoError,
    XRepoNotFoundError,
    XRepoValidationError,
)

ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]

pytestmark = pytest.mark.usefixtures("clean_namespace")


@pytest.mark.parametrize(
    "target", [ROWS, pl.DataFrame(ROWS), pl.LazyFrame(ROWS), pd.DataFrame(ROWS), pa.Table.from_pylist(ROWS)]
)
async def test_rows_in_hand(target: Any) -> None:
    repo = await xr.open(target, name="things", model=False)
    assert isinstance(repo, MaterializedRepo)
    assert await repo.list() == ROWS
    assert await repo.read(2) == ROWS[1]
    assert ROWS == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    frame = pl.DataFrame(ROWS)
    frame.write_csv(tmp_path / "rows.csv")
    frame.write_parquet(tmp_path / "rows.parquet")
    frame.write_ndjson(tmp_path / "rows.ndjson")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    return {path.suffix[1:]: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "json"])
async def test_files(files: dict[str, Path], kind: str) -> None:
    repo = await xr.open(files[kind])
    assert isinstance(repo, ConnectedRepo)
    assert (repo.metadata.name, repo.resource.connection_type) == ("rows", kind)
    assert [row.v for row in await repo.list(sort="-id")] == ["b", "a"]
    assert await xr.namespace.get_ns("ns.repos.rows") is repo
    assert xr.model_registry.get("Row") is repo.model_class
    copy = await xr.open(files[kind], materialized=True, name="copy")
    await copy.create({"id": 3, "v": "c"})
    assert (await copy.count(), await repo.count()) == (3, 2)


async def test_open_takes_a_model_a_schema_rules_and_a_path(files: dict[str, Path], tmp_path: Path) -> None:
    class Thing(xr.XObjPrototype):
        id: int
        v: str

    assert (await (await xr.open(files["csv"], model=Thing)).list())[0] == Thing(id=1, v="a")
    narrow = await xr.open(files["csv"], schema={"fields": {"v": {"type": "string"}}}, model=False)
    assert await narrow.list() == [{"v": "a"}, {"v": "b"}]
    rule = {"role": "x", "permissions": ["list"], "conditions": {"rows": {"id": 1}}}
    ruled = await xr.open(ROWS, rules=[rule], model=False)
    assert await ruled.count(user_id=xr.Identity("u", {"x"})) == 1
    kept = await xr.open(files["csv"], path=tmp_path / "kept.duckdb", model=False)
    await kept.create({"id": 3, "v": "c"})
    await kept.close()
    again = await xr.open([], path=tmp_path / "kept.duckdb", model=False)
    assert await again.count() == 3
    await again.close()
    connected = await xr.open(ROWS, materialized=False, model=False)
    assert isinstance(connected, ConnectedRepo) and await connected.list() == ROWS


async def test_open_gives_a_repo_back(files: dict[str, Path]) -> None:
    repo = await xr.open(files["csv"], register=False)
    assert await xr.open(repo) is repo
    assert await xr.namespace.list_ns("ns.repos.*") == []


async def test_the_report_comes_with_the_repo(files: dict[str, Path]) -> None:
    dirty = [{"a": 1}, {"a": "x"}]
    report = (await xr.open(dirty, model=False)).report
    assert report is not None and report["a"].types == {"int": 1, "string": 1}
    assert (await xr.open(files["csv"])).report is not None


async def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "broken.json").write_text('[{"a": 1},')
    (tmp_path / "wrong.parquet").write_text("no parquet")
    cases: list[tuple[Any, type[XRepoError], str]] = [
        (tmp_path / "date.csv", XRepoNotFoundError, "did you mean 'data.csv'"),
        (tmp_path / "data.xyz", XRepoError, "data.xyz|xyz"),
        (tmp_path / "broken.json", XRepoValidationError, "broken.json"),
        (tmp_path / "wrong.parquet", XRepoValidationError, "wrong.parquet"),
        (tmp_path / "data.csv", XRepoValidationError, "line"),
        ("ftpx://host/x", XRepoConfigurationError, "ftpx"),
        (5, XRepoConfigurationError, "cannot open an int"),
    ]
    for target, kind, says in cases:
        with pytest.raises(kind, match=says):
            await (await xr.open(target)).list()


async def test_a_database_of_several_tables_asks_which(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "two.db") as connection:
        connection.executescript(
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY)"
        )
    connection.close()
    with pytest.raises(XRepoConfigurationError, match="has 2 collections; there are: a, b.*say which"):
        await xr.open(tmp_path / "two.db")
    with pytest.raises(XRepoNotFoundError, match="there are: a, b"):
        await xr.open(tmp_path / "two.db", collection="c")
    assert await (await xr.open(tmp_path / "two.db", collection="b")).count() == 0


READS = {
    "aggregate", "count", "distinct", "exists", "explain", "find_one", "frame", "get_statistics", "list",
    "read", "refresh", "stream", "to_arrow", "to_pandas", "to_polars",
}  # fmt: skip
WRITES = {"bulk_create", "bulk_delete", "bulk_update", "create", "delete", "restore", "update"}
GOVERNED_ELSEWHERE = {
    "get_audit_log": "own entries only, without ADMIN",
    "peek": "None for one who may not list",
    "set_rules": "needs ADMIN",
    "get_ns": "a name", "get_fuzzy_text": "the metadata's text",
    "close": "frees, shows nothing", "of": "makes a repo", "of_resource": "makes a repo",
    "ready": "shows nothing",
}  # fmt: skip


@pytest.mark.parametrize("repo", [XRepo, MaterializedRepo, ConnectedRepo, xr.ViewRepo])
def test_every_public_method_is_governed(repo: type[Any]) -> None:
    """Promise A11: tests/repos/test_rules.py calls each of these as nobody, and is refused."""
    from pydantic import BaseModel

    names = {
        name
        for name, member in inspect.getmembers(repo, inspect.isroutine)
        if not name.startswith("_") and name not in dir(BaseModel)
    }
    assert names <= READS | WRITES | GOVERNED_ELSEWHERE.keys()
    assert names >= READS | WRITES


async def test_rows_that_do_not_fit_are_left_out_when_asked() -> None:
    rows = [{"id": 1, "n": 1}, {"id": 2, "n": "x"}, {"id": 3, "n": 3}]
    schema = {"fields": {"id": {"type": "int"}, "n": {"type": "int"}}}
    with pytest.raises(xr.XRepoValidationError, match='line 2: n: string.*on_reject="report"'):
        await xr.open(rows, schema=schema, register=False)
    opened = await xr.open(rows, schema=schema, on_reject="report", register=False)
    made = await xr.MaterializedRepo.of(rows, schema=schema, on_reject="report")
    for repo in (opened, made, xr.MaterializedRepo(schema, rows, on_reject="report")):
        assert await repo.distinct("id") == [1, 3]
        assert repo.report is not None and "line 2" in str(repo.report)
    with pytest.raises(
        xr.XRepoConfigurationError, match="on_reject cannot be 'skip'; there are: raise, report"
    ):
        await xr.open(rows, schema=schema, on_reject="skip", register=False)


def test_completion_offers_our_names_and_not_pydantics() -> None:
    repo = xr.MaterializedRepo(data=[{"_id": 1}], name="rows")
    for offered in (dir(repo), dir(repo.sync)):
        assert {"list", "schema", "create", "metadata", "peek", "to_pandas"} <= set(offered)
        assert not {"parse_obj", "construct", "model_dump", "update_forward_refs"} & set(offered)


# A schema that is given.

TEXTS = [{"at": "2024-01-01T00:00:00Z", "n": "7"}, {"at": "2024-02-01T00:00:00Z", "n": "8"}]
TYPED = {"fields": {"at": {"type": "datetime"}, "n": {"type": "int"}}}


def _of_texts(kind: str, folder: Path) -> Any:
    frame, path = pl.DataFrame(TEXTS), folder / f"texts.{kind}"
    if kind == "frame":
        return frame
    if kind == "pandas":
        return frame.to_pandas()
    if kind == "json":
        path.write_text(json.dumps(TEXTS))
    elif kind == "db":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE texts (at TEXT, n TEXT)")
        connection.executemany("INSERT INTO texts VALUES (:at, :n)", TEXTS)
        connection.commit()
        connection.close()
    else:
        getattr(frame, f"write_{kind}")(path)
    return path


@pytest.mark.parametrize("kind", ["frame", "pandas", "json", "ndjson", "parquet", "db"])
async def test_rows_read_into_memory_are_converted_to_the_schema_given(kind: str, tmp_path: Path) -> None:
    target = _of_texts(kind, tmp_path)
    repo = await xr.open(target, schema=TYPED, materialized=True, model=False, register=False)
    assert [str(field.type) for field in repo.schema.fields] == ["datetime", "int"]
    assert await repo.count({"at__gte": "2024-02-01", "n__gt": 7}) == 1
    assert (await repo.list(sort="-n"))[0]["n"] == 8
    if repo.resource is not None:
        await repo.refresh()
        assert (await repo.find_one({"n": 8}))["at"] == datetime(2024, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["frame", "json", "db"])
async def test_rows_that_cannot_be_converted_are_refused(kind: str, tmp_path: Path) -> None:
    target = _of_texts(kind, tmp_path)
    with pytest.raises(XRepoValidationError, match="2 of 2 rows do not fit: line 1: at: string where int"):
        await xr.open(target, schema={"fields": {"at": {"type": "int"}}}, materialized=True, register=False)


@pytest.mark.parametrize("kind", ["json", "ndjson", "parquet", "db"])
async def test_a_schema_that_a_source_does_not_hold_is_refused(kind: str, tmp_path: Path) -> None:
    target = _of_texts(kind, tmp_path)
    with pytest.raises(
        XRepoConfigurationError, match=r"'at' is datetime in the schema.*holds string.*Hint: .*mat"
    ):
        await xr.open(target, schema=TYPED, register=False)
    alike = {"fields": {"n": {"type": "string", "description": "how many"}}}
    repo = await xr.open(target, schema=alike, model=False, register=False)
    assert await repo.count({"n": "8"}) == 1


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", "k,n\n1,10\n2,20\n", "k,n\n1,ten\n2,20\n3,30\n"),
        ("a.json", '[{"k": 1, "n": 10}]', '[{"k": 1, "n": "ten"}, {"k": 2, "n": 20}]'),
        ("a.ndjson", '{"k": 1, "n": 10}\n', '{"k": 1, "n": "ten"}\n{"k": 2, "n": "x"}\n'),
    ],
)
async def test_a_file_whose_types_changed_is_opened_again(
    name: str, before: str, after: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(before)
    repo = await xr.open(tmp_path / name, model=False, register=False)
    assert await repo.count({"n__gte": 10}) >= 1
    (tmp_path / name).write_text(after)
    for ask in (repo.count({"n__gte": 10}), repo.list(), repo.aggregate([{"$sort": {"n": 1}}])):
        with pytest.raises(
            XRepoValidationError, match=r"'n' of a was int .* is (string|mixed) now.*open it again"
        ):
            await ask
    again = await xr.open(tmp_path / name, model=False, register=False)
    assert (await again.find_one({"k": 1}))["n"] == "ten"


async def test_a_file_whose_numbers_widened_or_got_gaps_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("k,n\n1,10\n2,20\n")
    repo = await xr.open(path, model=False, register=False)
    path.write_text("k,n\n1,10.5\n2,\n3,9\n")
    assert await repo.count({"n": None}) == 1 and await repo.count({"n__gt": 10}) == 1
    assert await repo.aggregate([{"$group": {"_id": None, "s": {"$sum": "$n"}}}]) == [
        {"_id": None, "s": 19.5}
    ]
