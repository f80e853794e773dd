"""Documents come back from a frame exactly as they went in."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrepo_nb.schema.documents import to_documents
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.table import Table

bson = pytest.importorskip("bson")

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "none": st.none(),
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**63 - 1),
    "huge": st.integers(-(2**70), 2**70),
    "float": st.floats(allow_nan=False),
    "text": st.text(max_size=3),
    "any text": st.text(st.characters(codec=None), max_size=3),
    "bytes": st.binary(max_size=3),
    "datetime": st.datetimes(timezones=st.just(UTC)),
    "date": st.dates(),
    "time": st.times(),
    "duration": st.timedeltas(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2),
    "uuid": st.uuids(),
    "objectid": st.binary(min_size=12, max_size=12).map(bson.ObjectId),
    "regex": st.just(bson.Regex("a")),
    "int64": st.integers(0, 5).map(bson.Int64),
    "tuple": st.just((1, 2)),
}
NAMES = st.sampled_from(["a", "b", "c", "d.e", "", "$f"])


def exact(value: Any, same: type | None = None) -> Any:
    """A form of a value in which equality also compares types and the order of nested names.

    Subclasses of `same` count as that type."""
    if isinstance(value, dict):
        return dict, [(name, exact(item, same)) for name, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [exact(item, same) for item in value]
    if isinstance(value, (Decimal, datetime, time)):  # digits after the point, names of UTC and fold aside
        return type(value), value
    if same and isinstance(value, same) and not isinstance(value, bool):
        return same, same(value)
    return type(value), repr(value)


def exact_row(row: dict[str, Any]) -> Any:
    return {name: exact(value) for name, value in row.items()}


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> Any:
    """A strategy for the values of one field: mostly of one type, as in real collections."""
    kinds = draw(st.lists(st.sampled_from([*SCALARS, "object", "array"]), min_size=1, max_size=2))
    made = []
    for kind in kinds:
        if kind in SCALARS or depth > 2:
            made.append(SCALARS.get(kind, st.none()))
        elif kind == "array":
            made.append(st.lists(draw(values(depth + 1)), max_size=3))
        else:
            made.append(draw(objects(depth + 1)))
    return st.one_of(made)


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> Any:
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    fields = {name: draw(values(depth)) for name in names}
    always = draw(st.sets(st.sampled_from(names))) if names else ()
    return st.fixed_dictionaries(
        {name: fields[name] for name in names if name in always},
        optional={name: fields[name] for name in names if name not in always},
    )


@pytest.fixture(scope="module", params=[2, 8_192], autouse=True)
def slices(request: pytest.FixtureRequest) -> Iterator[None]:
    """Documents are read in slices: of two, so that slices have to agree, and all at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xrepo_nb.schema.inference.SLICE", request.param)
        patch.setattr("xrepo_nb.schema.documents.SLICE", request.param)
        yield


@given(objects().flatmap(lambda documents: st.lists(documents, max_size=6)))
@settings(max_examples=80, deadline=None)
def test_documents_survive_the_frame(documents: list[dict[str, Any]]) -> None:
    frame, schema, _ = infer(documents, widen=False)
    assert frame.height == len(documents)
    assert list(map(exact_row, to_documents(frame, schema))) == list(map(exact_row, documents))


@given(objects().flatmap(lambda documents: st.lists(documents, max_size=6)))
@settings(max_examples=80, deadline=None)
def test_what_loading_changes_is_reported(documents: list[dict[str, Any]]) -> None:
    frame, schema, report = infer(documents)
    after = to_documents(frame, schema)
    changed = {
        name
        for old, new in zip(documents, after, strict=True)
        for name in old
        if exact(old[name], same=int) != exact(new[name], same=int)
    }
    reported = {entry.path for entry in report if entry.coerced}
    assert all(any(path.startswith(name) for path in reported) for name in changed)
    assert [set(row) for row in after] == [set(row) for row in documents]


@given(objects().flatmap(lambda documents: st.lists(documents, max_size=6)))
@settings(max_examples=80, deadline=None)
def test_every_null_and_every_missing_field_is_counted(documents: list[dict[str, Any]]) -> None:
    report = infer(documents).report
    for name in {name for document in documents for name in document}:
        entry, values = report[name], [document[name] for document in documents if name in document]
        assert entry.missing == len(documents) - len(values)
        assert entry.nulls == sum(value is None for value in values)
        assert entry.present == len(values) - entry.nulls


@given(objects().flatmap(lambda documents: st.lists(documents, max_size=6)))
@settings(max_examples=50, deadline=None)
def test_a_table_gives_back_its_documents(documents: list[dict[str, Any]]) -> None:
    made = Table(documents=documents)
    again = Table(frame=made.frame, schema=made.schema)
    assert list(map(exact_row, again.documents)) == list(map(exact_row, documents))
