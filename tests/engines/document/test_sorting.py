"""The order of rows: arrays, keys that share one, the order in which rows stand."""

from __future__ import annotations

from typing import Any

import pytest
from asking import rows

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.parsing import parse_pipeline, parse_sort
from xrepo_nb.query.plan import Limit, Scan, Sort
from xrepo_nb.schema.table import Table


@pytest.mark.parametrize(
    ("order", "keys", "expected"),
    [
        ({"a.b": 1}, [{"a": [{"b": 1}, {"c": 2}]}, {"a": {"b": 0}}], [0, 1]),
        ({"a.b": 1}, [{"a": [5, {"b": 1}]}, {"a": {"b": 0}}], [0, 1]),
        ({"a.b": -1}, [{"a": [{"b": 1}, {"c": 2}]}, {"a": {"b": 2}}], [1, 0]),
        ({"a.b": 1}, [{"a": [{"b": [7, 2]}, {"b": 3}]}, {"a": {"b": 4}}, {"a": {"b": 1}}], [2, 0, 1]),
        ({"a.b": -1}, [{"a": [{"b": [7, 2]}, {"b": 3}]}, {"a": {"b": 4}}, {"a": {"b": 8}}], [2, 0, 1]),
        ({"a.b": 1}, [{}, {"a": []}, {"a": {"b": None}}, {"a": 5}, {"a": {"b": []}}], [4, 0, 1, 2, 3]),
        ({"a": 1}, [{"a": [[1]]}, {"a": [5]}, {"a": {"x": 1}}], [1, 2, 0]),
        ({"a": 1}, [{"a": None}, {"a": []}, {}, {"a": [None]}], [1, 0, 2, 3]),
        ({"a.0": 1}, [{"a": [3, 1]}, {"a": [2, 9]}], [1, 0]),
        ({"a.00": 1}, [{"a": [3, 1]}, {"a": [2, 9]}], [0, 1]),
        ({"a.²": 1}, [{"a": [{"²": 3}, 1]}, {"a": [{"²": 2}, {"²": 4}]}], [0, 1]),
        ({"a.0.b": 1}, [{"a": [{"b": 5}, {"b": 1}]}, {"a": [{"b": 3}]}], [1, 0]),
        ({"a.b": 1, "a.c": 1}, [{"a": [{"b": 1, "c": 5}, {"b": 3, "c": 1}]}, {"a": {"b": 1, "c": 3}}],
         [1, 0]),
        ({"a.b": 1, "a.c": -1}, [{"a": [{"b": 1, "c": 5}, {"b": 1, "c": 9}]}, {"a": {"b": 1, "c": 7}}],
         [0, 1]),
        ({"a": -1, "a.b": 1}, [{"a": [{"b": 2}, {"b": 1}]}, {"a": [{"b": 3}]}], [1, 0]),
        ({"x": 1, "a": 1}, [{"x": 1, "a": [3, 9]}, {"x": 1, "a": [2]}, {"x": 0, "a": 5}], [2, 1, 0]),
    ],
)  # fmt: skip
def test_sorts(order: Any, keys: list[Any], expected: list[int]) -> None:
    given = [{"_id": i, **key} for i, key in enumerate(keys)]
    assert [row["_id"] for row in rows([{"$sort": order}], given)] == expected
    best = rows([{"$sort": order}, {"$limit": len(given)}], given)
    assert [row["_id"] for row in best] == expected
    (top,) = rows([{"$group": {"_id": 0, "x": {"$top": {"sortBy": order, "output": "$_id"}}}}], given)
    assert top["x"] == expected[0]


@pytest.mark.parametrize(
    "key", [{"a": [1, 2], "b": [3]}, {"a": [1], "b": []}, {"a": [{"c": [1], "d": [2]}], "b": 1}]
)
def test_keys_through_two_arrays_are_refused(key: Any) -> None:
    order = {"a.c": 1, "a.d": 1} if key["b"] == 1 else {"a": 1, "b": 1}
    for rest in ([], [{"$limit": 1}]):
        with pytest.raises(XRepoQueryError):
            rows([{"$sort": order}, *rest], [key, {"a": 0, "b": 0}])


def test_the_order_in_which_rows_stand() -> None:
    table = Table(documents=[{"a": 2}, {"a": 1}, {"a": 3}])
    plan = Sort(Scan("rows"), parse_sort({"$natural": -1}))
    for given, expected in ((plan, [3, 1, 2]), (Limit(plan, 2), [3, 1]), (Sort(plan, plan.keys), [2, 1, 3])):
        found = DocumentEngine().collect(given, {"rows": table}).documents
        assert [row["a"] for row in found] == expected
    assert parse_sort([("$natural", 1)]) == ()
    for wrong in ({"$natural": -1}, {"$natural": 1}):
        with pytest.raises(XRepoQueryError):
            parse_pipeline([{"$sort": wrong}], Scan("rows"))
