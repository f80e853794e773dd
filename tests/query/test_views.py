"""Filters of views by source."""

from __future__ import annotations

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.parsing import parse_filter, split_view_filters
from xrepo_nb.query.parsing.views import in_view_names


def test_the_example_of_the_specification() -> None:
    found = split_view_filters(
        {"user_filters": {"status": "active"}, "order_filters": {"created_at__gte": "2024-01-01"}},
        ["mongo.users", "mongo.orders"],
    )
    assert found.by_source == {
        "mongo.users": {"status": "active"},
        "mongo.orders": {"created_at__gte": "2024-01-01"},
    }
    assert found.rest == {}


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("users_filters", "users"),
        ("user_filters", "users"),
        ("category_filters", "categories"),
        ("box_filters", "boxes"),
        ("address_filters", "addresses"),
        ("person_filters", "people"),
        ("order_item_filters", "order_items"),
        ("data_filters", "data"),
        ("glass_filters", "glass"),
        ("movie_filters", "movies"),
        ("hero_filters", "heroes"),
        ("movies_filters", "movie"),
    ],
)
def test_a_source_answers_to_plural_and_singular(key: str, source: str) -> None:
    assert split_view_filters({key: {"a": 1}}, [source]).by_source == {source: {"a": 1}}


def test_a_source_of_that_very_name_goes_before_its_plural() -> None:
    found = split_view_filters({"user_filters": {"a": 1}, "users_filters": {"b": 1}}, ["users", "user"])
    assert found.by_source == {"user": {"a": 1}, "users": {"b": 1}}


def test_the_rest_is_the_views_own() -> None:
    found = split_view_filters({"a__gt": 3, "air_filters": 2, "$or": []}, ["users"], fields=["air_filters"])
    assert found.rest == {"a__gt": 3, "air_filters": 2, "$or": []}


def test_unknown_ambiguous_and_double_sources_are_refused() -> None:
    with pytest.raises(XRepoQueryError, match="user_filters"):
        split_view_filters({"usr_filters": {}}, ["users"])
    with pytest.raises(XRepoQueryError, match="several"):
        split_view_filters({"user_filters": {}}, ["a.users", "b.users"])
    with pytest.raises(XRepoQueryError, match="two filters"):
        split_view_filters({"user_filters": {}, "users_filters": {}}, ["users"])
    with pytest.raises(XRepoQueryError, match="document"):
        split_view_filters({"user_filters": 3}, ["users"])


def test_a_sources_filter_on_the_views_rows() -> None:
    names = {"status": "users_status", "tags": "users_tags", "n": "users_n"}
    given = {
        "status": "active",
        "$or": [{"tags": {"$elemMatch": {"status": 1}}}, {"tags": {"$all": ["a"]}}],
        "$expr": {"$gt": ["$n", {"$size": "$$ROOT.tags"}]},
        "id": 3,
    }
    same = {
        "users_status": "active",
        "$or": [{"users_tags": {"$elemMatch": {"status": 1}}}, {"users_tags": {"$all": ["a"]}}],
        "$expr": {"$gt": ["$users_n", {"$size": "$$ROOT.users_tags"}]},
        "id": 3,
    }
    assert in_view_names(parse_filter(given), names) == parse_filter(same)
    with pytest.raises(XRepoQueryError, match="names its fields"):
        in_view_names(parse_filter({"$jsonSchema": {}}), names)
