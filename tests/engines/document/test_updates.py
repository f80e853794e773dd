"""Updates of documents: operators, arrays, upserts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import Int64, Timestamp

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import UpdateResult, apply_update
from xrepo_nb.query.parsing import parse_filter, parse_update

Row = dict[str, Any]


def updated(document: Row, update: Any, filter: Row | None = None, array_filters: Any = None) -> Row:
    """The document after the update."""
    result = update_all([document], update, filter, array_filters=array_filters)
    return result.documents[0]


def update_all(
    documents: list[Row], update: Any, filter: Row | None = None, *, array_filters: Any = None, **options: Any
) -> UpdateResult:
    """The whole result; what was given must stay as it was."""
    before = repr(documents)
    options = {"multi": True, **options}
    result = apply_update(
        documents, parse_filter(filter or {}), parse_update(update, array_filters), **options
    )
    assert repr(documents) == before
    return result


@pytest.mark.parametrize(
    ("document", "update", "expected"),
    [
        ({"a": 1}, {"$set": {"b.c": 2}}, {"a": 1, "b": {"c": 2}}),
        ({"a": [1]}, {"$set": {"a.3": 4}}, {"a": [1, None, None, 4]}),
        ({"a": [1]}, {"$set": {"a.1.b": 4}}, {"a": [1, {"b": 4}]}),
        ({"a": 1}, {"$setOnInsert": {"b": 2}}, {"a": 1}),
        ({"a": 1, "b": 2}, {"$unset": {"a": "", "x.y": ""}}, {"b": 2}),
        ({"a": [1, 2]}, {"$unset": {"a.0": ""}}, {"a": [None, 2]}),
        ({"a": 1}, {"$inc": {"a": 2, "b": 3}}, {"a": 3, "b": 3}),
        ({"a": 2}, {"$mul": {"a": 1.5, "b": 3}}, {"a": 3.0, "b": 0}),
        ({"a": 5}, {"$min": {"a": 3, "b": 1}}, {"a": 3, "b": 1}),
        ({"a": 5}, {"$max": {"a": "x"}}, {"a": "x"}),
        ({"a": 1}, {"$rename": {"a": "b.c", "x": "y"}}, {"b": {"c": 1}}),
        ({"a": 12}, {"$bit": {"a": {"and": 10}, "b": {"or": 5}}}, {"a": 8, "b": 5}),
        ({"a": [1]}, {"$push": {"a": [2], "b": 1}}, {"a": [1, [2]], "b": [1]}),
        ({"a": [1, 4]}, {"$push": {"a": {"$each": [3, 2], "$position": 1}}}, {"a": [1, 3, 2, 4]}),
        ({"a": [1, 4]}, {"$push": {"a": {"$each": [3], "$position": -1}}}, {"a": [1, 3, 4]}),
        ({"a": [5]}, {"$push": {"a": {"$each": [3, 9], "$sort": -1, "$slice": 2}}}, {"a": [9, 5]}),
        ({"a": [{"x": 2}]}, {"$push": {"a": {"$each": [{}], "$sort": {"x": 1}}}}, {"a": [{}, {"x": 2}]}),
        ({"a": [{"x": [5, 1]}]}, {"$push": {"a": {"$each": [{"x": 3}, 4], "$sort": {"x": 1}}}},
         {"a": [4, {"x": 3}, {"x": [5, 1]}]}),
        ({"a": [1, 2, 3]}, {"$push": {"a": {"$each": [], "$slice": -2}}}, {"a": [2, 3]}),
        ({"a": [1]}, {"$addToSet": {"a": {"$each": [1.0, 2, 2]}}}, {"a": [1, 2]}),
        ({"a": [1, 2, 3]}, {"$pop": {"a": 1}}, {"a": [1, 2]}),
        ({"a": [1, 2, 3]}, {"$pop": {"a": -1, "b": 1}}, {"a": [2, 3]}),
        ({"a": [1, 2, 3, 2]}, {"$pull": {"a": 2}}, {"a": [1, 3]}),
        ({"a": [1, 5, 9]}, {"$pull": {"a": {"$gt": 4}}}, {"a": [1]}),
        ({"a": [{"x": 1, "y": 1}, {"x": 2}]}, {"$pull": {"a": {"x": 1}}}, {"a": [{"x": 2}]}),
        ({"a": [1, 2, 3]}, {"$pullAll": {"a": [1, 3.0]}}, {"a": [2]}),
        ({"a": [1, 2]}, {"$inc": {"a.$[]": 1}}, {"a": [2, 3]}),
        ({"_id": 1, "a": 1}, {"b": 2}, {"_id": 1, "b": 2}),
        ({"a": 1, "b": 2}, [{"$set": {"c": {"$add": ["$a", "$b"]}}}, {"$unset": "a"}], {"b": 2, "c": 3}),
        ({"_id": 1, "a": 1}, [{"$replaceWith": {"z": "$a"}}], {"_id": 1, "z": 1}),
        ({"_id": 1, "a": 1}, [{"$unset": "_id"}], {"_id": 1, "a": 1}),
        ({"_id": 1, "a": 1}, [{"$project": {"_id": 0, "a": 1}}], {"_id": 1, "a": 1}),
    ],
)  # fmt: skip
def test_changes(document: Any, update: Any, expected: Any) -> None:
    if isinstance(update, dict) and not any(key.startswith("$") for key in update):
        result = update_all([document], update, multi=False)
        assert result.documents == [expected]
    else:
        assert updated(document, update) == expected


def test_positions() -> None:
    grades = {"g": [{"s": 80, "n": 1}, {"s": 95, "n": 2}]}
    found = updated(grades, {"$set": {"g.$.ok": True}}, {"g.s": {"$gt": 90}})
    assert [item.get("ok") for item in found["g"]] == [None, True]
    found = updated(grades, {"$inc": {"g.$[high].s": 1}}, array_filters=[{"high.s": {"$gt": 90}}])
    assert [item["s"] for item in found["g"]] == [80, 96]
    deep = updated(
        {"a": [{"b": [1, 5]}, {"b": [7]}]}, {"$set": {"a.$[].b.$[x]": 0}}, array_filters=[{"x": {"$gt": 4}}]
    )
    assert deep == {"a": [{"b": [1, 0]}, {"b": [0]}]}
    assert updated({"a": [4, 6]}, {"$pull": {"a": 6}}, {"a": 6}) == {"a": [4]}
    assert updated({"a": [4, 6]}, {"$set": {"a.$": 0}}, {"a": {"$elemMatch": {"$gt": 5}}}) == {"a": [4, 0]}


def test_array_filters_look_at_the_document_as_it_was() -> None:
    both = {"$set": {"a.$[x].b": 0, "a.$[x].c": 1}}
    assert updated({"a": [{"b": 1}, {"b": 2}]}, both, array_filters=[{"x.b": 1}]) == {
        "a": [{"b": 0, "c": 1}, {"b": 2}]
    }
    deep = {"$set": {"a.$[x].b.$[y].k": 0, "a.$[x].b.$[y].n": 1, "a.$[x].v": 2}}
    filters = [{"x.v": 1}, {"y.k": 7}]
    found = updated(
        {"a": [{"v": 1, "b": [{"k": 7}, {"k": 8}]}, {"v": 3, "b": []}]}, deep, array_filters=filters
    )
    assert found == {"a": [{"v": 2, "b": [{"k": 0, "n": 1}, {"k": 8}]}, {"v": 3, "b": []}]}
    crossed = {"$set": {"a.$[x].b": 0, "a.$[y].c": 1}}
    assert updated({"a": [{"b": 1}]}, crossed, array_filters=[{"x.b": 1}, {"y.b": 1}]) == {
        "a": [{"b": 0, "c": 1}]
    }


MET = [{"x": {"$gt": 1}}, {"y": {"$lt": 3}}]
MET_BELOW = [{"x.n": {"$gt": 1}}, {"y.n": {"$lt": 3}}]


@pytest.mark.parametrize(
    ("document", "update", "filter", "array_filters", "expected"),
    [
        ({"a": [1, 2]}, {"$set": {"a.$": 5, "a.1": 6}}, {"a": 1}, None, {"a": [5, 6]}),
        ({"a": [1, 2]}, {"$set": {"a.$": 5, "a.0": 6}}, {"a": 1}, None, None),
        ({"a": [1, 2]}, {"$set": {"a.$": 5}, "$inc": {"a.0": 6}}, {"a": 1}, None, None),
        ({"a": [{"n": 1}]}, {"$set": {"a.$.n": 5, "a.0.m": 6}}, {"a.n": 1}, None, {"a": [{"n": 5, "m": 6}]}),
        ({"a": [{"n": 1}]}, {"$set": {"a.$.n": 5, "a.0.n": 6}}, {"a.n": 1}, None, None),
        ({"a": [{"n": 1}]}, {"$set": {"a.$": {}}, "$unset": {"a.0.no": 1}}, {"a.n": 1}, None, None),
        ({"a": [1, 3]}, {"$set": {"a.$[x]": 5, "a.$[y]": 6}}, {}, MET, {"a": [6, 5]}),
        ({"a": [1, 2, 3]}, {"$set": {"a.$[x]": 5, "a.$[y]": 6}}, {}, MET, None),
        ({"a": [{"n": 2}]}, {"$set": {"a.$[x].p": 5, "a.$[y].q": 6}}, {}, MET_BELOW,
         {"a": [{"n": 2, "p": 5, "q": 6}]}),
        ({"a": [{"n": 2}]}, {"$set": {"a.$[x].p.r": 5, "a.$[y].p": 6}}, {}, MET_BELOW, None),
        ({"a": [{"n": 2}]}, {"$unset": {"a.$[x].p.r": 5, "a.$[y].p": 6}}, {}, MET_BELOW, None),
        ({"a": [[1], [2]]}, {"$set": {"a.$[].0": 5}, "$inc": {"a.$[x].0": 6}}, {}, [{"x": 1}], None),
        ({"a": [[1], [2]]}, {"$set": {"a.$[].0": 5}, "$inc": {"a.$[x].1": 6}}, {}, [{"x": 1}],
         {"a": [[5, 6], [5]]}),
    ],
)  # fmt: skip
def test_changes_that_meet_where_they_are_applied_are_refused(
    document: Any, update: Any, filter: Any, array_filters: Any, expected: Any
) -> None:
    if expected is not None:
        assert updated(document, update, filter, array_filters) == expected
        return
    with pytest.raises(XRepoQueryError, match="meet"):
        updated(document, update, filter, array_filters)


def test_new_fields_come_in_the_order_of_their_names() -> None:
    found = updated({"z": 0}, {"$set": {"b.y": 1, "b.10": 1, "b.9": 1}, "$inc": {"a": 1}, "$push": {"c": 1}})
    assert list(found) == ["z", "a", "b", "c"]
    assert list(found["b"]) == ["9", "10", "y"]


@pytest.mark.parametrize(
    ("document", "update", "filter"),
    [
        ({"a": 1}, {"$set": {"a.b": 1}}, {}),
        ({"a": None}, {"$set": {"a.b": 1}}, {}),
        ({"a": [1]}, {"$set": {"a.x": 1}}, {}),
        ({"a": "x"}, {"$inc": {"a": 1}}, {}),
        ({"a": None}, {"$mul": {"a": 2}}, {}),
        ({"a": 2**63 - 1}, {"$inc": {"a": 1}}, {}),
        ({"a": 1}, {"$push": {"a": 1}}, {}),
        ({"a": 1}, {"$pop": {"a": 1}}, {}),
        ({"a": 1}, {"$pull": {"a": 1}}, {}),
        ({"a": {}}, {"$addToSet": {"a": 1}}, {}),
        ({"a": 1.5}, {"$bit": {"a": {"and": 1}}}, {}),
        ({"a": {}}, {"$set": {"a.$[]": 1}}, {}),
        ({"a": [1]}, {"$set": {"a.$": 1}}, {"b": None}),
        ({"a": [{"b": 1}]}, {"$rename": {"a.b": "c"}}, {}),
        ({"_id": 1}, {"$set": {"_id": 2}}, {}),
        ({"_id": 1}, [{"$set": {"_id": 2}}], {}),
    ],
)
def test_what_does_not_fit_is_refused(document: Any, update: Any, filter: Any) -> None:
    with pytest.raises(XRepoQueryError):
        updated(document, update, filter)


def test_counts() -> None:
    given = [{"_id": 1, "a": 1}, {"_id": 2, "a": 2}, {"_id": 3, "a": 2}]
    result = update_all(given, {"$set": {"a": 2}}, {"a": {"$gte": 1}})
    assert (result.matched, result.modified) == (3, 1)
    assert result.documents[0] is not given[0]
    result = update_all(given, {"$inc": {"a": 1}}, {"a": 2}, multi=False)
    assert (result.matched, result.modified) == (1, 1)
    assert [row["a"] for row in result.documents] == [1, 3, 2]
    assert update_all([{"a": 1}], {"$set": {"a": 1.0}}).modified == 1
    assert update_all([{"a": Int64(1)}], {"$set": {"a": Int64(1)}}).modified == 0


def test_upserts() -> None:
    result = update_all(
        [], {"$set": {"b": 1}, "$setOnInsert": {"c": 2}}, {"_id": 7, "a.x": 5, "d": {"$gt": 1}}, upsert=True
    )
    assert result.documents == [{"_id": 7, "a": {"x": 5}, "b": 1, "c": 2}]
    assert (result.matched, result.upserted_id, result.inserted) == (0, 7, True)
    made = update_all([], {"a": 1}, {"b": 2}, multi=False, upsert=True)
    assert made.documents[0]["a"] == 1
    assert "b" not in made.documents[0]
    assert made.documents[0]["_id"] == made.upserted_id
    with pytest.raises(XRepoQueryError):
        update_all([], {"$set": {"_id": 2}}, {"_id": 1}, upsert=True)
    piped = update_all([], [{"$replaceWith": {"z": "$a"}}], {"_id": 1, "a": 5}, upsert=True)
    assert piped.documents == [{"_id": 1, "z": 5}]


@pytest.mark.parametrize(
    "filter",
    [{"a": 1, "$and": [{"a": 2}]}, {"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}, {"a": {"$all": [1, 2]}},
     {"a": 1, "$or": [{"a": 1}]}],
)  # fmt: skip
def test_an_upsert_whose_filter_fixes_a_field_twice_is_refused(filter: Any) -> None:
    with pytest.raises(XRepoQueryError):
        update_all([], {"$set": {"b": 1}}, filter, upsert=True)
    assert update_all([filter], {"$set": {"b": 1}}, {}, upsert=True).matched == 1


def test_current_dates() -> None:
    found = updated({}, {"$currentDate": {"a": True, "b": {"$type": "timestamp"}}})
    assert isinstance(found["a"], dt.datetime)
    assert found["a"].tzinfo is dt.UTC
    assert isinstance(found["b"], Timestamp)


def test_variables_reach_filters_and_pipelines() -> None:
    predicate = parse_filter({"$expr": {"$eq": ["$a", "$$x"]}}, variables=["x"])
    result = apply_update(
        [{"a": 1}, {"a": 2}], predicate, parse_update({"$set": {"b": 1}}), multi=True, variables={"x": 2}
    )
    assert result.documents == [{"a": 1}, {"a": 2, "b": 1}]


def test_new_values_are_not_shared() -> None:
    given = [1]
    result = update_all([{}, {}], {"$set": {"a": given}})
    result.documents[0]["a"].append(2)
    assert result.documents[1]["a"] == [1]
    assert given == [1]
