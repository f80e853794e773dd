"""The contract of a source: one suite over all of them, gaps told by the capability table."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.resources.sources import COLLECTION, KINDS, PEOPLE, SOURCES
from xrepo_nb.core.errors import XRepoNotFoundError, XRepoQueryError, XRepoUnsupportedError
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.query.parsing import parse_filter
from xrepo_nb.query.plan import Match, Scan
from xrepo_nb.resources import factory
from xrepo_nb.resources.base import Capabilities, ScanRequest, XResource
from xrepo_nb.resources.direct import answer

T = TypeVar("T")

FILTERS: list[dict[str, Any]] = [
    {},
    {"id": 1},
    {"id": 1.0},
    {"id": True},
    {"active": True},
    {"active": 1},
    {"active": None},
    {"name": "Ada"},
    {"name": "ada"},
    {"name": ""},
    {"name": None},
    {"name": {"$ne": None}},
    {"name": {"$ne": "Ada"}},
    {"name": 0},
    {"code": 7},
    {"code": "7"},
    {"code": {"$gt": "1"}},
    {"score": 2},
    {"score": {"$gte": 0}},
    {"score": {"$lt": 0}},
    {"score": {"$not": {"$gt": 1}}},
    {"n": 2**53 + 1},
    {"n": 2**53},
    {"n": float(2**53)},
    {"n": {"$gt": 2**53}},
    {"n": {"$lte": 0}},
    {"n": {"$gt": None}},
    {"n": {"$gte": None}},
    {"n": {"$in": [10, None, "x"]}},
    {"n": {"$nin": [10, None]}},
    {"n": {"$in": []}},
    {"n": {"$mod": [3, 1]}},
    {"n": {"$exists": True}},
    {"n": {"$exists": False}},
    {"n": {"$type": "number"}},
    {"name": {"$gt": "Ada"}},
    {"name": {"$lt": "a"}},
    {"name": {"$gt": 5}},
    {"name": {"$regex": "^Ada"}},
    {"name": {"$regex": "ADA", "$options": "i"}},
    {"name": {"$regex": "%"}},
    {"name": {"$in": ["Zoë", None, ""]}},
    {"$or": [{"id": 1}, {"score": None}]},
    {"$nor": [{"active": True}, {"n": {"$gt": 0}}]},
    {"$and": [{"id": {"$gt": 1}}, {"id": {"$lt": 4}}], "active": {"$ne": True}},
    {"$expr": {"$gt": ["$n", "$score"]}},
    {"$expr": {"$eq": [{"$add": ["$id", 1]}, 3]}},
    {"name__contains": "a", "id__lt": 6},
]


def conditions(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Filters on one field, with values that are there, near ones, and some of other types."""
    values = st.sampled_from([row[name] for row in PEOPLE] + [None, 0, 1.5, "Ad", "7", True])
    compare = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
    one = st.builds(lambda op, value: {op: value}, compare, values)
    many = st.builds(
        lambda op, items: {op: items}, st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=3)
    )
    return st.one_of(one, many, st.builds(lambda c: {"$not": c}, one)).map(
        lambda condition: {name: condition}
    )


class Made:
    """One source of each kind, in a loop of their own, for tests that ask many questions."""

    def __init__(self, folder: Path) -> None:
        self._runner, self._folder = asyncio.Runner(), folder
        self._sources: dict[str, XResource] = {}

    def source(self, kind: str) -> XResource:
        if kind not in self._sources:
            folder = self._folder / kind
            folder.mkdir()
            self._sources[kind] = SOURCES[kind].make(folder)
            self.run(self._sources[kind].connect())
        return self._sources[kind]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        for source in self._sources.values():
            self.run(source.close())
        self._runner.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    everything = Made(tmp_path_factory.mktemp("made"))
    yield everything
    everything.close()


