"""Promise R9: a MaterializedRepo behaves like a dict, through any sequence of operations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from xrepo_nb import MaterializedRepo, XRepoConflictError
from xrepo_nb.repos import storage

IDS = st.integers(0, 12)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 2.0]), st.text("ab", max_size=2),
    st.lists(st.integers(0, 3), max_size=2), st.fixed_dictionaries({"x": st.integers(0, 2)}),
)  # fmt: skip
FIELDS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """A document in a form that tells 1 from True and 1.0 apart, except where ints widen to floats."""
    return {key: (type(value) is bool, value) for key, value in document.items()}


class RepoMachine(RuleBasedStateMachine):
    """Every operation on both, then everything compared."""

    ids: Bundle[int] = Bundle("ids")

    @initialize(start=st.lists(FIELDS, max_size=4))
    def begin(self, start: list[dict[str, Any]]) -> None:
        documents = [{"_id": 100 + i, **fields} for i, fields in enumerate(start)]
        self.model = {d["_id"]: d for d in documents}
        self.trash: dict[int, dict[str, Any]] = {}
        self.repo = MaterializedRepo(data=documents, name="things")
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.loop.close()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(target=ids, record_id=IDS, fields=FIELDS)
    def create(self, record_id: int, fields: dict[str, Any]) -> int:
        document = {"_id": record_id, **fields}
        if record_id in self.model or record_id in self.trash:
            with pytest.raises(XRepoConflictError):
                self.run(self.repo.create(document))
        else:
            self.run(self.repo.create(document))
            self.model[record_id] = self.completed(document)
        return record_id

    def completed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Fields that hold nulls in the table so far get one where the document has nothing."""
        return document | {
            name: value for name, value in self.run(self.repo.read(document["_id"])).items()
            if name not in document and value is None
        }  # fmt: skip

    @rule(record_id=IDS, fields=FIELDS)
    def update(self, record_id: int, fields: dict[str, Any]) -> None:
        found = self.run(self.repo.update(record_id, fields))
        assert (found is None) == (record_id not in self.model)
        if found is not None:
            self.model[record_id] = self.model[record_id] | fields

    @rule(record_id=IDS)
    def unset(self, record_id: int) -> None:
        found = self.run(self.repo.update(record_id, {"$unset": {"a": ""}}))
        if found is not None:
            self.model[record_id].pop("a", None)

    @rule(record_id=IDS, soft=st.booleans())
    def delete(self, record_id: int, soft: bool) -> None:
        was = record_id in self.model
        assert self.run(self.repo.delete(record_id, soft=soft)) is was
        if was:
            document = self.model.pop(record_id)
            if soft:
                self.trash[record_id] = document

    @rule(record_id=IDS)
    def restore(self, record_id: int) -> None:
        was = record_id in self.trash
        assert self.run(self.repo.restore(record_id)) is was
        if was:
            self.model[record_id] = self.trash.pop(record_id)

    @rule(record_ids=st.lists(IDS, max_size=5, unique=True))
    def bulk_delete(self, record_ids: list[int]) -> None:
        there = [i for i in record_ids if i in self.model]
        assert self.run(self.repo.bulk_delete(record_ids, soft=False)) == len(there)
        for record_id in there:
            del self.model[record_id]

    @invariant()
    def same_rows(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = {row["_id"]: plain(row) for row in self.run(self.repo.list(limit=None))}
        assert rows == {record_id: plain(document) for record_id, document in self.model.items()}
        assert self.run(self.repo.count()) == len(self.model)

    @rule(record_id=IDS)
    def point_read(self, record_id: int) -> None:
        found = self.run(self.repo.read(record_id))
        expected = self.model.get(record_id)
        assert (found and plain(found)) == (expected and plain(expected))


RepoMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestRepo = RepoMachine.TestCase


def test_dead_rows_are_dropped_and_the_rest_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_DEAD", 5)

    async def work() -> None:
        repo = MaterializedRepo(data=[{"_id": i, "v": i * i} for i in range(100)])
        for start in range(0, 90, 10):
            await repo.bulk_delete(range(start, start + 9), soft=False)
            assert await repo.count() == 100 - 9 * (start // 10 + 1)
        assert (await repo.read(99))["v"] == 99 * 99
        assert await repo.read(5) is None
        assert repo._storage._base.frame.height < 60

    asyncio.run(work())
