"""CSV: types from the whole file, broken lines named, nothing lost."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.resources.conftest import Write
from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.csv import CSVResource


async def rows(source: Path | CSVResource, **options: Any) -> list[dict[str, Any]]:
    resource = source if isinstance(source, CSVResource) else CSVResource(source, **options)
    return await resource.query()


async def kinds(path: Path, **options: Any) -> dict[str, str]:
    schema = await CSVResource(path, **options).describe()
    return {field.name: field.type.kind for field in schema.fields}


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["1", "-2", ""], "int", [1, -2, None]),
        (["1", "2.5", "1e3"], "float", [1.0, 2.5, 1000.0]),
        (["true", "False"], "bool", [True, False]),
        (["2024-02-29", ""], "date", [date(2024, 2, 29), None]),
        (["2024-02-29 12:30:00"], "datetime", [datetime(2024, 2, 29, 12, 30, tzinfo=UTC)]),
        (["2024-02-29T12:30:00.25"], "datetime", [datetime(2024, 2, 29, 12, 30, 0, 250_000, tzinfo=UTC)]),
        (["2024-02-29T12:30:00+02:00"], "datetime", [datetime(2024, 2, 29, 10, 30, tzinfo=UTC)]),
        (["2024-02-29T12:30:00Z"], "datetime", [datetime(2024, 2, 29, 12, 30, tzinfo=UTC)]),
        (["00501", "10001"], "string", ["00501", "10001"]),
        (["+49", "30"], "string", ["+49", "30"]),
        (["1", "x"], "string", ["1", "x"]),
        (["9223372036854775808"], "string", ["9223372036854775808"]),
        (["12345678901234567", "0.5"], "string", ["12345678901234567", "0.5"]),
        (["9223372036854775807"], "int", [2**63 - 1]),
        (["1e999", "1.0"], "string", ["1e999", "1.0"]),
        (["2023-02-29"], "string", ["2023-02-29"]),
        (["2024-01-01", "yesterday"], "string", ["2024-01-01", "yesterday"]),
        ([" 1", "2"], "string", [" 1", "2"]),
        (['"1"', '""'], "int", [1, None]),
        (['""', "x"], "string", ["", "x"]),
    ],
)
async def test_a_type_fits_every_value_exactly(
    write: Write, values: list[str], kind: str, read: list[Any]
) -> None:
    path = write("a.csv", "n,x\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    assert (await kinds(path))["x"] == kind
    assert [row["x"] for row in await rows(path)] == read


async def test_the_last_row_counts_as_much_as_the_first(write: Write) -> None:
    path = write("a.csv", "x\n" + "1\n" * 5_000 + "n/a\n")
    resource = CSVResource(path)
    assert (await rows(resource))[-1] == {"x": "n/a"}
    entry = resource.reports["a"]["x"]
    assert entry.types == {"int": 5_000, "string": 1}
    assert entry.hint == "several types: kept as text"


async def test_null_values_are_null(write: Write) -> None:
    path = write("a.csv", "x\n1\nNA\n")
    assert await rows(path, null_values="NA") == [{"x": 1}, {"x": None}]


async def test_what_dates_become_is_reported_and_can_be_switched_off(write: Write) -> None:
    path = write("a.csv", "t\n2024-01-01 00:00:00\n")
    resource = CSVResource(path)
    await resource.describe()
    assert resource.reports["a"]["t"].coerced == {"naive datetime taken as UTC": 1}
    assert await kinds(path, try_parse_dates=False) == {"t": "string"}


async def test_dialects(write: Write) -> None:
    assert await rows(write("a.tsv", "a\tb\n1\t2\n")) == [{"a": 1, "b": 2}]
    assert await rows(write("b.csv", "a;b\n1;2\n"), separator=";") == [{"a": 1, "b": 2}]
    assert await rows(write("c.csv", "1,2\n"), has_header=False) == [{"column_1": 1, "column_2": 2}]
    assert await rows(write("d.csv", "1,2\n"), has_header=False, columns=["a", "b"]) == [{"a": 1, "b": 2}]
    assert await rows(write("e.csv", 'x\n5" pipe\n'), quote=None) == [{"x": '5" pipe'}]
    assert await rows(write("f.csv", "é\nü\n".encode("cp1252")), encoding="cp1252") == [{"é": "ü"}]
    assert await rows(write("g.csv", "é\nü\n".encode("utf-16")), encoding="utf-16") == [{"é": "ü"}]
    assert await rows(write("h.csv", "\ufeffa\r\n1\r\n")) == [{"a": 1}]
    assert await rows(write("i.csv.gz", gzip.compress(b"a\n1\n"))) == [{"a": 1}]


async def test_zstandard(write: Write) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as out:
        out.write(b"a\n1\n")
    assert await rows(write("a.csv.zst", sink.getvalue().to_pybytes())) == [{"a": 1}]


async def test_quoted_fields_may_hold_everything(write: Write) -> None:
    path = write("a.csv", 'a,b\n"x, ""y""\nz",1\n\n2,3\n')
    assert await rows(path) == [{"a": 'x, "y"\nz', "b": 1}, {"a": "2", "b": 3}]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a,b\n1,2\n3\n", 3, "1 field instead of 2"),
        (b"a,b\n1,2,3\n", 2, "3 fields instead of 2"),
        (b'a,b\n1,2\n3,"x\n5,6\n', 3, "a quote is opened and not closed"),
        (b'a,b\n1,x"y"\n', 2, "a quote stands inside a field that is not quoted"),
        (b"a,b\n1,\xff\n", 2, "not valid UTF-8"),
        (b'a,b\n"1\n2",3\n4\n', 4, "1 field instead of 2"),
    ],
)
async def test_a_broken_line_is_named(write: Write, content: bytes, line: int, reason: str) -> None:
    path = write("broken.csv", content)
    with pytest.raises(
        XRepoValidationError, match=rf"'broken.csv', line {line}: {reason}.*on_error='report'"
    ):
        await CSVResource(path).describe()


async def test_the_rest_loads_when_asked_for(write: Write) -> None:
    path = write("a.csv", b'a,b\n1,2\n3\n"open,5\n6,7\n8,\xff\n9,"1\n0"\n')
    resource = CSVResource(path, on_error="report")
    assert await rows(resource) == [{"a": 1, "b": "2"}, {"a": 6, "b": "7"}, {"a": 9, "b": "1\n0"}]
    report = resource.reports["a"]
    assert [(row.line, row.reason) for row in report.rejected] == [
        (3, "1 field instead of 2"),
        (4, "a quote is opened and not closed"),
        (6, "not valid UTF-8"),
    ]
    assert report.rows == 3 and not report.clean


async def test_blocks_of_lines_change_nothing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "a,b\n" + "".join(f'{i},"x{i}\n"\n' if i % 3 else f"{i},y\n" for i in range(200)) + "7\n"
    path = write("a.csv", content)
    whole = CSVResource(path, on_error="report")
    expected = await rows(whole)
    monkeypatch.setattr("xrepo_nb.resources.bytes.BLOCK", 7)
    pieces = CSVResource(path, on_error="report")
    assert await rows(pieces) == expected
    assert len(expected) == 200
    assert pieces.reports["a"] == whole.reports["a"]


async def test_a_header_is_needed(write: Write) -> None:
    with pytest.raises(XRepoValidationError, match="is empty"):
        await CSVResource(write("a.csv", "")).describe()
    with pytest.raises(XRepoValidationError, match=r"two columns named 'x'.*columns="):
        await CSVResource(write("b.csv", "x,x\n1,2\n")).describe()
    with pytest.raises(XRepoValidationError, match="line 1 is no header: a quote stands"):
        await CSVResource(write("e.csv", 'a,b"\n1,2\n'), on_error="report").describe()
    assert await rows(write("c.csv", "x,\n1,2\n")) == [{"x": 1, "column_2": 2}]
    assert await rows(write("d.csv", "x,y\n")) == []


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=2, max_size=2
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_writer_writes_is_read_back(write: Write, cells: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["a", "b"], *(["x" + c for c in row] for row in cells)])
    read = asyncio.run(rows(write("a.csv", out.getvalue())))
    assert [[row["a"], row["b"]] for row in read] == [["x" + c for c in row] for row in cells]


async def test_row_count_and_size_are_at_hand(write: Write) -> None:
    source = CSVResource(write("a.csv", "x\n1\n2\n"))
    await source.describe()
    assert source.reports["a"].rows == 2
    assert await source.size_bytes() == 6


@pytest.mark.parametrize("mark", [";", "\t", "|"])
async def test_another_separator_is_named(write: Write, mark: str) -> None:
    path = write("a.csv", f"a{mark}b\n1{mark}2\n")
    with pytest.raises(XRepoValidationError) as caught:
        await rows(path)
    assert f"separator={mark!r}" in str(caught.value)
    assert await rows(path, separator=mark) == [{"a": 1, "b": 2}]
    assert await rows(path, separator=",") == [{f"a{mark}b": f"1{mark}2"}]


async def test_another_encoding_is_hinted_at(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("name\nZo\xe9\n".encode("latin-1"))
    with pytest.raises(XRepoValidationError, match="encoding="):
        await rows(path)
    assert await rows(path, encoding="latin-1") == [{"name": "Zo\xe9"}]
