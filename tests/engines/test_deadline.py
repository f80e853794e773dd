"""A query has one deadline, whatever engines it passes through."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.engines.document import meter
from xrepo_nb.engines.document.meter import metered, remaining
from xrepo_nb.engines.select import get_engine, ready
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

TABLE = Table(frame=pl.DataFrame({"_id": [0, 1], "n": [2**63 - 1, 1]}))
PASSING = parse_pipeline([{"$group": {"_id": None, "v": {"$sum": {"$multiply": ["$n", 3]}}}}], Scan("t"))
"""Past 64 bits: for the interpreter, once the engine has met it."""


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds left, whenever the interpreter begins."""
    found: list[float] = []
    collect = get_engine("document").collect

    def watched(*args: Any) -> Table:
        found.append(remaining())
        return collect(*args)

    monkeypatch.setattr(get_engine("document"), "collect", watched, raising=False)
    return found


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_the_interpreter_has_the_time_that_is_left(
    engine: str, left: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XREPO_QUERY_TIMEOUT", "20")
    with metered():
        before = remaining()
        time.sleep(0.05)
        assert get_engine(engine).supports(PASSING, {"t": TABLE}) is None
        get_engine(engine).collect(PASSING, {"t": TABLE})
    assert len(left) == 1
    assert left[0] < before - 0.05


def test_what_was_made_ready_keeps_its_deadline(left: list[float]) -> None:
    made = ready(PASSING, {"t": TABLE}, "polars")
    time.sleep(0.1)
    whole = remaining()
    made.collect()
    assert left[0] <= whole - 0.1


def test_operators_of_the_interpreter_share_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "STEP", 0)
    table = Table(frame=pl.DataFrame({"_id": range(3_000), "s": ["a"] * 3_000}))
    expression = {"$size": {"$range": [0, {"$binarySize": "$s"}]}}
    plan = parse_pipeline([{"$project": {"v": {"$add": [1, expression]}}}], Scan("t"))
    with metered(until=time.monotonic() + 0.02):
        made = ready(plan, {"t": table}, "polars")
        time.sleep(0.03)
        with pytest.raises(XRepoLimitError, match="longer than"):
            made.collect()
