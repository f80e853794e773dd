"""The conformance cases, read for the tests of the language."""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary

from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_projection, parse_sort, parse_update
from xrepo_nb.query.plan import Limit, Match, Plan, Project, Scan, Skip, Sort

DATA = Path(__file__).parents[3] / "shared" / "conformance"
Case = dict[str, Any]


def load(name: str) -> list[Case]:
    """The rows of a file; skips the test when the folder is missing."""
    path = DATA / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"the conformance cases are not at {DATA}")
    return [json.loads(line) for line in path.read_text().splitlines()]


def _date(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    from bson.datetime_ms import DatetimeMS

    return DatetimeMS(int(value["$numberLong"]) if isinstance(value, dict) else value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "$oid": ObjectId,
    "$date": _date,
    "$numberLong": lambda value: Int64(int(value)),
    "$numberDecimal": Decimal128,
    "$numberDouble": float,
    "$timestamp": lambda value: Timestamp(value["t"], value["i"]),
    "$binary": lambda value: Binary(base64.b64decode(value["base64"]), int(value["subType"], 16)),
    "$regularExpression": lambda value: Regex(value["pattern"], value["options"]),
    "$uuid": uuid.UUID,
    "$minKey": lambda value: MinKey(),
    "$maxKey": lambda value: MaxKey(),
    "$undefined": lambda value: None,
}


def decoded(value: Any) -> Any:
    """The value that Extended JSON means."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in _READERS:
            return _READERS[key](inner)
    return {name: decoded(item) for name, item in value.items()}


def plan_of(case: Case) -> Plan:
    """The plan that a find or aggregate case asks."""
    let = decoded((case.get("options") or {}).get("let") or {})
    if case["kind"] == "aggregate":
        return parse_pipeline(decoded(case["pipeline"]), Scan(case["collection"]), variables=let)
    predicate = parse_filter(decoded(case.get("filter")), variables=let)
    plan: Plan = Match(Scan(case["collection"]), predicate)
    if case.get("sort"):
        plan = Sort(plan, parse_sort(case["sort"]))
    if case.get("skip"):
        plan = Skip(plan, case["skip"])
    if case.get("limit"):
        plan = Limit(plan, abs(case["limit"]))
    if case.get("projection"):
        fields, inclusive = parse_projection(decoded(case["projection"]), predicate, variables=let)
        plan = Project(plan, fields, inclusive)
    return plan


def parse(case: Case) -> Any:
    """Parses all of a case; raises what the parser raises."""
    if case["kind"] != "update":
        return plan_of(case)
    filters = (case.get("options") or {}).get("arrayFilters")
    return parse_filter(decoded(case["filter"])), parse_update(decoded(case["update"]), decoded(filters))


class Corpus:
    """Access to the cases, as a fixture."""

    load = staticmethod(load)
    decoded = staticmethod(decoded)
    plan_of = staticmethod(plan_of)
    parse = staticmethod(parse)


@pytest.fixture(scope="session")
def corpus() -> type[Corpus]:
    return Corpus
