"""Writable sources against a dict: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.resources.sources import COLLECTION, PEOPLE, SOURCES
from xrepo_nb.core.errors import XRepoConflictError
from xrepo_nb.resources.base import WriteResult

T = TypeVar("T")
Document = dict[str, Any]

ids = st.integers(1, 9)
fields = st.fixed_dictionaries({"name": st.none() | st.text(max_size=3).map(lambda t: t.replace("\0", ""))})
documents = st.builds(lambda i, f: {**PEOPLE[0], **f, "id": i}, ids, fields)


class Writing(RuleBasedStateMachine):
    """Batches of writes, reconnections and cancelled writes; every read is compared."""

    kind: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.source = SOURCES[self.kind].make(self.folder)
        self.run(self.source.connect())
        self.model: dict[int, Document] = {row["id"]: row for row in PEOPLE}

    def teardown(self) -> None:
        self.run(self.source.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(records=st.lists(documents, min_size=1, max_size=3))
    def insert(self, records: list[Document]) -> None:
        new = {record["id"]: record for record in records}
        if len(new) == len(records) and not new.keys() & self.model.keys():
            assert self.run(self.source.insert(COLLECTION, records)).outcomes == ("applied",) * len(records)
            self.model |= new
            return
        with pytest.raises(XRepoConflictError) as caught:
            self.run(self.source.insert(COLLECTION, records))
        result: WriteResult = caught.value.result
        assert sorted({*result.outcomes} | {"skipped"}) == ["failed", "skipped"]

    @rule(changes=st.lists(st.tuples(ids, fields), min_size=1, max_size=3))
    def update(self, changes: list[tuple[int, Document]]) -> None:
        result = self.run(self.source.update(COLLECTION, changes))
        assert result.outcomes == tuple("applied" if i in self.model else "skipped" for i, _ in changes)
        for i, change in changes:
            if i in self.model:
                self.model[i] = self.model[i] | change

    @rule(gone=st.lists(ids, min_size=1, max_size=3, unique=True))
    def delete(self, gone: list[int]) -> None:
        result = self.run(self.source.delete(COLLECTION, gone))
        assert result.outcomes == tuple("applied" if i in self.model else "skipped" for i in gone)
        self.model = {i: row for i, row in self.model.items() if i not in gone}

    @rule()
    def reconnect(self) -> None:
        self.run(self.source.close())
        self.run(self.source.connect())

    @rule(record=documents, turns=st.integers(0, 6))
    def cancel_an_insert(self, record: Document, turns: int) -> None:
        if record["id"] in self.model or self.kind == "memory":  # there a thread may still be on its way
            return

        async def cancelled() -> None:
            task = asyncio.ensure_future(self.source.insert(COLLECTION, [record]))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.run(cancelled())
        if self.rows({"id": record["id"]}):
            self.model[record["id"]] = record

    @invariant()
    def both_say_the_same(self) -> None:
        assert self.rows(None) == sorted(self.model.values(), key=lambda row: int(row["id"]))

    def rows(self, filters: Document | None) -> list[Document]:
        return self.run(self.source.query(filters, collection=COLLECTION, sort=[("id", 1)]))


EXAMPLES = {"memory": 20, "sqlite": 8, "duckdb": 3}
"""Fewer where each starts with a new database file."""


@pytest.mark.parametrize("kind", [kind for kind, source in SOURCES.items() if source.writes])
def test_writes_in_any_order(kind: str) -> None:
    machine = type(f"Writing_{kind}", (Writing,), {"kind": kind})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES[kind], stateful_step_count=8, deadline=None, suppress_health_check=checks
        ),
    )
