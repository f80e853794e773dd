"""Projections of find: `$elemMatch`, `$slice` and positional fields among others."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.parsing import parse_filter, parse_projection
from xrepo_nb.query.plan import Match, Project, Scan
from xrepo_nb.schema.table import Table

ROW = {"_id": 1, "a": [1, 2, 3], "b": 5, "e": [{"x": 1}, {"x": 2}]}
SECOND = [{"x": 2}]


def found(projection: Any, filter: Any = None) -> Any:
    """What is left of `ROW`."""
    predicate = parse_filter(filter)
    plan = Project(Match(Scan("rows"), predicate), *parse_projection(projection, predicate))
    (row,) = DocumentEngine().collect(plan, {"rows": Table(documents=[ROW])}).documents
    return row


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ({"e": {"$elemMatch": {"x": 2}}}, {"_id": 1, "e": SECOND}),
        ({"e": {"$elemMatch": {"x": 2}}, "_id": 0}, {"e": SECOND}),
        ({"e": {"$elemMatch": {"x": 2}}, "b": 1}, {"_id": 1, "b": 5, "e": SECOND}),
        ({"e": {"$elemMatch": {"x": 2}}, "b": 0}, {"_id": 1, "a": [1, 2, 3], "e": SECOND}),
        ({"b": 0, "e": {"$elemMatch": {"x": 9}}}, {"_id": 1, "a": [1, 2, 3]}),
        ({"e": {"$elemMatch": {"x": 2}}, "a": {"$slice": 1}}, {"_id": 1, "a": [1], "e": SECOND}),
        ({"b": 0, "a": {"$slice": -1}}, {"_id": 1, "a": [3], "e": ROW["e"]}),
    ],
)
def test_elem_match_and_slice_keep_the_rule_of_the_other_fields(projection: Any, expected: Any) -> None:
    assert found(projection) == expected


@pytest.mark.parametrize(
    "projection",
    [
        {"e.$": 1, "a": {"$elemMatch": {"$gt": 1}}},
        {"a": {"$elemMatch": {"$gt": 1}}, "e.$": 1},
        {"e.$": 1, "b": 0},
        {"e.$": 1, "a.$": 1},
    ],
)
def test_a_positional_field_stands_alone(projection: Any) -> None:
    with pytest.raises(XRepoQueryError):
        found(projection, {"e.x": 2})
