"""Fingerprints tell values apart by type, and are stable."""

from __future__ import annotations

import datetime
import decimal
import re
import subprocess
import sys
import uuid
from itertools import combinations

import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.binary import Binary

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.query.fingerprint import fingerprint
from xrepo_nb.query.parsing import parse_filter, parse_pipeline
from xrepo_nb.query.plan import Scan

NOON = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC)

DIFFERENT = [
    1, 1.0, True, "1", None, 0, False, 0.0, -0.0, "", [], [1], [[1]], (1,), {}, {"a": 1}, {"a": 1, "b": 2},
    {"b": 2, "a": 1}, [1, 2], [12], ["ab", "c"], ["a", "bc"], b"1", NOON,
    NOON.date(), NOON.time(), NOON.replace(tzinfo=None), datetime.timedelta(1),
    decimal.Decimal("1"), decimal.Decimal("1.0"), uuid.UUID(int=1),
    re.compile("a"), re.compile("a", re.I), Int64(1), Decimal128("1"), ObjectId(b"a" * 12), Timestamp(1, 2),
    Timestamp(1, 3), Regex("a", "i"), Regex("a", "m"), Binary(b"1", 5), float("inf"), "None", "True",
]  # fmt: skip


def test_different_values_have_different_keys() -> None:
    for a, b in combinations(DIFFERENT, 2):
        assert fingerprint(a) != fingerprint(b), (a, b)


def test_equal_values_have_equal_keys() -> None:
    assert fingerprint(float("nan")) == fingerprint(float("nan"))
    assert fingerprint({"a": [1, {"b": NOON}]}) == fingerprint({"a": [1, {"b": NOON}]})


def test_plans_are_told_apart_by_what_they_ask_and_not_by_how_it_was_written() -> None:
    one = parse_pipeline([{"$match": {"a__gte": 1}}, {"$limit": 5}], Scan("t"))
    same = parse_pipeline([{"$match": {"a": {"$gte": 1}}}, {"$limit": 5.0}], Scan("t"))
    other = parse_pipeline([{"$match": {"a": {"$gte": 1.0}}}, {"$limit": 5}], Scan("t"))
    assert one == same == other
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_another_process_finds_the_same_key() -> None:
    text = "from xrepo_nb.query import *; from xrepo_nb.query.parsing import parse_filter as f;"
    text += (
        "from xrepo_nb.query.fingerprint import fingerprint; print(fingerprint(f({'a': {'$in': ['x', 1]}})))"
    )
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert found.strip() == fingerprint(parse_filter({"a": {"$in": ["x", 1]}}))


def test_a_value_without_stable_text_is_refused() -> None:
    with pytest.raises(XRepoUnsupportedError):
        fingerprint(object())
