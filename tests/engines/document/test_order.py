"""The order over all values is one order, and equality agrees with it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from typing import Any

from asking import matches, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**31 - 2, 2**31 + 2),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.5, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("NaN")]),
    st.text("abé", max_size=2),
    st.binary(max_size=1),
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2), timezones=st.just(dt.UTC)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_one_order(a: Any, b: Any, c: Any) -> None:
    assert v.compare(a, a) == 0
    assert v.compare(a, b) == -v.compare(b, a)
    if v.compare(a, b) <= 0 and v.compare(b, c) <= 0:
        assert v.compare(a, c) <= 0
    assert v.compare(MISSING, a) < 0


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_equality_agrees_with_the_order_and_with_hashing(a: Any, b: Any) -> None:
    equal = v.compare(a, b) == 0
    assert v.same(a, b) is equal
    assert (v.hash_key(a) == v.hash_key(b)) is equal
    assert not v.identical(a, b) or equal


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES)
def test_filters_agree_with_the_order(a: Any, b: Any) -> None:
    if isinstance(a, list) or isinstance(b, list):
        return
    assert matches({"a": {"$eq": b}}, {"a": a}) is v.same(a, b)
    assert matches({"a": {"$in": [b]}}, {"a": a}) is v.same(a, b)
    if v.rank(a) == v.rank(b) and not (v.is_nan(a) or v.is_nan(b)):
        assert matches({"a": {"$gt": b}}, {"a": a}) is (v.compare(a, b) > 0)
        assert matches({"a": {"$lte": b}}, {"a": a}) is (v.compare(a, b) <= 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=8))
def test_grouping_and_sorting_lose_no_row(given_values: list[Any]) -> None:
    documents = [{"k": value} for value in given_values]
    groups = rows([{"$group": {"_id": "$k", "n": {"$sum": 1}}}], documents)
    assert sum(group["n"] for group in groups) == len(documents)
    for i, group in enumerate(groups):
        assert not any(v.same(group["_id"], other["_id"]) for other in groups[:i])
    ordered = [row["k"] for row in rows([{"$sort": {"k": 1}}], documents)]
    assert len(ordered) == len(documents)
    plain = [value for value in ordered if not isinstance(value, list)]
    assert all(v.compare(low, high) <= 0 for low, high in pairwise(plain))
