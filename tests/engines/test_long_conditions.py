"""Long filters: thousands of conditions and values are answered alike by all engines, and soon."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoError, XRepoUnsupportedError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

START = datetime(2024, 1, 1, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "n": [0, 1, 2, 5000, -7, None, 2**62],
        "f": [0.0, -0.0, 0.5, math.nan, 1e300, None, 3.0],
        "s": ["t0", "t3", "x", "", None, "t19", "t5000"],
        "d": [START, START + timedelta(hours=3), None, START, START, START, datetime(1, 1, 1, tzinfo=UTC)],
        "b": [b"\x00", b"\x03", b"", None, b"zz", b"\x01", b"\x02"],
    }
)
DOUBLES = [i / 2 for i in range(50_000)]

LONG: dict[str, Any] = {
    "mixed": {"$or": [[{"n": i, "s": f"t{i}"}, {"f": {"$gt": 10 + i}}][i % 2] for i in range(6000)]},
    "nested": {"$nor": [{"$and": [{"n": i}, {"$or": [{"f": 0.5}, {"s": f"t{i}"}]}]} for i in range(3000)]},
    "all of": {"$and": [{"n": {"$ne": i + 1}} for i in range(4000)]},
    "doubles": {"f": {"$in": [*DOUBLES, math.nan]}},
    "none of the doubles": {"f": {"$nin": DOUBLES}},
    "ints among doubles": {"f": {"$in": [*range(50_000), 10**300]}},
    "doubles among ints": {"n": {"$in": [*DOUBLES, 2.0**62, None]}},
    "dates": {"d": {"$in": [START + timedelta(hours=i) for i in range(20_000)]}},
    "naive dates": {"d": {"$in": [datetime(2024, 1, 1, i % 24, i // 24 % 60) for i in range(1000)]}},
    "bytes": {"b": {"$in": [bytes([i % 256]) * (1 + i // 256) for i in range(2000)]}},
    "other types": {"n": {"$in": [f"t{i}" for i in range(2000)] + [None, True, UUID(int=1), 5000]}},
    "huge ints": {"n": {"$in": [2**64 + i for i in range(2000)] + [2]}},
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_all_engines_answer_alike_or_decline(name: str, engine: str) -> None:
    plan, inputs = parse_pipeline([{"$match": LONG[name]}], Scan("t")), {"t": Table(frame=FRAME)}
    exact = get_engine("document").collect(plan, inputs).documents
    assert 0 < len(exact) < FRAME.height
    try:
        found = get_engine(engine).collect(plan, inputs).documents
    except XRepoUnsupportedError:
        assert engine == "duckdb"
        return
    assert repr(found) == repr(exact)


@pytest.mark.parametrize("values", [[Decimal(i) for i in range(5000)], [{"a": i} for i in range(5000)]])
def test_values_that_no_list_holds_are_declined_soon(values: list[Any]) -> None:
    frame = FRAME.with_columns(pl.col("n").cast(pl.Decimal(38, 0)))
    plan = parse_pipeline([{"$match": {"n": {"$in": values}}}], Scan("t"))
    exact = get_engine("document").collect(plan, {"t": Table(frame=frame)}).documents
    assert get_engine("polars").collect(plan, {"t": Table(frame=frame)}).documents == exact


@pytest.mark.parametrize("engine", ["document", "polars"])
@pytest.mark.parametrize(
    "given",
    [
        {"$or": [{"s": {"$regex": f"(?=a)x{i}y"}} for i in range(2000)]},
        {"$nor": [{"n": i, "k": {"$lt": 0}} for i in range(20_001)]},
    ],
)
def test_conditions_without_end_pass_the_time(
    engine: str, given: dict[str, Any], change_settings: Callable[..., None]
) -> None:
    change_settings(query_timeout=0.3)
    frame = pl.DataFrame({"n": range(20_000), "k": [0] * 20_000, "s": ["abc"] * 20_000})
    plan = parse_pipeline([{"$match": given}], Scan("t"))
    with pytest.raises(XRepoError, match=r"longer than 0\.3 s|more than 32 operators"):
        get_engine(engine).collect(plan, {"t": Table(frame=frame)})
