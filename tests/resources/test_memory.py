"""Data of the notebook as a source: any form of it, never changed, written to as a whole or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.query.plan import Limit, Scan
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.resources.memory import MemoryResource

ROWS = [{"id": 1, "city": "Rome"}, {"id": 2, "city": "Oslo"}]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(ROWS),
        pl.DataFrame(ROWS),
        pl.LazyFrame(ROWS),
        pd.DataFrame(ROWS),
        pa.Table.from_pylist(ROWS),
        pa.table(pl.DataFrame(ROWS)).to_reader(),
    ],
    ids=["dicts", "tuple", "polars", "lazy", "pandas", "arrow", "arrow stream"],
)
async def test_every_form_of_rows_is_the_same_source(data: Any) -> None:
    source = MemoryResource(data)
    assert await source.query(sort=[("id", 1)]) == ROWS
    schema = await source.describe()
    assert {f.name: f.type.kind for f in schema.fields} == {"id": "int", "city": "string"}
    assert schema.primary_key == ("id",)


async def test_pandas_in_all_its_variety() -> None:
    frame = pd.DataFrame(
        {
            "mixed": ["x", 3, None],
            "when": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "n": [1.5, float("nan"), 2.5],
            7: [True, False, True],
        },
        index=pd.Index(["a", "b", "c"], name="key"),
    )
    source = MemoryResource(frame)
    rows = await source.query()
    assert rows[0] == {
        "key": "a",
        "mixed": "x",
        "when": datetime(2024, 1, 1, tzinfo=UTC),
        "n": 1.5,
        "7": True,
    }
    assert rows[1] == {"key": "b", "mixed": 3, "when": None, "n": None, "7": False}
    assert source.reports["data"]["mixed"].types == {"string": 1, "int": 1}


async def test_the_data_given_is_never_changed() -> None:
    data = [{"id": 1, "tags": ["a"]}, {"id": 2, "tags": []}]
    source = MemoryResource(data)
    await source.update(None, [(1, {"tags": None})])
    await source.insert(None, [{"id": 3}])
    await source.delete(None, [2])
    assert data == [{"id": 1, "tags": ["a"]}, {"id": 2, "tags": []}]
    assert await source.query() == [{"id": 1, "tags": None}, {"id": 3}]


async def test_several_collections() -> None:
    source = MemoryResource({"a": [{"x": 1}], "b": pl.DataFrame({"y": [2]})})
    assert await source.list_collections_or_tables() == ["a", "b"]
    assert await source.query(collection="b") == [{"y": 2}]
    with pytest.raises(XRepoConfigurationError, match="several collections; there are: a, b"):
        await source.describe()


async def test_a_batch_applies_as_a_whole_or_not_at_all() -> None:
    source = MemoryResource(ROWS)
    for attempt in (
        source.insert(None, [{"id": 3}, {"id": 1}, {"id": 4}]),
        source.insert(None, [{"id": 3}, {"id": 3}]),
        source.insert(None, [{"id": 3}, {"city": "no key"}]),
        source.update(None, [(1, {"city": "X"}), (2, {"id": 1})]),
    ):
        with pytest.raises(XRepoValidationError) as caught:
            await attempt
        outcomes = caught.value.result.outcomes
        assert outcomes.count("failed") == 1 and "applied" not in outcomes
        assert await source.query() == ROWS


async def test_outcomes_name_every_index() -> None:
    source = MemoryResource(ROWS)
    result = await source.update(None, [(9, {"city": "X"}), (2, {"city": "Y"})])
    assert result.outcomes == ("skipped", "applied")
    assert result.errors == {0: "no record with this id"}
    assert result.documents == (None, {"id": 2, "city": "Y"})
    assert (await source.delete(None, [1, 1])).outcomes == ("applied", "skipped")


async def test_keys() -> None:
    with pytest.raises(XRepoValidationError, match="no field 'idd'.*did you mean 'id'"):
        await MemoryResource(ROWS, primary_key="idd").describe()
    with pytest.raises(XRepoValidationError, match="does not tell each record"):
        await MemoryResource([{"k": 1}, {"k": 1}], primary_key="k").describe()
    assert (await MemoryResource([{"id": 1}, {"id": 1}]).describe()).primary_key == ()
    keyless = MemoryResource([{"x": 1}])
    assert (await keyless.insert(None, [{"x": 1}])).outcomes == ("applied",)
    with pytest.raises(XRepoUnsupportedError, match="no primary key.*primary_key="):
        await keyless.update(None, [(1, {"x": 2})])
    several = MemoryResource([{"a": 1, "b": 1}, {"a": 1, "b": 2}], primary_key=["a", "b"])
    assert (await several.delete(None, [(1, 2)])).outcomes == ("applied",)
    with pytest.raises(XRepoConflictError):
        await several.insert(None, [{"a": 1.0, "b": 1}])
    assert (await several.insert(None, [{"a": True, "b": 1}])).outcomes == ("applied",)


async def test_an_emptied_collection_keeps_its_schema() -> None:
    source = MemoryResource(ROWS)
    await source.delete(None, [1, 2])
    assert (await source.describe()).names == ("id", "city")
    assert await source.query({"city": "Rome"}) == []


async def test_a_reader_keeps_the_state_it_began_with() -> None:
    source = MemoryResource([{"id": i} for i in range(10)])
    stream = source.scan(None, ScanRequest(Scan("data"), batch_size=2))
    first = await anext(stream)
    await source.delete(None, list(range(10)))
    rest = [document for batch in [b async for b in stream] for document in batch.documents]
    assert len(first.documents) + len(rest) == 10
    assert await source.query() == []


async def test_writers_from_several_tasks_lose_nothing() -> None:
    source = MemoryResource([{"id": -1}])
    await asyncio.gather(*(source.insert(None, [{"id": i}]) for i in range(50)))
    assert len(await source.query()) == 51


async def test_a_plan_is_run_by_the_source() -> None:
    source = MemoryResource(ROWS)
    batches = [b async for b in source.scan("data", ScanRequest(Limit(Scan("data"), 1)))]
    assert [d for b in batches for d in b.documents] == ROWS[:1]


@pytest.mark.parametrize("data", [5, object(), "text", b"bytes", {1, 2}])
async def test_what_holds_no_rows_is_refused(data: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="cannot read rows"):
        await MemoryResource(data).describe()


async def test_what_is_no_document_is_named() -> None:
    with pytest.raises(XRepoValidationError, match="row 1 is an int, not a document"):
        await MemoryResource([{"x": 1}, 3]).describe()
