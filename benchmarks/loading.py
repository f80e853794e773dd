"""Documents to a typed frame, exactly and with a report, against the correct ways of pyarrow and Polars:
each is given what it needs to lose nothing of these documents, a look at all of them or the full schema,
which ours has to find. The fastest of them is the one held against, although with a schema neither looks
at types (among ints 1.5 becomes 1): where flat documents hold nothing but scalars, Polars is faster so.
The others stand beside it, and also what the two do by default, which is not correct:
`pyarrow.Table.from_pylist` drops the fields that the first document lacks, `polars.from_dicts` goes by the
first hundred documents. Frames to models against the ways to do that by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import TypeAdapter

from benchmarks.timing import Row, compare, interleaved
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.models import build_model
from xrepo_nb.schema.rows import to_models

Document = dict[str, Any]
START = datetime(2024, 1, 1, tzinfo=UTC)


def measure(*, quick: bool) -> list[Row]:
    """Loading a million documents of each shape, and making models of a tenth of them."""
    n = 50_000 if quick else 1_000_000
    rows = [row for name, shape in SHAPES.items() for row in _load(name, [shape(i) for i in range(n)])]
    return rows + [_models(name, [SHAPES[name](i) for i in range(n // 10)]) for name in ("flat", "nested")]


def _flat(i: int) -> Document:
    return {"id": i, "name": f"name {i}", "city": f"city {i % 50}", "age": i % 90 + 2, "score": i / 7,
            "active": i % 3 == 0, "joined": START + timedelta(seconds=i)}  # fmt: skip


def _scalars(i: int) -> Document:
    return {
        "id": i,
        "name": f"name {i}",
        "age": i % 90 + 2 if i % 5 else None,
        "score": i / 7,
        "active": i % 3 == 0,
    }


def _missing(i: int) -> Document:
    return {"id": i, "name": f"name {i}", "age": i % 90 + 2} | ({"score": i / 7} if i % 3 else {})


def _nested(i: int) -> Document:
    return {"id": i, "user": {"name": f"name {i}", "home": {"city": f"city {i % 50}", "zip": i}},
            "tags": ["a", "b"], "orders": [{"sku": f"s{i % 99}", "n": i % 9 + 2}]}  # fmt: skip


SHAPES: dict[str, Callable[[int], Document]] = {
    "flat": _flat,
    "flat, scalars and nulls": _scalars,
    "flat, missing fields": _missing,
    "nested": _nested,
}


def _load(name: str, documents: list[Document]) -> list[Row]:
    """Ours against the fastest correct way, and beside each other way."""
    frame = infer(documents).frame
    arrow, polars = frame.to_arrow().schema, frame.schema
    correct: dict[str, Callable[[], Any]] = {
        "pyarrow, schema": lambda: pa.Table.from_pylist(documents, arrow),
        "polars, schema": lambda: pl.from_dicts(documents, polars),
        "polars, all looked at": lambda: pl.from_dicts(documents, infer_schema_length=None),
    }
    loose: dict[str, Callable[[], Any]] = {
        "pyarrow, by default": lambda: pa.Table.from_pylist(documents),
        "polars, by default": lambda: pl.from_dicts(documents),
    }
    ways = correct | loose
    if name == "nested":  # nine times slower than pyarrow there
        ways = {key: way for key, way in ways.items() if not key.startswith("polars")}
    for key in correct.keys() & ways.keys():
        made = ways[key]()
        assert (made if isinstance(made, pl.DataFrame) else pl.from_arrow(made)).equals(frame), key
    times = interleaved({"ours": lambda: infer(documents)} | ways, 5)
    ours, *others = ((key, median(runs)) for key, runs in times.items())
    best = min((key for key in correct if key in ways), key=lambda key: median(times[key]))
    title = f"load {len(documents):,} documents, {name}"
    return [
        Row(title, ours[1], time, key, 0.9 if key == best else None, at_least=True) for key, time in others
    ]


def _models(name: str, documents: list[Document]) -> Row:
    frame, schema, _ = infer(documents)
    model = build_model(schema, "rows")
    adapter: TypeAdapter[Any] = TypeAdapter(list[model])  # type: ignore[valid-type]

    def sliced(validate: Callable[[pl.DataFrame], list[Any]]) -> Callable[[], list[Any]]:
        return lambda: [m for at in range(0, frame.height, 5_000) for m in validate(frame.slice(at, 5_000))]

    others = {
        "validate_python(to_dicts)": sliced(lambda piece: adapter.validate_python(piece.to_dicts())),
        "validate_json(write_json)": sliced(lambda piece: adapter.validate_json(piece.write_json())),
        "model_construct": sliced(lambda piece: [model.model_construct(**row) for row in piece.to_dicts()]),
    }
    title = f"{len(documents):,} models, {name}"
    return compare(title, lambda: to_models(frame, schema, model), others, target=0.9, at_least=True, runs=5)
