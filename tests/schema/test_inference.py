"""How documents become typed columns, and what the report says of it."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

DIRTY = Path(__file__).parents[2] / "datasets" / "dirty.json"


def kinds(documents: list[Any], **options: Any) -> dict[str, str]:
    return {field.name: str(field.type) for field in infer(documents, **options).schema.fields}


def column(*values: Any, **options: Any) -> str:
    return kinds([{"a": value} for value in values], **options)["a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((1, 2), "int"),
        ((1, None), "int"),
        ((1.5, float("nan")), "float"),
        ((True, False), "bool"),
        (("a", ""), "string"),
        ((b"a",), "binary"),
        ((date(2024, 1, 1),), "date"),
        ((None, None), "null"),
        (({}, {"x": 1}), "object<x: int>"),
        (([], [1]), "array<int>"),
        (([],), "array<null>"),
        (([[1], []],), "array<array<int>>"),
        (([{"x": 1}, {"y": "b"}],), "array<object<x: int, y: string>>"),
        ((1, True), "mixed"),
        ((True, 1), "mixed"),
        ((0.0, False), "mixed"),
        ((1, "1"), "mixed"),
        ((2**63,), "mixed"),
        ((date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)), "mixed"),
        (({"x": 1, "y": 1}, {"y": 1, "x": 1}), "mixed"),
        (({"x": None}, {}), "mixed"),
        (({1: "a"},), "mixed"),
        (("\ud800",), "mixed"),
        (([1, "a"],), "mixed"),
    ],
)
def test_the_kind_of_a_column(values: tuple[Any, ...], kind: str) -> None:
    assert column(*values) == kind


def test_ints_among_floats_become_floats_and_are_reported() -> None:
    _, schema, report = infer([{"a": 1}, {"a": 2.5}, {"a": 3}])
    assert schema["fields"]["a"]["type"] == "float"
    assert report["a"].types == {"int": 2, "float": 1}
    assert report["a"].coerced == {"int read as float": 2}
    assert not report.clean


@pytest.mark.parametrize("huge", [2**53 + 1, -(2**53) - 1, 2**60])
def test_ints_that_no_float_holds_keep_the_column_mixed(huge: int) -> None:
    frame, schema, report = infer([{"a": 0.5}, {"a": huge}])
    assert schema["fields"]["a"]["type"] == "mixed"
    assert frame["a"].to_list() == [0.5, huge]
    assert "2**53" in (report["a"].hint or "")


def test_without_widening_ints_among_floats_are_mixed() -> None:
    assert column(1, 2.5, widen=False) == "mixed"


@pytest.mark.parametrize("at", [1, 50, 98])
@pytest.mark.parametrize(
    ("value", "odd"), [(7, True), (0, False), (0.5, True), (0.5, 3), (2.0, 0), (None, 5)]
)
def test_one_odd_value_is_found_wherever_it_stands(value: Any, odd: Any, at: int) -> None:
    first = 2.5 if value is None else value
    values = [first, *[value] * 98]
    values[at] = odd
    report = infer([{"a": value} for value in values]).report
    assert report["a"].types == {
        type(first).__name__: len(values) - values.count(None) - 1,
        type(odd).__name__: 1,
    }
    assert not report.clean


def test_a_new_name_does_not_hide_a_missing_one() -> None:
    report = infer([{"a": 1, "b": None}, {"a": 2, "b": None}, {"a": 3, "c": 4}]).report
    assert [(entry.path, entry.nulls, entry.missing) for entry in report] == [
        ("a", 0, 0),
        ("b", 2, 1),
        ("c", 0, 2),
    ]


def test_null_and_missing_are_told_apart() -> None:
    documents: list[dict[str, Any]] = [
        {"null": None, "gone": 1, "both": None, "in": {"x": None, "y": 1}},
        {"null": 1, "both": 2, "in": {"x": 1}},
        {"null": 1, "in": {"x": 2}},
    ]
    frame, schema, report = infer(documents)
    absence = {field.name: field.absence for field in schema.fields}
    assert absence == {"null": "null", "gone": "missing", "both": "both", "in": "never"}
    assert schema.field("both").type.kind == "mixed"  # type: ignore[union-attr]
    assert (report["gone"].missing, report["null"].nulls, report["in.y"].missing) == (2, 1, 2)
    assert to_documents(frame, schema) == documents


def test_datetimes_become_utc_and_are_reported_when_they_were_not() -> None:
    naive, east = datetime(2024, 1, 1, 12), datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    frame, _, report = infer([{"a": naive}, {"a": east}, {"a": east.astimezone(UTC)}])
    assert frame.schema["a"] == pl.Datetime("us", "UTC")
    assert frame["a"].dt.hour().to_list() == [12, 10, 10]
    assert report["a"].coerced == {"naive datetime read as UTC": 1, "datetime moved to UTC": 1}


def test_text_is_read_as_dates_only_when_asked_and_only_throughout() -> None:
    documents = [{"day": "2024-02-29", "at": "2024-01-01T10:00:00+02:00", "no": "2024-02-30"}] * 2
    assert kinds(documents) == {"day": "string", "at": "string", "no": "string"}
    frame, schema, report = infer(documents, parse_dates=True)
    assert {f.name: f.type.kind for f in schema.fields} == {"day": "date", "at": "datetime", "no": "string"}
    assert frame["at"][0] == datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert report["day"].coerced == {"text read as date": 2}
    assert report["no"].hint == "some values are dates, others are not"


def test_other_libraries_scalars_count_as_pythons_own() -> None:
    import numpy as np
    import pandas as pd

    documents: list[dict[str, Any]] = [
        {
            "i": np.int64(1),
            "f": np.float32(0.5),
            "t": pd.Timestamp("2024-01-01", tz="UTC"),
            "v": np.array([1.0]),
        },
        {"i": 2, "f": 1.5, "t": pd.NaT, "v": np.array([2.0])},
    ]
    _, schema, report = infer(documents)
    assert [str(f.type) for f in schema.fields] == ["int", "float", "datetime", "array<float>"]
    assert report["t"].coerced == {"NaTType read as null": 1}
    assert report["v"].coerced == {"ndarray read as array": 2}
    assert schema.field("t").absence == "null"  # type: ignore[union-attr]
    assert column(pd.NaT, None, pd.NA) == "null"


def test_slices_agree_on_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrepo_nb.schema.inference.SLICE", 1)
    documents = [{"a": [{"x": 1}]}, {}, {"a": [{"y": "b"}]}, {"b": 1}, {"b": 0.5}]
    frame, schema, report = infer(documents)
    assert {f.name: str(f.type) for f in schema.fields} == {
        "a": "array<object<x: int, y: string>>",
        "b": "float",
    }
    assert to_documents(frame, schema) == documents
    assert report["a"].missing == 3
    assert report["b"].coerced == {"int read as float": 1}


def test_names_with_few_documents_each_stay_a_document() -> None:
    documents = [{"counts": {f"user{i}": i}} for i in range(1_000)]
    assert kinds(documents) == {"counts": "mixed"}


def test_deep_documents_stay_as_they_came() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"x": deep}
    assert column(deep) == "mixed"


def test_the_dirty_file() -> None:
    documents = json.loads(DIRTY.read_text("utf-8"))
    frame, schema, report = infer(documents)
    mixed = {f.name for f in schema.fields if f.type.kind == "mixed"}
    assert mixed == {"id", "age", "tags", "address"}
    assert to_documents(frame, schema) == documents
    assert "ints beyond 64 bits" in str(report)
    assert report.to_frame().filter(field="age")["missing"].item() == 1


def test_empty() -> None:
    assert infer([]).frame.shape == (0, 0)
    frame, schema, _ = infer([{}, {}])
    assert (frame.height, to_documents(frame, schema)) == (2, [{}, {}])


def test_what_is_no_document_is_refused_or_reported() -> None:
    with pytest.raises(XRepoValidationError, match="line 2: int where a document is expected"):
        infer([{"a": 1}, 7])
    frame, _, report = infer([{"a": 1}, 7, {"a": 2}], on_reject="report")
    assert frame["a"].to_list() == [1, 2]
    assert [str(row) for row in report.rejected] == ["line 2: int where a document is expected"]


@pytest.mark.parametrize("odd", [None, 7, "text", [], [1], {1: "x"}, ("a",)])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_odd_rows_are_found_wherever_they_stand(
    odd: Any, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xrepo_nb.schema.inference.SLICE", 2)
    documents: list[Any] = [{"a": 1}, {"a": 2}, {"a": 3}]
    documents.insert(place, odd)
    frame, _, report = infer(documents, on_reject="report")
    assert frame["a"].to_list() == [1, 2, 3]
    assert [row.line for row in report.rejected] == [place + 1]


def test_documents_with_defaults_are_read_and_left_alone() -> None:
    first = defaultdict(int, a=1)
    documents: list[Any] = [first, {"a": 2, "b": 3}]
    frame, schema, _ = infer(documents)
    assert dict(first) == {"a": 1}
    assert to_documents(frame, schema) == [{"a": 1}, {"a": 2, "b": 3}]


INT = {"fields": {"a": {"type": "int"}}}


@pytest.mark.parametrize(
    ("declared", "value", "stored"),
    [
        ("int", "12", 12),
        ("int", 12.0, 12),
        ("float", 3, 3.0),
        ("float", "1.5", 1.5),
        ("date", "2024-01-01", date(2024, 1, 1)),
        ("datetime", "2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
        ("datetime", date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
    ],
)
def test_lossless_conversions_to_a_declared_type_are_made_and_reported(
    declared: str, value: Any, stored: Any
) -> None:
    frame, schema, report = infer([{"a": value}], {"fields": {"a": {"type": declared}}})
    assert to_documents(frame, schema) == [{"a": stored}]
    assert schema["fields"]["a"]["type"] == declared
    assert sum(report["a"].coerced.values()) == 1


@pytest.mark.parametrize(
    ("declared", "value"),
    [("int", "x"), ("int", 1.5), ("int", True), ("int", 2**64), ("string", 1), ("bool", 1), ("date", "soon")],
)
def test_what_does_not_fit_the_schema_is_rejected_by_line(declared: str, value: Any) -> None:
    fits = {"int": 1, "string": "a", "bool": True, "date": date(2024, 1, 1)}[declared]
    documents = [{"a": fits}, {"a": value}, {"a": fits}]
    schema = {"fields": {"a": {"type": declared}}}
    with pytest.raises(XRepoValidationError, match="line 2: a: ") as caught:
        infer(documents, schema)
    assert "soon" not in str(caught.value)
    frame, _, report = infer(documents, schema, on_reject="report")
    assert frame["a"].to_list() == [fits, fits]
    assert [(row.line, row.field) for row in report.rejected] == [(2, "a")]
    assert report.rows == 2


def test_required_fields_are_required() -> None:
    schema = {"fields": {"a": {"type": "int", "required": True}}}
    _, _, report = infer([{"a": 1}, {"a": None}, {}], schema, on_reject="report")
    assert [row.line for row in report.rejected] == [2, 3]


def test_a_schema_types_what_the_documents_leave_open() -> None:
    declared = Schema.of(
        {
            "fields": {
                "a": {"type": "int"},
                "b": {"type": "array", "items": {"type": "string"}},
                "c": {"type": "date"},
            }
        }
    )
    frame, schema, _ = infer([{"a": None, "b": [], "more": 1}], declared)
    assert frame.schema == {"a": pl.Int64, "b": pl.List(pl.String), "c": pl.Date, "more": pl.Int64}
    assert to_documents(frame, schema) == [{"a": None, "b": [], "more": 1}]
    assert infer([], declared).frame.schema == declared.to_polars()


NESTED = {"fields": {"a": {"type": "object", "fields": {"x": {"type": "int"}}}}}


def test_nested_fields_fit_too() -> None:
    frame, schema, report = infer([{"a": {"x": "1"}}, {"a": {}}, {}], NESTED)
    assert to_documents(frame, schema) == [{"a": {"x": 1}}, {"a": {}}, {}]
    assert report["a"].coerced == {"string read as int": 1}


def test_null_and_missing_become_what_the_schema_declares_where_they_meet() -> None:
    frame, schema, report = infer([{"a": {"x": 1}}, {"a": {}}, {"a": {"x": None}}], NESTED)
    assert to_documents(frame, schema) == [{"a": {"x": 1}}, {"a": {"x": None}}, {"a": {"x": None}}]
    assert report["a"].coerced == {"missing read as null": 1}


def test_a_free_object_may_hold_what_no_column_holds() -> None:
    documents = [{"a": {"x": None}}, {"a": {}}, {"a": {"x": "y"}}]
    frame, schema, report = infer(documents, {"fields": {"a": {"type": "object"}}})
    assert schema["fields"]["a"]["type"] == "mixed"
    assert report["a"].hint == "both null and missing"
    assert to_documents(frame, schema) == documents


def test_a_table_keeps_what_its_schema_does_not_hold() -> None:
    table = Table(documents=[{"a": "x"}, {"a": 1}], schema=Schema.of(INT))
    assert table.frame["a"].to_list() == ["x", 1]
    again = Table(frame=table.frame, schema=infer(table.documents, INT, on_reject="keep").schema)
    assert again.documents == table.documents
