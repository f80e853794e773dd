"""Stages: shapes of rows, groups, orders, lookups, gaps."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from asking import rows
from bson import Decimal128

from xrepo_nb.core.errors import XRepoConflictError, XRepoLimitError, XRepoQueryError
from xrepo_nb.engines.document import DocumentEngine, merge_documents
from xrepo_nb.query import plan as p
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.schema.table import Table

NESTED = {"_id": 1, "a": [{"b": 1, "c": 2}, 5, {"b": 3}], "d": {"e": {"f": 1}, "g": 2}, "h": 9}


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ({"$project": {"a.b": 1}}, {"_id": 1, "a": [{"b": 1}, {"b": 3}]}),
        ({"$project": {"_id": 0, "d.e.f": 1, "h": 1}}, {"d": {"e": {"f": 1}}, "h": 9}),
        ({"$project": {"a.b": 0, "d": 0}}, {"_id": 1, "a": [{"c": 2}, 5, {}], "h": 9}),
        ({"$project": {"_id": 0, "x": "$h", "y": "$no"}}, {"x": 9}),
        ({"$project": {"_id": 0, "d": {"z": "$h", "g": 1}}}, {"d": {"g": 2, "z": 9}}),
        ({"$project": {"_id": 0, "a.n": "$h"}}, {"a": [{"n": 9}, {"n": 9}, {"n": 9}]}),
        (
            {"$project": {"_id": 0, "a.n": "$h", "a.b": 1}},
            {"a": [{"b": 1, "n": 9}, {"n": 9}, {"b": 3, "n": 9}]},
        ),
        (
            {"$project": {"_id": 0, "a.n.m": "$no", "a.b": 1}},
            {"a": [{"b": 1, "n": {}}, {"n": {}}, {"b": 3, "n": {}}]},
        ),
        ({"$project": {"_id": "$h"}}, {"_id": 9}),
        ({"$project": {"h": {"$literal": 1}}}, {"_id": 1, "h": 1}),
        ({"$unset": ["a", "d.e"]}, {"_id": 1, "d": {"g": 2}, "h": 9}),
        ({"$replaceWith": "$d"}, {"e": {"f": 1}, "g": 2}),
        ({"$replaceRoot": {"newRoot": {"$mergeObjects": [{"z": 0}, "$d.e"]}}}, {"z": 0, "f": 1}),
    ],
)
def test_shapes(stage: Any, expected: Any) -> None:
    assert rows([stage], [NESTED]) == [expected]


def test_add_fields_reach_into_arrays_and_replace_scalars() -> None:
    (row,) = rows([{"$set": {"a.n": 0, "h.x": 1, "d.e": "$$REMOVE", "new.b": "$no"}}], [NESTED])
    assert row["a"] == [{"b": 1, "c": 2, "n": 0}, {"n": 0}, {"b": 3, "n": 0}]
    assert row["h"] == {"x": 1}
    assert row["d"] == {"g": 2}
    assert row["new"] == {}


def test_computed_fields_see_the_old_row() -> None:
    assert rows([{"$set": {"a": "$b", "b": "$a"}}], [{"a": 1, "b": 2}]) == [{"a": 2, "b": 1}]


def test_inputs_are_never_changed_nor_shared() -> None:
    source = [{"_id": 1, "a": {"b": [1, 2]}}, {"_id": 2, "a": {"b": [3]}}]
    before = [{"_id": 1, "a": {"b": [1, 2]}}, {"_id": 2, "a": {"b": [3]}}]
    pipelines: list[list[Any]] = [
        [{"$match": {}}],
        [{"$project": {"a": 1}}],
        [{"$set": {"a.c": 1}}],
        [{"$group": {"_id": "$a", "all": {"$push": "$$ROOT"}}}],
        [{"$facet": {"x": [{"$limit": 1}], "y": []}}],
        [{"$lookup": {"from": "rows", "pipeline": [], "as": "r"}}],
        [{"$replaceWith": "$a"}],
        [{"$unwind": "$a.b"}],
        [{"$sort": {"_id": -1}}, {"$limit": 1}],
    ]
    for pipeline in pipelines:
        for row in rows(pipeline, source):
            _spoil(row)
        assert source == before, pipeline


def _spoil(value: Any) -> None:
    for item in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ():
        _spoil(item)
    if isinstance(value, (dict, list)):
        value.clear()


def test_groups_by_equal_values() -> None:
    given: list[Any] = [1, 1.0, Decimal128("1"), True, None, "x", [1], {"a": 1}]
    found = rows(
        [{"$group": {"_id": "$k", "n": {"$sum": 1}}}],
        [{"k": k} for k in given] + [{}, {"k": float("nan")}] * 2,
    )
    assert [row["n"] for row in found] == [3, 1, 3, 1, 1, 1, 2]


def test_accumulators() -> None:
    given = [{"n": 3, "s": "b"}, {"n": 1}, {"n": None, "s": "a"}, {"n": "x", "s": "b"}]
    (found,) = rows(
        [
            {
                "$group": {
                    "_id": None,
                    "sum": {"$sum": "$n"},
                    "avg": {"$avg": "$n"},
                    "min": {"$min": "$n"},
                    "max": {"$max": "$n"},
                    "first": {"$first": "$s"},
                    "last": {"$last": "$s"},
                    "push": {"$push": "$s"},
                    "set": {"$addToSet": "$s"},
                    "count": {"$count": {}},
                    "dev": {"$stdDevPop": "$n"},
                    "firstN": {"$firstN": {"n": 2, "input": "$s"}},
                    "maxN": {"$maxN": {"n": 2, "input": "$n"}},
                    "top": {"$top": {"sortBy": {"s": 1, "n": 1}, "output": ["$s", "$n"]}},
                    "bottomN": {"$bottomN": {"n": 2, "sortBy": {"s": 1}, "output": "$n"}},
                    "median": {"$median": {"input": "$n", "method": "approximate"}},
                    "merged": {"$mergeObjects": {"s": "$s"}},
                }
            }
        ],
        given,
    )
    assert found == {
        "_id": None, "sum": 4, "avg": 2.0, "min": 1, "max": "x", "first": "b", "last": "b",
        "push": ["b", "a", "b"], "set": ["b", "a"], "count": 4, "dev": 1.0, "firstN": ["b", None],
        "maxN": ["x", 3], "top": [None, 1], "bottomN": [3, "x"], "median": 1.0, "merged": {"s": "b"},
    }  # fmt: skip


def test_the_n_of_a_group_may_use_its_key() -> None:
    pipeline = [{"$group": {"_id": {"k": "$k"}, "f": {"$firstN": {"n": "$k", "input": "$v"}}}}]
    given = [{"k": 1, "v": 1}, {"k": 1, "v": 2}, {"k": 2, "v": 3}, {"k": 2, "v": 4}]
    assert [row["f"] for row in rows(pipeline, given)] == [[1], [3, 4]]


def test_sorting_over_types_and_arrays() -> None:
    given = [{"k": "b"}, {"k": [3, 1]}, {"k": []}, {"k": None}, {}, {"k": 2}, {"k": "a"}]
    found = rows([{"$sort": {"k": 1}}], given)
    assert found == [{"k": []}, {"k": None}, {}, {"k": [3, 1]}, {"k": 2}, {"k": "a"}, {"k": "b"}]
    assert rows([{"$sort": {"k": -1}}], given)[:4] == [{"k": "b"}, {"k": "a"}, {"k": [3, 1]}, {"k": 2}]


def test_a_limited_sort_is_the_start_of_the_sort() -> None:
    given = [{"_id": i, "k": i * 7 % 5, "s": str(i % 3)} for i in range(40)]
    order = {"$sort": {"k": -1, "s": 1}}
    assert rows([order, {"$limit": 7}], given) == rows([order], given)[:7]


def test_unwinding() -> None:
    given: list[Any] = [{"a": [1, 2]}, {"a": []}, {"a": None}, {}, {"a": 7}]
    assert rows([{"$unwind": "$a"}], given) == [{"a": 1}, {"a": 2}, {"a": 7}]
    kept = rows(
        [{"$unwind": {"path": "$a", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": True}}], given
    )
    assert kept == [
        {"a": 1, "i": 0},
        {"a": 2, "i": 1},
        {"i": None},
        {"a": None, "i": None},
        {"i": None},
        {"a": 7, "i": None},
    ]


def test_lookup_by_value() -> None:
    right: list[Any] = [{"_id": 1, "k": "x"}, {"_id": 2, "k": ["x", "y"]}, {"_id": 3}, {"_id": 4, "k": None}]
    look = {"$lookup": {"from": "right", "localField": "v", "foreignField": "k", "as": "r"}}
    given: list[Any] = [{"v": "x"}, {"v": ["y", "z"]}, {"v": None}, {}, {"v": []}, {"v": "q"}]
    found = rows([look], given, right=right)
    assert [[row["_id"] for row in line["r"]] for line in found] == [[1, 2], [2], [3, 4], [3, 4], [3, 4], []]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"v": [{"b": "x"}, {"c": 1}]}, ["x"]),
        ({"v": [{"b": ["x", "y"]}, {"b": 3}]}, ["x", "y", 3]),
        ({"v": [{"c": 1}]}, [None]),
        ({"v": []}, [None]),
        ({"v": 1}, [None]),
        ({"v": {"b": []}}, [None]),
        ({"v": [{"b": []}, {"c": 1}, {"b": []}]}, [None]),
        ({"v": [{"b": []}, {"b": 3}]}, [3]),
        ({"v": {"b": [["x"]]}}, []),
        ({"v": {"b": [[]]}}, []),
    ],
)
def test_lookup_by_a_path_through_arrays(row: Any, expected: list[Any]) -> None:
    right = [{"k": "x"}, {"k": "y"}, {"k": 3}, {"k": None}]
    look = {"$lookup": {"from": "right", "localField": "v.b", "foreignField": "k", "as": "r"}}
    assert [found["k"] for found in rows([look], [row], right=right)[0]["r"]] == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"v": [{"b": 1}, {"b": 2}]}, [1]),
        ({"v": [{"b": [2, 1]}]}, [1, 2]),
        ({"v": [{"c": 1}, {"b": 1}]}, [None]),
        ({"v": {"b": 1}}, [None]),
        ({"v": [1, 2]}, [None]),
        ({"v": []}, [None]),
        ({"v": [[{"b": 1}], {"b": 2}]}, [1]),
    ],
)
def test_lookup_by_a_path_through_a_position(row: Any, expected: list[Any]) -> None:
    right = [{"k": 1}, {"k": 2}, {"k": None}]
    look = {"$lookup": {"from": "right", "localField": "v.0.b", "foreignField": "k", "as": "r"}}
    assert [found["k"] for found in rows([look], [row], right=right)[0]["r"]] == expected


def test_lookup_takes_a_pattern_as_a_value() -> None:
    pattern = re.compile("b")
    look = {"$lookup": {"from": "right", "localField": "v", "foreignField": "k", "as": "r"}}
    (found,) = rows([look], [{"v": pattern}], right=[{"k": "abc"}, {"k": pattern}])
    assert found["r"] == [{"k": pattern}]


def test_lookup_with_variables_and_nesting() -> None:
    right = [{"k": 1, "n": 5}, {"k": 1, "n": 9}, {"k": 2, "n": 7}]
    inner = {"$lookup": {"from": "right", "let": {"m": "$n"}, "pipeline": [
        {"$match": {"$expr": {"$and": [{"$gt": ["$n", "$$m"]}, {"$lt": ["$$low", "$n"]}]}}},
        {"$count": "more"}], "as": "above"}}  # fmt: skip
    outer = {"$lookup": {"from": "right", "localField": "k", "foreignField": "k", "let": {"low": "$low"},
                         "pipeline": [inner, {"$unset": ["_id", "k"]}], "as": "r"}}  # fmt: skip
    found = rows([outer], [{"k": 1, "low": 6}], right=right)
    assert found[0]["r"] == [{"n": 5, "above": [{"more": 2}]}, {"n": 9, "above": []}]


def test_lookup_by_an_equality_of_variables() -> None:
    right = [{"k": i % 100, "n": i} for i in range(2_000)] + [{"n": -1}, {"k": None, "n": -2}]
    same = {"$expr": {"$and": [{"$eq": ["$$v", "$k"]}, {"$lt": ["$n", 250]}]}}
    look = {"$lookup": {"from": "right", "let": {"v": "$v"}, "pipeline": [{"$match": same}], "as": "r"}}
    found = rows([look], [{"v": 7}, {"v": 7.0}, {"v": None}, {}, {"v": [7]}], right=right)
    assert [[row["n"] for row in line["r"]] for line in found] == [[7, 107, 207]] * 2 + [[-2], [-1], []]


def test_lookup_in_literal_documents_that_name_variables() -> None:
    pipeline = [{"$documents": [{"x": "$$v"}, {"x": 2}]}, {"$match": {"$expr": {"$lt": ["$x", 2]}}}]
    look = {"$lookup": {"let": {"v": "$v"}, "pipeline": pipeline, "as": "r"}}
    assert [row["r"] for row in rows([look], [{"v": 1}, {"v": 5}])] == [[{"x": 1}], []]


def test_graph_lookup_follows_cycles_once() -> None:
    people = [{"_id": "a", "to": ["b"]}, {"_id": "b", "to": ["c", "a"]}, {"_id": "c"}]
    walk = {"$graphLookup": {"from": "rows", "startWith": "$to", "connectFromField": "to",
                             "connectToField": "_id", "as": "r", "depthField": "d"}}  # fmt: skip
    found = rows([{"$match": {"_id": "a"}}, walk], people)[0]["r"]
    assert {row["_id"]: row["d"] for row in found} == {"b": 0, "c": 1, "a": 1}
    walk["$graphLookup"]["maxDepth"] = 0
    assert len(rows([{"$match": {"_id": "a"}}, walk], people)[0]["r"]) == 1


def test_redact_descends() -> None:
    rule = {"$redact": {"$cond": [{"$lte": ["$level", 2]}, "$$DESCEND", "$$PRUNE"]}}
    given = {"level": 1, "a": {"level": 3}, "b": [{"level": 2, "x": 1}, {"level": 5}], "c": 1}
    assert rows([rule], [given]) == [{"level": 1, "b": [{"level": 2, "x": 1}], "c": 1}]


def test_facets_unions_and_documents() -> None:
    found = rows([{"$facet": {"n": [{"$count": "c"}], "first": [{"$limit": 1}]}}], [{"a": 1}, {"a": 2}])
    assert found == [{"n": [{"c": 2}], "first": [{"a": 1}]}]
    assert rows(
        [{"$unionWith": {"coll": "more", "pipeline": [{"$limit": 1}]}}], [{"a": 1}], more=[{"a": 2}, {}]
    ) == [
        {"a": 1},
        {"a": 2},
    ]
    assert rows([{"$documents": [{"a": 1}, {"a": 2}]}, {"$skip": 1}], []) == [{"a": 2}]


@pytest.mark.parametrize(
    ("low", "value", "high"),
    [
        ({"x": 1}, {"x": 2}, {"y": 0}),
        ([1], [1, 5], ["a"]),
        (re.compile("a"), re.compile(b"b"), re.compile("c")),
    ],
)
def test_buckets_of_any_type_have_its_order(low: Any, value: Any, high: Any) -> None:
    boundaries = [{"$literal": low}, {"$literal": high}]
    found = rows([{"$bucket": {"groupBy": "$v", "boundaries": boundaries}}], [{"v": value}])
    assert found == [{"_id": low, "count": 1}]


def test_buckets() -> None:
    given = [{"v": n} for n in (0, 5, 10, 99, "x")]
    stage = {"$bucket": {"groupBy": "$v", "boundaries": [0, 10, 100], "default": "other"}}
    assert rows([stage], given) == [
        {"_id": 0, "count": 2},
        {"_id": 10, "count": 2},
        {"_id": "other", "count": 1},
    ]
    del stage["$bucket"]["default"]
    with pytest.raises(XRepoQueryError):
        rows([stage], given)


@pytest.mark.parametrize(
    ("granularity", "edges"),
    [
        (None, [0, 50, 99]),
        ("R5", [0, 63, 100]),
        ("1-2-5", [0, 50, 100]),
        ("POWERSOF2", [0, 64, 128]),
        ("E24", [0, 51, 100]),
    ],
)
def test_automatic_buckets(granularity: str | None, edges: list[int]) -> None:
    stage: dict[str, Any] = {"groupBy": "$v", "buckets": 2}
    stage |= {"granularity": granularity} if granularity else {}
    found = rows([{"$bucketAuto": stage}], [{"v": n} for n in range(100)])
    bounds = [row["_id"] for row in found]
    assert [bounds[0]["min"], *[bound["max"] for bound in bounds]] == pytest.approx(edges)
    assert sum(row["count"] for row in found) == 100


def test_densify_numbers_and_dates() -> None:
    given = [{"g": "a", "v": 0}, {"g": "a", "v": 2.5}, {"g": "b", "v": 3}, {"v": None}]
    full = {"$densify": {"field": "v", "partitionByFields": ["g"], "range": {"step": 1, "bounds": "full"}}}
    found = rows([full], given)
    assert sorted(row["v"] for row in found if row.get("g") == "a") == [0, 1, 2, 2.5, 3]
    assert sorted(row["v"] for row in found if row.get("g") == "b") == [0, 1, 2, 3]
    months = {"$densify": {"field": "d", "range": {"step": 1, "unit": "month", "bounds": "full"}}}
    days = [dt.datetime(2024, 1, 31, tzinfo=dt.UTC), dt.datetime(2024, 4, 30, tzinfo=dt.UTC)]
    dense = rows([months], [{"d": day} for day in days])
    assert [row["d"].day for row in dense] == [31, 29, 31, 30]
    with pytest.raises(XRepoQueryError):
        rows([full], [{"v": "x"}])


def test_densify_fills_a_given_range_without_any_row() -> None:
    stage: Any = {"$densify": {"field": "v", "range": {"step": 1, "bounds": [0, 3]}}}
    assert rows([stage], []) == [{"v": 0}, {"v": 1}, {"v": 2}]
    assert rows([stage], [{"v": None}, {}]) == [{"v": None}, {}, {"v": 0}, {"v": 1}, {"v": 2}]
    stage["$densify"]["partitionByFields"] = ["g"]
    assert rows([stage], []) == []


def test_densify_is_bounded() -> None:
    stage = {"$densify": {"field": "v", "range": {"step": 1, "bounds": [0, 10**9]}}}
    with pytest.raises(XRepoLimitError):
        rows([stage], [{"v": 0}])


def test_filling_gaps() -> None:
    given = [{"t": 1, "a": 1, "b": None}, {"t": 2}, {"t": 4, "a": 4, "b": 2}, {"t": 5, "a": None}]
    stage = {"$fill": {"sortBy": {"t": 1}, "output": {
        "a": {"method": "linear"}, "b": {"method": "locf"}, "c": {"value": "-"}}}}  # fmt: skip
    found = rows([stage], given)
    assert [row["a"] for row in found] == [1, 2.0, 4, None]
    assert [row["b"] for row in found] == [None, None, 2, 2]
    assert {row["c"] for row in found} == {"-"}


def test_filling_by_values_keeps_the_order_and_comes_last() -> None:
    given: list[Any] = [{"g": 2}, {"g": 1, "v": None}, {"g": 2, "v": 3}]
    for options in ({"partitionByFields": ["g"]}, {"sortBy": {"g": 1}}, {}):
        found = rows([{"$fill": {**options, "output": {"v": {"value": "$g"}}}}], given)
        assert found == [{"g": 2, "v": 2}, {"g": 1, "v": 1}, {"g": 2, "v": 3}]
    both = {"sortBy": {"t": 1}, "output": {"w": {"value": "$v"}, "v": {"method": "locf"}}}
    assert rows([{"$fill": both}], [{"t": 1, "v": 1}, {"t": 2}])[1] == {"t": 2, "v": 1, "w": 1}
    with pytest.raises(XRepoQueryError):
        parse_pipeline([{"$fill": {"partitionBy": 1, "output": {"v": {"value": 1}}}}], p.Scan("s"))


MERGED = [{"_id": 1, "a": 1}, {"_id": 2, "a": 2}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [{"_id": 1, "a": 1, "b": 1}, {"_id": 2, "a": 2}, {"_id": 3, "b": 3}]),
        ({"whenMatched": "replace"}, [{"_id": 1, "b": 1}, {"_id": 2, "a": 2}, {"_id": 3, "b": 3}]),
        ({"whenMatched": "keepExisting", "whenNotMatched": "discard"}, MERGED),
        ({"whenMatched": [{"$set": {"c": {"$add": ["$a", "$$new.b"]}}}], "whenNotMatched": "discard"},
         [{"_id": 1, "a": 1, "c": 2}, {"_id": 2, "a": 2}]),
        ({"whenMatched": [{"$replaceWith": {"z": "$$new.b"}}], "whenNotMatched": "discard"},
         [{"_id": 1, "z": 1}, {"_id": 2, "a": 2}]),
        ({"whenMatched": [], "whenNotMatched": "discard"}, MERGED),
    ],
)  # fmt: skip
def test_merging(options: Any, expected: Any) -> None:
    node = parse_pipeline([{"$merge": {"into": "t", **options}}], p.Scan("s"))
    assert isinstance(node, p.Merge)
    assert merge_documents(MERGED, [{"_id": 1, "b": 1}, {"_id": 3, "b": 3}], node) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("merge", {"_id": 9, "k": 1, "a": 1, "b": 2}),
        ("replace", {"_id": 9, "k": 1, "b": 2}),
        ([{"$set": {"a": "$$new.b"}}], {"_id": 9, "k": 1, "a": 2}),
        ([{"$project": {"_id": 0, "k": 1}}], {"_id": 9, "k": 1}),
    ],
)
def test_merging_on_another_key_keeps_the_id(choice: Any, expected: Any) -> None:
    node = parse_pipeline([{"$merge": {"into": "t", "on": "k", "whenMatched": choice}}], p.Scan("s"))
    assert isinstance(node, p.Merge)
    old = [{"_id": 9, "k": 1, "a": 1}]
    assert merge_documents(old, [{"k": 1, "b": 2}], node) == [expected]
    assert "_id" in merge_documents(old, [{"k": 2}], node)[1]


def test_merging_may_fail() -> None:
    for options in ({"whenMatched": "fail"}, {"whenNotMatched": "fail"}):
        node = parse_pipeline([{"$merge": {"into": "t", **options}}], p.Scan("s"))
        assert isinstance(node, p.Merge)
        with pytest.raises(XRepoConflictError):
            merge_documents(MERGED, [{"_id": 1}, {"_id": 9}], node)


LEFT = [{"k": 1, "a": "x"}, {"k": 2, "a": "y"}, {"k": None, "a": "z"}]
RIGHT = [{"k": 1, "b": 1}, {"k": 1, "b": 2}, {"k": 3, "b": 3}, {"k": None, "b": 4}]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("inner", [(1, "x", 1), (1, "x", 2)]),
        ("left", [(1, "x", 1), (1, "x", 2), (2, "y", None), (None, "z", None)]),
        ("right", [(1, "x", 1), (1, "x", 2), (3, None, 3), (None, None, 4)]),
        (
            "outer",
            [(1, "x", 1), (1, "x", 2), (2, "y", None), (None, "z", None), (3, None, 3), (None, None, 4)],
        ),
    ],
)
def test_joins(how: str, expected: Any) -> None:
    plan = p.Join(p.Scan("l"), p.Scan("r"), (("k", "k"),), how)
    found = (
        DocumentEngine().collect(plan, {"l": Table(documents=LEFT), "r": Table(documents=RIGHT)}).documents
    )
    assert [(row["k"], row["a"], row["b"]) for row in found] == expected


@pytest.mark.parametrize(("how", "expected"), [("semi", LEFT[:1]), ("anti", LEFT[1:])])
def test_joins_that_choose_rows(how: str, expected: Any) -> None:
    plan = p.Join(p.Scan("l"), p.Scan("r"), (("k", "k"),), how)
    tables = {"l": Table(documents=LEFT), "r": Table(documents=RIGHT)}
    assert DocumentEngine().collect(plan, tables).documents == expected


def test_joins_validate_and_asof() -> None:
    left, right = [{"t": 5}, {"t": 0}], [{"u": 1, "v": 1}, {"u": 4, "v": 4}]
    tables = {"l": Table(documents=left), "r": Table(documents=right)}
    plan = p.Join(p.Scan("l"), p.Scan("r"), (("t", "u"),), "asof")
    assert [row["v"] for row in DocumentEngine().collect(plan, tables).documents] == [4, None]
    strict = p.Join(p.Scan("l"), p.Scan("r"), (("k", "k"),), "left", "one_to_one")
    with pytest.raises(XRepoQueryError):
        DocumentEngine().collect(strict, {"l": Table(documents=LEFT), "r": Table(documents=RIGHT)})


def test_streams_come_in_batches_and_stop_early() -> None:
    seen = 0

    class Counting(list[Any]):
        def __iter__(self) -> Any:
            nonlocal seen
            for row in super().__iter__():
                seen += 1
                yield row

    table = Table(documents=Counting({"n": i} for i in range(100)))
    plan = parse_pipeline([{"$match": {"n": {"$gte": 5}}}, {"$set": {"m": "$n"}}], p.Scan("rows"))
    stream = DocumentEngine().stream(plan, {"rows": table}, batch_size=10)
    assert [row["n"] for row in next(stream).documents] == list(range(5, 15))
    assert seen < 20


def test_streams_read_frames_in_slices() -> None:
    import polars as pl

    table = Table(frame=pl.DataFrame({"n": range(20_000)}))
    stream = DocumentEngine().stream(p.Scan("rows"), {"rows": table}, batch_size=7_000)
    assert [len(batch) for batch in stream] == [7_000, 7_000, 6_000]


def test_a_bottomless_document_is_refused() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    table = Table(documents=[{"a": deep}])
    for plan in (p.Scan("rows"), p.Sort(p.Scan("rows"), (p.SortKey(("a",)),))):
        with pytest.raises(XRepoLimitError):
            DocumentEngine().collect(plan, {"rows": table})


def test_writing_plans_are_not_run() -> None:
    plan = parse_pipeline([{"$out": "t"}], p.Scan("rows"))
    assert DocumentEngine().supports(plan, {}) is not None
    assert DocumentEngine().supports(p.Scan("rows"), {}) is None
