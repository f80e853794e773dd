"""Documents to a typed frame, exactly and with a report, against `pyarrow.Table.from_pylist` and
`polars.from_dicts`, which do less: the first drops fields that the first document lacks, the second
goes by the first hundred documents and casts what differs later. Frames to models against the ways
to do that by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import TypeAdapter

from benchmarks.timing import Row, compare
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.models import build_model
from xrepo_nb.schema.rows import to_models

Document = dict[str, Any]
START = datetime(2024, 1, 1, tzinfo=UTC)


def measure(*, quick: bool) -> list[Row]:
    """Loading a million documents of each shape, and making models of a tenth of them."""
    n = 50_000 if quick else 1_000_000
    rows = [_load(name, [shape(i) for i in range(n)]) for name, shape in SHAPES.items()]
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


def _load(name: str, documents: list[Document]) -> Row:
    others: dict[str, Callable[[], Any]] = {
        "pyarrow": lambda: pa.Table.from_pylist(documents),
        "polars": lambda: pl.from_dicts(documents),
    }
    if name == "nested":  # nine times slower than pyarrow there
        del others["polars"]
    title = f"load {len(documents):,} documents, {name}"
    return compare(title, lambda: infer(documents), others, target=0.9, at_least=True, runs=5)


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