def params(check: str) -> list[Any]:
    """Every source; where the table tells of a gap the check must fail."""
    return [
        pytest.param(
            name,
            marks=[pytest.mark.xfail(reason=source.gaps[check], strict=True)] if check in source.gaps else [],
        )
        for name, source in SOURCES.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", params(metafunc.function.__name__.removeprefix("test_")))


@pytest.fixture
async def source(kind: str, tmp_path: Path) -> AsyncIterator[XResource]:
    resource = await asyncio.to_thread(SOURCES[kind].make, tmp_path)
    await resource.connect()
    yield resource
    await resource.close()


async def rows(
    source: XResource, filters: dict[str, Any] | None = None, **options: Any
) -> list[dict[str, Any]]:
    return await source.query(filters, collection=COLLECTION, **options)


async def selected(source: XResource, filters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a filter selects, be its values of a type that `query` would refuse."""
    plan = Match(Scan(COLLECTION), parse_filter(filters))
    return await answer(source, COLLECTION, plan, await source.describe(COLLECTION))


def test_the_table_has_a_row_for_every_source_and_no_idle_gap() -> None:
    assert SOURCES.keys() == factory.SOURCES.own.keys()
    checks = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert not {gap for row in SOURCES.values() for gap in row.gaps} - checks


async def test_lifecycle(kind: str, tmp_path: Path) -> None:
    source = await asyncio.to_thread(SOURCES[kind].make, tmp_path)
    await source.connect()
    await source.connect()
    assert await source.validate_connection()
    await source.close()
    await source.close()
    await source.connect()
    assert await rows(source, {"id": 1})
    await source.close()


async def test_names(source: XResource, kind: str) -> None:
    assert COLLECTION in await source.list_collections_or_tables()
    assert source.connection_type == kind
    assert source.name and kind in repr(source).lower()
    with pytest.raises(XRepoNotFoundError, match=f"there are: .*{COLLECTION}") as caught:
        await source.describe("peple")
    assert caught.value.hint == f"did you mean {COLLECTION!r}?"


async def test_schema(source: XResource) -> None:
    schema = await source.describe(COLLECTION)
    assert {field.name: field.type.kind for field in schema.fields} == KINDS
    assert schema.name == COLLECTION


async def test_rows_come_as_they_are(source: XResource) -> None:
    assert await rows(source) == PEOPLE


async def test_scan_gives_batches(source: XResource) -> None:
    batches = [b async for b in source.scan(COLLECTION, ScanRequest(Scan(COLLECTION), batch_size=3))]
    assert [document for batch in batches for document in batch.documents] == PEOPLE
    assert all(batch.schema.names == tuple(KINDS) for batch in batches)


async def test_filters_select_what_the_interpreter_selects(source: XResource) -> None:
    wrong = {}
    for filters in FILTERS:
        holds = compile_predicate(parse_filter(filters))
        expected = [row["id"] for row in PEOPLE if holds(row)]
        found = [row["id"] for row in await selected(source, filters)]
        if found != expected:
            wrong[str(filters)] = (found, expected)
    assert not wrong


@given(
    st.lists(st.one_of(*map(conditions, KINDS)), min_size=1, max_size=3),
    st.sampled_from(["$and", "$or", "$nor"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_generated_filters_agree(kind: str, made: Made, parts: list[dict[str, Any]], how: str) -> None:
    holds = compile_predicate(parse_filter({how: parts}))
    assert made.run(selected(made.source(kind), {how: parts})) == [row for row in PEOPLE if holds(row)]


async def test_sort_skip_limit(source: XResource) -> None:
    found = await rows(source, {"id": {"$lte": 6}}, sort=[("score", -1), ("id", 1)], skip=1, limit=3)
    assert [row["id"] for row in found] == [3, 5, 1]
    assert [row["id"] for row in await rows(source, sort=[("name", 1)])] == [4, 3, 7, 1, 6, 5, 2]
    assert await rows(source, limit=0) == []


async def test_unknown_fields_and_operators_are_refused(source: XResource) -> None:
    with pytest.raises(XRepoQueryError, match="did you mean 'score'"):
        await rows(source, {"scor": 1})
    with pytest.raises(XRepoQueryError, match=r"\$gte"):
        await rows(source, {"score": {"$gtee": 1}})


async def test_capabilities_are_told_and_true(source: XResource, kind: str) -> None:
    able = source.capabilities
    writes = SOURCES[kind].writes
    assert (able.insert, able.update, able.delete) == (writes,) * 3
    if able.lazy:
        assert (await source.table(COLLECTION)).lazy.collect_schema().names() == list(KINDS)
    else:
        with pytest.raises(XRepoUnsupportedError):
            await source.table(COLLECTION)
    if not able.watch:
        with pytest.raises(XRepoUnsupportedError, match="watch"):
            source.watch(COLLECTION)


async def test_writes_or_says_that_it_is_read_only(source: XResource, kind: str) -> None:
    if not SOURCES[kind].writes:
        for write in (
            source.insert(COLLECTION, [{"id": 9}]),
            source.update(COLLECTION, [(1, {"n": 1})]),
            source.delete(COLLECTION, [1]),
        ):
            with pytest.raises(XRepoUnsupportedError, match=r"read-only.*materialized=True"):
                await write
        return
    added = await source.insert(COLLECTION, [{**PEOPLE[0], "id": 8}])
    changed = await source.update(COLLECTION, [(8, {"name": "Eva"}), (99, {"name": "nobody"})])
    removed = await source.delete(COLLECTION, [1, 99])
    assert added.outcomes == ("applied",)
    assert changed.outcomes == removed.outcomes == ("applied", "skipped")
    expected = [*PEOPLE[1:], {**PEOPLE[0], "id": 8, "name": "Eva"}]
    assert await rows(source, sort=[("id", 1)]) == expected


async def test_several_tasks_at_once(source: XResource) -> None:
    found = await asyncio.gather(*(rows(source, {"id": i % 8}) for i in range(16)))
    assert [len(each) for each in found] == [0, 1, 1, 1, 1, 1, 1, 1] * 2


async def test_a_cancelled_read_leaves_the_source_usable(source: XResource) -> None:
    reading = asyncio.ensure_future(rows(source))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    stream = source.scan(COLLECTION, ScanRequest(Scan(COLLECTION), batch_size=1))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await rows(source) == PEOPLE


async def test_nothing_blocks_the_loop(source: XResource) -> None:
    await rows(source, {"id": 1})
    with blockbuster_ctx():
        assert await source.validate_connection()
        await source.list_collections_or_tables()
        await source.describe(COLLECTION)
        assert len(await rows(source, {"id": {"$gt": 1}}, sort=[("id", -1)])) == 6
        if source.capabilities.insert:
            await source.insert(COLLECTION, [{**PEOPLE[0], "id": 20}])


def test_every_capability_is_explained() -> None:
    body = ast.parse(inspect.getsource(Capabilities)).body[0].body  # type: ignore[attr-defined]
    told = {
        statement.target.id
        for statement, after in pairwise(body)
        if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr)
    }
    assert told == {attribute.name for attribute in fields(Capabilities)}
