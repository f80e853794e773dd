"""Promises R1, R5 and T5 where many write at once: nothing acknowledged is lost, whatever is cancelled, and
the audit log and the statistics tell what the rows do."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.databases import database
from xrepo_nb.core.errors import XRepoConflictError
from xrepo_nb.repos.storage import Edit, Storage
from xrepo_nb.resources.memory import MemoryResource
from xrepo_nb.schema.inference import infer

KINDS = ("memory", "rows", "path", "sqlite", "duckdb")
TABLE = "CREATE TABLE rows (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO rows VALUES (0, 0);"
START = [{"id": 0, "n": 0}]


class Crowd:
    """Callers of some repos over one collection, and what they were told."""

    def __init__(self, repos: list[xr.XRepo[Any]], seed: int) -> None:
        self.repos, self.random, self.told = repos, random.Random(seed), Counter[str]()
        self.created, self.deleted, self.perhaps = set[int](), set[int](), set[int]()

    async def run(self, start: int, callers: int, patience: list[float | None]) -> None:
        calls = [self._one(start + at, self.random.choice(patience)) for at in range(callers)]
        await asyncio.gather(*calls)

    async def _one(self, number: int, patience: float | None) -> None:
        repo, kind = (
            self.random.choice(self.repos),
            self.random.choice(("create", "inc", "inc", "delete", "read")),
        )
        known = self.random.choice([*self.created, -1])
        try:
            async with asyncio.timeout(patience):
                await self._call(repo, kind, number, known)
                self.told[kind] += 1
        except TimeoutError:
            self.told[f"{kind} cut off"] += 1
            self.perhaps.add(number if kind == "create" else known)

    async def _call(self, repo: xr.XRepo[Any], kind: str, number: int, known: int) -> None:
        if kind == "create":
            await repo.create({"id": number, "n": 0})
            self.created.add(number)
        elif kind == "inc":
            assert await repo.update(0, {"$inc": {"n": 1}}) is not None
        elif kind == "delete":
            if await repo.delete(known, soft=False):
                self.deleted.add(known)
        else:
            await repo.list({"n": {"$gte": 0}}, limit=None)
            await repo.refresh()

    async def check(self) -> None:
        rows = {row["id"]: row["n"] for row in await self.repos[0].list(limit=None)}
        assert self.created - self.deleted - self.perhaps <= rows.keys()
        assert rows.keys() <= self.created | self.perhaps | {0}
        assert not self.deleted & rows.keys()
        assert self.told["inc"] <= rows[0] <= self.told["inc"] + self.told["inc cut off"]
        log = [entry for repo in self.repos for entry in repo.audit]
        applied = Counter(
            e.operation for e in log if e.outcome == "applied" for _ in range(e.metadata["rows"])
        )
        assert applied["create"] == len(self.created) and applied["update"] == self.told["inc"]
        assert applied["delete"] == len(self.deleted)
        assert sum(repo.statistics.created_today for repo in self.repos) == len(self.created)
        assert sum(repo.statistics.updated_today for repo in self.repos) == self.told["inc"]
        assert not [e for e in log if e.outcome == "failed" and (e.changes or {}).get("id") in rows]


async def opened(kind: str, folder: Path, shared: dict[str, Any]) -> xr.XRepo[Any]:
    """A repo over the one collection of that kind; the same one where only one is possible."""
    if kind in ("sqlite", "duckdb"):
        path = folder / f"a.{kind}"
        if not path.exists():
            database(path, TABLE)
        return await xr.open(path, collection="rows", name="rows", model=False, register=False)
    if kind == "memory":
        resource = shared.setdefault(kind, MemoryResource(START, collection="rows", primary_key="id"))
        return await xr.open(resource, collection="rows", name="rows", model=False, register=False)
    if kind not in shared:
        path = folder / "kept.duckdb" if kind == "path" else None
        shared[kind] = await xr.MaterializedRepo.of(START, name="rows", primary_key="id", path=path)
    return shared[kind]


IMPATIENT = [None, None, 0, 0.001, 0.002, 0.005]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repos", [1, 2])
async def test_fifty_at_once_with_some_cut_off(kind: str, repos: int, tmp_path: Path) -> None:
    shared: dict[str, Any] = {}
    found = [await opened(kind, tmp_path, shared) for _ in range(repos)]
    crowd = Crowd(list(dict.fromkeys(found)), seed=repos)
    for start in (1, 1001, 2001):
        await crowd.run(start, 50, IMPATIENT)
    await crowd.check()
    for repo in crowd.repos:
        await repo.close()


@pytest.mark.parametrize("kind", KINDS)
def test_event_loops_of_two_threads_lose_nothing_of_each_other(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        shared: dict[str, Any] = {}
        repo = runner.run(opened(kind, tmp_path, shared))
        crowds = [Crowd([repo], seed) for seed in (1, 2)]
        threads = [
            threading.Thread(target=asyncio.run, args=(crowd.run(1 + 1000 * at, 50, [None]),))
            for at, crowd in enumerate(crowds)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        crowds[0].created |= crowds[1].created
        crowds[0].deleted |= crowds[1].deleted
        crowds[0].told += crowds[1].told
        runner.run(crowds[0].check())
        runner.run(repo.close())


@pytest.mark.parametrize("kind", KINDS)
async def test_changes_of_one_record_wait_for_each_other(kind: str, tmp_path: Path) -> None:
    repo = await opened(kind, tmp_path, {})
    await asyncio.gather(*[repo.update(0, {"$inc": {"n": 1}}) for _ in range(60)])
    assert (await repo.list())[0]["n"] == 60
    await repo.close()


def test_what_must_be_unique_stays_so_across_event_loops() -> None:
    metadata = xr.RepoMetadata(
        name="rows", resource_name="memory", model_name="dict", constraints=[{"unique": "n"}]
    )
    repo = xr.MaterializedRepo(data=START, metadata=metadata, primary_key="id")

    async def create(first: int) -> None:
        for n in range(1, 40):
            try:
                await repo.create({"id": first + n, "n": n})
            except XRepoConflictError:
                pass

    threads = [threading.Thread(target=asyncio.run, args=(create(1000 * at),)) for at in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(row["n"] for row in asyncio.run(repo.list(limit=None))) == Counter(range(40))


def test_no_reader_waits_while_a_change_is_put_on_disk() -> None:
    loaded = infer(START)
    storage = Storage(loaded.frame, loaded.schema, ("id",))
    writing, written = threading.Event(), threading.Event()

    def slow_disk() -> None:
        writing.set()
        assert written.wait(30)

    for change in (
        lambda: storage.apply([Edit(1, {"id": 1, "n": 1}, storage.revision(1))], slow_disk),
        lambda: storage.replace_all(loaded.frame, loaded.schema, slow_disk),
    ):
        storage.apply([Edit(2, {"id": 2, "n": 2}, storage.revision(2))])
        writer = threading.Thread(target=change)
        writer.start()
        assert writing.wait(30)
        reader = threading.Thread(target=lambda: (storage.table(), storage.find(2), storage.find(1)))
        reader.start()
        reader.join(5)
        stuck = reader.is_alive()
        written.set()
        writer.join(30)
        assert not stuck
        writing.clear()
        written.clear()


async def test_what_was_written_before_a_failure_is_counted_and_seen() -> None:
    """As by a source without transactions, or one that stores what the model cannot read back."""

    class Note(xr.XObjPrototype):
        id: int
        n: int

    class Rewriting(xr.MaterializedRepo[Any]):
        async def _apply(self, change: Any, partial: bool = False) -> Any:
            result = await super()._apply(change, partial)
            return replace(result, documents=({"id": 1, "n": "no number"},))

    repo = Rewriting(data=START, model_class=Note, name="rows", primary_key="id")
    view = await xr.join("view", {"rows": repo}, register=False)
    assert await view.count() == 1
    with pytest.raises(xr.XRepoValidationError):
        await repo.create({"id": 1, "n": 1})
    assert await view.count() == 2
    assert repo.statistics.created_today == 1
    (entry,) = [entry for entry in repo.audit if entry.operation == "create"]
    assert (entry.outcome, entry.metadata["rows"]) == ("failed", 1)


def test_a_change_that_the_disk_refuses_is_nowhere() -> None:
    loaded = infer(START)
    storage = Storage(loaded.frame, loaded.schema, ("id",))

    def full_disk() -> None:
        assert storage.find(0) == START[0], "nothing is shown before it is on disk"
        raise OSError("no space left")

    for change in (
        lambda: storage.apply([Edit(0, {"id": 0, "n": 9}, storage.revision(0))], full_disk),
        lambda: storage.replace_all(loaded.frame.clear(), loaded.schema, full_disk),
    ):
        with pytest.raises(OSError, match="no space"):
            change()
        assert (storage.find(0), storage.table().documents) == (START[0], START)
