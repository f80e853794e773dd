"""Reversed arrays under accumulators that choose one of them."""

from __future__ import annotations

import polars as pl
import pytest

from xrepo_nb.engines.polars.engine import PolarsEngine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table


@pytest.mark.parametrize(("op", "expected"), [("$first", [2.5, 1.5]), ("$last", [9.0, 3.0])])
def test_the_chosen_array_is_whole(op: str, expected: list[float]) -> None:
    rows = {"rows": Table(frame=pl.DataFrame({"k": [1, 1], "l": [[1.5, 2.5], [3.0, 9.0]]}))}
    stage = {"$group": {"_id": "$k", "found": {op: {"$reverseArray": "$l"}}}}
    plan = parse_pipeline([stage], Scan("rows"))
    assert PolarsEngine().supports(plan, rows) is None
    assert PolarsEngine().collect(plan, rows).documents == [{"_id": 1, "found": expected}]
