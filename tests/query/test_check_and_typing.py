"""Fields are checked, and schemas known, before a row is read."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.check import check_fields
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Join, Match, Scan
from xrepo_nb.query.typing import output_schema
from xrepo_nb.schema.schema import Index, Schema
from xrepo_nb.schema.types import DataType, Field

INT, FLOAT, STRING, DATE = (DataType(kind) for kind in ("int", "float", "string", "datetime"))
LINES = DataType("array", item=DataType("object", (Field("sku", STRING), Field("n", INT, "never"))))

SCHEMAS = {
    "orders": Schema(
        (
            Field("_id", INT, "never"),
            Field("city", STRING, "missing"),
            Field("price", FLOAT, "never"),
            Field("at", DATE, "never"),
            Field("address", DataType("object", (Field("street", STRING), Field("zip", INT, "never")))),
            Field("tags", DataType("array", item=STRING)),
            Field("lines", LINES, "never"),
            Field("extra", DataType("mixed"), "both"),
        ),
        name="orders",
        primary_key=("_id",),
        indexes=(Index("by_city", ("city",)),),
    ),
    "cities": Schema((Field("_id", STRING, "never"), Field("people", INT, "never")), name="cities"),
}


def plan(*stages: Any) -> Any:
    return parse_pipeline(list(stages), Scan("orders"))


def check(*stages: Any) -> None:
    check_fields(plan(*stages), SCHEMAS)


@pytest.mark.parametrize(
    "stages",
    [
        [{"$match": {"city": "Rome", "address.zip": 1, "lines.sku": "x", "lines.0.n": 2, "tags.1": "a"}}],
        [{"$match": {"extra.what.ever": 1}}],
        [{"$match": {"lines": {"$elemMatch": {"sku": "x"}}}}],
        [{"$match": {"$expr": {"$gt": ["$price", {"$size": "$lines.sku"}]}}}],
        [{"$addFields": {"x": "$price"}}, {"$match": {"x": 1}}, {"$sort": {"x": 1}}],
        [{"$group": {"_id": "$city", "n": {"$sum": "$price"}}}, {"$match": {"n": 1, "_id": "a"}}],
        [{"$unwind": "$lines"}, {"$match": {"lines.sku": "x"}}],
        [{"$project": {"a": "$address"}}, {"$match": {"a.zip": 1}}],
        [
            {"$lookup": {"from": "cities", "localField": "city", "foreignField": "_id", "as": "c"}},
            {"$match": {"c.people": 1}},
        ],
        [{"$project": {"x": {"$map": {"input": "$lines", "as": "l", "in": "$$l.n"}}}}],
        [{"$replaceWith": "$address"}, {"$match": {"zip": 1}}],
        [{"$facet": {"f": [{"$match": {"city": "x"}}]}}, {"$match": {"f.city": "x"}}],
        [{"$project": {"_id": 0, "nope": 0}}],
    ],
)
def test_known_fields_pass(stages: list[Any]) -> None:
    check(*stages)


@pytest.mark.parametrize(
    ("stages", "name", "place", "hint"),
    [
        ([{"$match": {"citty": 1}}], "citty", "pipeline[0].$match.citty", "'city'"),
        (
            [{"$match": {"address.zipp": 1}}],
            "address.zipp",
            "pipeline[0].$match.address.zipp",
            "'address.zip'",
        ),
        ([{"$match": {"city__gtt": 1}}], "city.gtt", "pipeline[0].$match.city__gtt", "'city__gt'"),
        (
            [{"$match": {"lines": {"$elemMatch": {"skuu": 1}}}}],
            "skuu",
            "pipeline[0].$match.lines.$elemMatch.skuu",
            "'sku'",
        ),
        ([{"$limit": 1}, {"$sort": {"prise": 1}}], "prise", "pipeline[1].$sort", "'price'"),
        (
            [{"$group": {"_id": None, "n": {"$sum": "$prise"}}}],
            "prise",
            "pipeline[0].$group.n.$sum",
            "'price'",
        ),
        ([{"$group": {"_id": "$citi"}}], "citi", "pipeline[0].$group._id", "'city'"),
        ([{"$group": {"_id": "$city"}}, {"$match": {"price": 1}}], "price", "pipeline[1].$match.price", None),
        ([{"$project": {"x": {"$add": ["$prize", 1]}}}], "prize", "pipeline[0].$project.x.$add", "'price'"),
        ([{"$addFields": {"x": {"y": "$citty"}}}], "citty", "pipeline[0].$addFields.x.y", "'city'"),
        ([{"$project": {"city": 1}}, {"$match": {"price": 1}}], "price", "pipeline[1].$match.price", None),
        ([{"$unwind": "$linez"}], "linez", "pipeline[0].$unwind", "'lines'"),
        (
            [{"$lookup": {"from": "cities", "localField": "city", "foreignField": "id", "as": "c"}}],
            "id",
            "pipeline[0].$lookup.foreignField",
            "'_id'",
        ),
        (
            [{"$lookup": {"from": "cities", "pipeline": [{"$match": {"peeple": 1}}], "as": "c"}}],
            "peeple",
            "pipeline[0].$lookup.pipeline[0].$match.peeple",
            "'people'",
        ),
        (
            [{"$project": {"x": {"$map": {"input": "$lines", "in": "$$this.m"}}}}],
            "m",
            "pipeline[0].$project.x.$map",
            None,
        ),
        (
            [{"$match": {"$nor": [{"x": 1}]}}],
            "x",
            "pipeline[0].$match.$nor[0].x",
            None,
        ),
        ([{"$match": {"$expr": {"$eq": ["$x", 1]}}}], "x", "pipeline[0].$match.$expr.$eq", None),
    ],
)
def test_unknown_fields_are_refused(stages: list[Any], name: str, place: str, hint: str | None) -> None:
    with pytest.raises(XRepoQueryError) as caught:
        check(*stages)
    assert (caught.value.asked, caught.value.at) == (name, place)
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_a_collection_without_a_schema_may_hold_anything() -> None:
    check_fields(Match(Scan("elsewhere"), parse_filter({"what": 1})), SCHEMAS)


def columns(*stages: Any) -> dict[str, str]:
    return {f.name: f"{f.type} {f.absence}" for f in output_schema(plan(*stages), SCHEMAS).fields}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$price", "float never"),
        ("$city", "string missing"),
        ("$address.zip", "int missing"),
        ("$lines.n", "array<int> never"),
        ({"$add": ["$address.zip", 1]}, "int null"),
        ({"$add": ["$price", 1]}, "float never"),
        ({"$divide": [1, 2]}, "float never"),
        ({"$subtract": ["$at", "$at"]}, "int never"),
        ({"$add": ["$at", 1000]}, "datetime never"),
        ({"$gt": ["$city", 1]}, "bool never"),
        ({"$concat": ["$city", "!"]}, "string null"),
        ({"$toUpper": "$city"}, "string never"),
        ({"$ifNull": ["$city", "?"]}, "string never"),
        ({"$cond": ["$city", 1, 2.5]}, "float never"),
        ({"$cond": ["$city", 1, "x"]}, "mixed never"),
        ({"$switch": {"branches": [{"case": "$city", "then": 1}]}}, "int never"),
        ({"$year": "$at"}, "int never"),
        ({"$dateToString": {"date": "$at"}}, "string never"),
        ({"$size": "$lines"}, "int never"),
        ({"$first": "$tags"}, "string null"),
        ({"$map": {"input": "$lines", "in": "$$this.n"}}, "array<int> never"),
        ({"$filter": {"input": "$tags", "cond": True}}, "array<string> null"),
        (
            {"$reduce": {"input": "$lines.n", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}},
            "int null",
        ),
        ({"$sum": "$lines.n"}, "int never"),
        ({"$avg": "$lines.n"}, "float null"),
        ({"$max": "$lines.n"}, "int null"),
        ({"$split": ["$city", " "]}, "array<string> null"),
        ({"$mergeObjects": ["$address", {"x": 1}]}, "object<street: string, zip: int, x: int> never"),
        ({"$convert": {"input": "$city", "to": "int", "onError": 0}}, "int null"),
        ({"$objectToArray": "$address"}, "array<object<k: string, v: mixed>> null"),
        ({"$let": {"vars": {"p": "$price"}, "in": {"$multiply": ["$$p", 2]}}}, "float never"),
        ("$$NOW", "datetime never"),
        ("$extra.x", "mixed both"),
        ({"$literal": [1, 2]}, "array<int> never"),
    ],
)
def test_types_of_expressions(expression: Any, expected: str) -> None:
    assert columns({"$replaceWith": {"x": expression}})["x"] == expected


def test_types_of_a_group() -> None:
    found = columns(
        {
            "$group": {
                "_id": "$city",
                "total": {"$sum": "$price"},
                "n": {"$sum": 1},
                "mean": {"$avg": "$price"},
                "first": {"$first": "$at"},
                "all": {"$push": "$tags"},
                "best": {"$topN": {"n": 2, "sortBy": {"price": 1}, "output": "$price"}},
                "count": {"$count": {}},
            }
        }
    )
    assert found == {
        "_id": "string null",
        "total": "float never",
        "n": "int never",
        "mean": "float null",
        "first": "datetime never",
        "all": "array<array<string>> never",
        "best": "array<float> never",
        "count": "int never",
    }


def test_types_of_other_stages() -> None:
    assert columns({"$unwind": "$tags"})["tags"] == "string null"
    assert columns({"$project": {"city": 1}}) == {"_id": "int never", "city": "string missing"}
    assert columns({"$project": {"_id": 0, "address.zip": 1}}) == {"address": "object<zip: int> null"}
    assert columns({"$unset": ["address.zip", "lines"]})["address"] == "object<street: string> null"
    assert columns({"$count": "n"}) == {"n": "int never"}
    assert columns({"$bucket": {"groupBy": "$price", "boundaries": [0, 5], "default": "x"}}) == {
        "_id": "mixed never",
        "count": "int never",
    }
    looked = columns({"$lookup": {"from": "cities", "localField": "city", "foreignField": "_id", "as": "c"}})
    assert looked["c"] == "array<object<_id: string, people: int>> never"
    windows = {
        "sortBy": {"at": 1},
        "output": {"r": {"$rank": {}}, "s": {"$shift": {"output": "$price", "by": 1}}},
    }
    found = columns({"$setWindowFields": windows})
    assert (found["r"], found["s"]) == ("int never", "float null")
    union = columns({"$project": {"city": 1}}, {"$unionWith": "cities"})
    assert union == {"_id": "mixed never", "city": "string missing", "people": "int missing"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lines.x": "$price"}, "array<object<x: float>>"),
        ({"lines.x": "$price", "lines.n": 1}, "array<object<n: int, x: float>>"),
        ({"lines.n": "$price", "lines.sku": 1}, "array<object<sku: string, n: float>>"),
        ({"tags.x": "$price"}, "array<object<x: float>>"),
    ],
)
def test_types_of_fields_computed_below_arrays(fields: Any, expected: str) -> None:
    found = output_schema(plan({"$project": fields}), SCHEMAS)
    assert str(found.fields[-1].type) == expected


def test_a_left_join_may_leave_the_right_side_null() -> None:
    view = Join(Scan("orders"), Scan("cities"), (("city", "_id"),), how="left")
    right = output_schema(Join(Scan("cities"), Scan("cities"), (("_id", "_id"),)), SCHEMAS)
    assert [(f.name, f.absence) for f in right.fields][:2] == [("_id", "never"), ("people", "never")]
    found = {f.name: f.absence for f in output_schema(view, SCHEMAS).fields}
    assert found["price"] == "never" and found["people"] == "null"


def test_lineage_follows_columns() -> None:
    found = output_schema(
        plan({"$group": {"_id": "$city", "n": {"$sum": {"$multiply": ["$price", "$address.zip"]}}}}), SCHEMAS
    )
    assert found.field("_id").lineage == ("orders.city",)  # type: ignore[union-attr]
    n = found.field("n")
    assert n is not None and n.lineage == ("orders.price", "orders.address.zip")
    assert dict(n.extra)["expression"] == "$sum"


def test_keys_and_indexes_stay_while_rows_are_the_scans_own() -> None:
    kept = output_schema(plan({"$match": {"city": "x"}}, {"$project": {"city": 1}}), SCHEMAS)
    assert kept.primary_key == ("_id",) and [i.name for i in kept.indexes] == ["by_city"]
    assert output_schema(plan({"$addFields": {"_id": 1}}), SCHEMAS).primary_key == ()
    assert output_schema(plan({"$unwind": "$tags"}), SCHEMAS).primary_key == ()


@pytest.mark.parametrize(
    ("lookup", "hint"),
    [
        ("price__between", "did you mean 'price__range'?"),
        ("city__like", "did you mean 'city__contains'?"),
        ("price__gtt", "did you mean 'price__gt'?"),
        ("price__zzzz", "after price__ there may stand exact, iexact, ne, gt,"),
    ],
)
def test_a_lookup_that_others_call_so_is_told_by_our_name(lookup: str, hint: str) -> None:
    with pytest.raises(XRepoQueryError) as refused:
        check_fields(Match(Scan("orders"), parse_filter({lookup: 1})), SCHEMAS)
    assert (refused.value.hint or "").startswith(hint)


def test_a_path_that_is_not_there_is_no_lookup() -> None:
    with pytest.raises(XRepoQueryError) as refused:
        check({"$sort": {"price.zzzz": 1}})
    assert "may stand" not in (refused.value.hint or "")


def test_two_stages_in_one_document_are_told_apart() -> None:
    with pytest.raises(XRepoQueryError, match="has 2.*write each as a stage of its own"):
        plan({"$match": {"price": 1}, "$sort": {"price": 1}})
    with pytest.raises(XRepoQueryError, match=r"has 0 \(at pipeline\[0\]\)$"):
        plan({})
