"""Promise I3: names and values from outside are identifiers and values, never SQL. R2: nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import xrepo_nb as xr
from tests.databases import database
from tests.resources.sources import COLLECTION, SOURCES
from xrepo_nb.core.errors import XRepoError

ROWS = "CREATE TABLE rows (id INTEGER PRIMARY KEY, a INTEGER); INSERT INTO rows VALUES (1, 1), (2, NULL);"
SENTINEL = "CREATE TABLE sentinel (x INTEGER); INSERT INTO sentinel VALUES (42);"

hostile = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(["'", '"', "`", ";", "--", "/*", "*/", "\\", "\0", "$1", "?", ":a", "%s", "{}", "]"]),
    st.builds(
        lambda quote, end: f"a{quote}; DROP TABLE sentinel; {end}",
        st.sampled_from(["'", '"', "')", '")', "`"]), st.sampled_from(["--", "/*", ""]),
    ),
)  # fmt: skip


async def asked(repo: xr.XRepo[Any], text: str) -> None:
    """The text as a name and as a value wherever a caller may write one."""
    calls: list[Any] = [
        lambda: repo.list({text: 1}), lambda: repo.list({"a": text}),
        lambda: repo.list({"a": {"$in": [text]}}),
        lambda: repo.list(sort=[(text, 1)]), lambda: repo.distinct(text), lambda: repo.frame(fields=[text]),
        lambda: repo.aggregate([{"$group": {"_id": "$a", text: {"$sum": 1}}}]),
        lambda: repo.aggregate([{"$group": {"_id": {text: "$a"}}}]),
        lambda: repo.aggregate([{"$project": {text: "$a"}}], engine="duckdb"),
        lambda: repo.aggregate([{"$set": {text: {"$literal": text}}}, {"$match": {text: text}}]),
        lambda: repo.aggregate([{"$match": {"$expr": {"$eq": [{"$concat": [text, text]}, text]}}}]),
        lambda: repo.aggregate([{"$match": {"$expr": {"$regexMatch": {"input": text, "regex": "a"}}}}]),
        lambda: repo.create({"id": 9, text: text}), lambda: repo.update(1, {text: text}),
        lambda: repo.read(text), lambda: repo.delete(text),
    ]  # fmt: skip
    for call in calls:
        try:
            await call()
        except XRepoError:
            pass


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 40), ("duckdb", 12)])
def test_no_text_is_ever_sql(kind: str, examples: int, tmp_path: Path) -> None:
    async def go(text: str) -> None:
        repo = await xr.open(path, collection="rows", name="rows", model=False, register=False)
        await asked(repo, text)
        assert repo.resource is not None
        assert await repo.resource.query(collection="sentinel") == [{"x": 42}]
        assert [r["id"] for r in await repo.list(sort="id", limit=2)] == [1, 2]
        await repo.resource.close()

    path = database(tmp_path / f"a.{kind}", ROWS + SENTINEL)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(hostile)
    @example('a"; DROP TABLE sentinel; --')
    @example("a'); DELETE FROM sentinel; --")
    def holds(text: str) -> None:
        asyncio.run(go(text))

    holds()


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux lists them")
@pytest.mark.parametrize("kind", SOURCES)
async def test_nothing_stays_open(kind: str, tmp_path: Path) -> None:
    """Whole reads, abandoned streams, cancelled reads and refused questions, again and again."""
    resource = await asyncio.to_thread(SOURCES[kind].make, tmp_path)

    async def use() -> None:
        repo = await xr.open(resource, collection=COLLECTION, name="p", model=False, register=False)
        await repo.list(sort="-n")
        stream = repo.stream(batch_size=2)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        task = asyncio.ensure_future(repo.aggregate([{"$group": {"_id": "$name"}}]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(XRepoError):
            await repo.list({"nothing": 1})
        await resource.close()

    for _ in range(3):
        await use()
    before, threads = await asyncio.to_thread(open_files), threading.active_count()
    for _ in range(12):
        await use()
    assert await asyncio.to_thread(open_files) <= before + 1
    assert threading.active_count() <= threads + 4
