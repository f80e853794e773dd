"""JSON and NDJSON: exact for mixed fields, typed where all documents agree, lazy where typed."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.resources.conftest import Write
from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.files import FileResource
from xrepo_nb.resources.folder import FolderResource
from xrepo_nb.resources.json import JSONResource
from xrepo_nb.resources.ndjson import NDJSONResource
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.inference import infer

DIRTY = [
    {"id": 1, "v": 1, "n": None, "big": 2**70},
    {"id": 2, "v": "one", "big": 1, "deep": {"a": [1, "x"]}},
]


def as_text(documents: list[dict[str, Any]], format: type[FileResource]) -> str:
    if format is JSONResource:
        return json.dumps(documents)
    return "".join(json.dumps(document) + "\n" for document in documents)


async def read(source: FileResource) -> list[dict[str, Any]]:
    schema, lazy = await source.describe(), (await source.table()).lazy
    return to_documents(await asyncio.to_thread(lazy.collect), schema)


@pytest.mark.parametrize("format", [JSONResource, NDJSONResource])
async def test_documents_come_back_as_they_are(write: Write, format: type[FileResource]) -> None:
    source = format(write("a.txt", as_text(DIRTY, format)))  # type: ignore[call-arg, arg-type]
    assert await read(source) == DIRTY
    kinds = {field.name: field.type.kind for field in (await source.describe()).fields}
    assert kinds == {"id": "int", "v": "mixed", "n": "mixed", "big": "mixed", "deep": "mixed"}
    assert source.reports["a"]["v"].types == {"int": 1, "string": 1}


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("pq"), v, max_size=2),
    max_leaves=5,
)
documents = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=6)
typed = st.lists(
    st.fixed_dictionaries(
        {"i": st.integers(-(2**40), 2**40)},
        optional={
            "s": st.text(max_size=3),
            "o": st.fixed_dictionaries({}, optional={"x": st.booleans(), "y": st.lists(st.floats(0, 1))}),
        },
    ),
    min_size=1,
    max_size=8,
)


@given(documents | typed)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ndjson_reads_what_was_written_in_blocks_too(
    write: Write, monkeypatch: pytest.MonkeyPatch, given: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("xrepo_nb.resources.bytes.BLOCK", 16)
    path = write("a.ndjson", as_text(given, NDJSONResource))
    source = NDJSONResource(path)
    _, schema, report = infer(given)
    found = asyncio.run(source.describe())
    assert {f.name: (f.type, f.absence) for f in found.fields} == {
        f.name: (f.type, f.absence) for f in schema.fields
    }
    assert asyncio.run(read(source)) == given
    ours = source.reports["a"]
    assert ours.rows == report.rows
    for entry in report:
        if schema.field(entry.path) is not None:
            assert (ours[entry.path].types, ours[entry.path].nulls) == (entry.types, entry.nulls)


async def test_typed_ndjson_is_scanned_not_held(write: Write) -> None:
    text = as_text([{"a": i, "b": {"c": str(i)}} for i in range(50)], NDJSONResource)
    for name, content in (("a.ndjson", text.encode()), ("b.ndjson.gz", gzip.compress(text.encode()))):
        source = NDJSONResource(write(name, content))
        assert "NDJson SCAN" in (await source.table()).lazy.explain()
        assert await source.query({"b.c": "7"}) == [{"a": 7, "b": {"c": "7"}}]


@pytest.mark.parametrize(
    "text",
    ['{"a": 1.5}\n{"a": NaN}\n', '\ufeff{"a": 1}\n', '{"a": "\\ud800"}\n'],
)
async def test_what_a_scan_would_change_is_held(write: Write, text: str) -> None:
    source = NDJSONResource(write("a.ndjson", text))
    assert "SCAN" not in (await source.table()).lazy.explain()
    assert len(await read(source)) == text.count("\n")


async def test_file_names_are_no_patterns(write: Write) -> None:
    path = write("a[1]*.ndjson", '{"a": 1}\n')
    write("a1x.ndjson", '{"a": 2}\n')
    assert await FolderResource(path.parent).query(collection="a[1]*") == [{"a": 1}]


async def test_one_object_is_one_document(write: Write) -> None:
    assert await JSONResource(write("a.json", '{"a": {"b": 1}}')).query() == [{"a": {"b": 1}}]
    assert await JSONResource(write("b.json", "[]")).query() == []


@pytest.mark.parametrize(
    ("format", "text", "message"),
    [
        (JSONResource, '[{"a": 1},\n {"a": }]', r"not readable as JSON, line 2, column 8: Expecting value"),
        (JSONResource, "", r"line 1, column 1: Expecting value"),
        (JSONResource, '{"a":1}\n{"a":2}\n', r"line 2.*Extra data. Hint: one document a line is NDJSON"),
        (JSONResource, '[{"a": 1, "a": 2}]', r"the name 'a' comes twice in an object"),
        (JSONResource, '[{"a": 1}, 5]', r"item 2: a number where an object should be.*on_error='report'"),
        (JSONResource, "[" * 100_000, r"nested too deeply"),
        (JSONResource, b'{"a": "\xff"}', r"line 1: not valid UTF-8"),
        (NDJSONResource, '{"a":1}\n{"a":\n', r"line 2, column 6: Expecting value.*on_error='report'"),
        (NDJSONResource, '{"a":1}\n\n[1]\n', r"line 3: an array where an object should be"),
        (NDJSONResource, '{"a":1,"a":2}\n', r"line 1: the name 'a' comes twice"),
    ],
)
async def test_what_is_not_json_is_named(
    write: Write, format: type[FileResource], text: str | bytes, message: str
) -> None:
    with pytest.raises(XRepoValidationError, match=message):
        await format(write("a.json", text)).describe()  # type: ignore[call-arg, arg-type]


async def test_the_rest_loads_when_asked_for(write: Write) -> None:
    lines = NDJSONResource(write("a.ndjson", '{"a":1}\n3\n{"a":2}\n{"a":\n'), on_error="report")
    assert await lines.query() == [{"a": 1}, {"a": 2}]
    assert [row.line for row in lines.reports["a"].rejected] == [2, 4]
    items = JSONResource(write("a.json", '[{"a":1}, null]'), on_error="report")
    assert await items.query() == [{"a": 1}]
    assert [str(row) for row in items.reports["a"].rejected] == ["line 2: null where an object should be"]
