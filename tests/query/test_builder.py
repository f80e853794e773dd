"""The builder F says what filters say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.builder import F
from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_sort
from xrepo_nb.query.plan import Match, Scan


@pytest.mark.parametrize(
    ("built", "same"),
    [
        (F("age") > 30, {"age": {"$gt": 30}}),
        (F.age <= 30, {"age": {"$lte": 30}}),
        (F.age == None, {"age": None}),  # noqa: E711
        (F.age != 3, {"age": {"$ne": 3}}),
        (F.address.city == "Rome", {"address.city": "Rome"}),
        (F("address.city") == "Rome", {"address.city": "Rome"}),
        (F.items[0].price < 3, {"items.0.price": {"$lt": 3}}),
        (F.city.is_in(["Rome", "Oslo"]), {"city": {"$in": ["Rome", "Oslo"]}}),
        (F.city.not_in(iter(["Rome"])), {"city": {"$nin": ["Rome"]}}),
        (F.age.between(1, 5), {"age__range": [1, 5]}),
        (F.age.is_null(), {"age": None}),
        (F.age.is_null(False), {"age": {"$ne": None}}),
        (F.age.exists(), {"age": {"$exists": True}}),
        (F.name.contains("a.b"), {"name__contains": "a.b"}),
        (F.name.starts_with("a", ignore_case=True), {"name__istartswith": "a"}),
        (F.name.ends_with("z"), {"name__endswith": "z"}),
        (F.name.matches("^a"), {"name": {"$regex": "^a"}}),
        (F.name.matches(re.compile("^a", re.I)), {"name": re.compile("^a", re.I)}),
        (F.tags.has("x"), {"tags": "x"}),
        (F.tags.has_any(["x", "y"]), {"tags": {"$in": ["x", "y"]}}),
        (F.tags.has_all(["x", "y"]), {"tags": {"$all": ["x", "y"]}}),
        (F.tags.has_none(["x"]), {"tags": {"$nin": ["x"]}}),
        (F.tags.has_size(2), {"tags": {"$size": 2}}),
        (F.age.has_type("int", "long"), {"age": {"$type": ["int", "long"]}}),
        (
            F.items.any_element((F.price > 3) & (F.n == 1)),
            {"items": {"$elemMatch": {"price": {"$gt": 3}, "n": 1}}},
        ),
        ((F.a > 1) & (F.b < 2) & (F.c == 3), {"a": {"$gt": 1}, "b": {"$lt": 2}, "c": 3}),
        ((F.a == 1) | (F.b == 2), {"$or": [{"a": 1}, {"b": 2}]}),
        (~(F.a > 1), {"a": {"$not": {"$gt": 1}}}),
        (~~(F.a > 1), {"a": {"$gt": 1}}),
    ],
)
def test_it_says_what_the_filter_says(built: Any, same: Any) -> None:
    assert parse_filter(built) == parse_filter(same)


def test_it_stands_in_pipelines_too() -> None:
    plan = parse_pipeline([{"$match": F.age > 30}], Scan("t"))
    assert plan == Match(Scan("t"), (F.age > 30).predicate)


def test_it_stands_among_documents() -> None:
    assert parse_filter({"$and": [F.a > 1, {"b": 2}]}) == parse_filter((F.a > 1) & (F.b == 2))


def test_it_shows_itself() -> None:
    assert repr(F.a.b) == "F('a.b')"
    assert repr((F.a > 1) | (F.b == "x")) == "Condition {$or: [{a: {$gt: 1}}, {b: {$eq: 'x'}}]}"


def test_python_and_or_not_and_chains_are_refused_with_the_way_out() -> None:
    for use in (
        lambda: (F.a > 1) and (F.b > 2),
        lambda: not (F.a > 1),
        lambda: 1 < F.a < 3,
        lambda: 3 if F.a else 4,
    ):
        with pytest.raises(XRepoQueryError):
            use()
    with pytest.raises(XRepoQueryError, match="parentheses"):
        _ = (F.a > 1) & 3  # type: ignore[operator]


def test_values_are_data() -> None:
    with pytest.raises(XRepoQueryError, match="plain data"):
        _ = F.name == {"$ne": None}


def test_notebooks_find_no_display_methods_on_fields() -> None:
    assert not hasattr(F.age, "_repr_html_") and not hasattr(F, "_ipython_display_")
    assert repr(F._id) == "F('_id')"


@pytest.mark.parametrize(
    ("built", "same"),
    [
        (F.age, "age"),
        (-F.age, "-age"),
        ([F.address.city, -F.age], [("address.city", 1), ("age", -1)]),
        ([(F.age, -1), "name"], ["-age", "name"]),
    ],
)
def test_a_sort_may_name_its_fields_by_f(built: Any, same: Any) -> None:
    assert parse_sort(built) == parse_sort(same)


def test_comparisons_joined_without_parentheses_are_told_of_them() -> None:
    for join in (lambda: F.a > 6 & F.b, lambda: F.a & F.b, lambda: F.a | 6, lambda: (F.a > 6) | F.b):
        with pytest.raises(XRepoQueryError, match="with parentheses|in parentheses"):
            join()


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda: F.a.isin([1]), "no method 'isin'.*did you mean 'is_in'"),
        (lambda: F.a.startswith("x"), "did you mean 'starts_with'"),
        (lambda: F.a.mean(), "no method 'mean'.*in a pipeline"),
        (lambda: F.a < F.b, r"F\('a'\) is compared with another field.*\$expr"),
        (lambda: F.a == F.b, r"compared with another field"),
        (lambda: F.a + 1 > 3, r"F\('a'\) is calculated with.*\$expr"),
        (lambda: 2 * F.a > 3, "is calculated with"),
        (lambda: F.a - F.b, "is calculated with"),
    ],
)
def test_what_only_expressions_say_is_refused_with_the_way_out(use: Any, told: str) -> None:
    with pytest.raises(XRepoQueryError, match=told):
        use()


def test_a_field_is_no_value_of_a_filter() -> None:
    from xrepo_nb import MaterializedRepo

    repo = MaterializedRepo(data=[{"a": 1, "b": 1}])
    with pytest.raises(XRepoQueryError, match="a FieldBuilder is no value"):
        repo.sync.list({"a": F.b})
