"""The conformance cases as plans over tables, and the comparison of answers.

Extended JSON is read and written here only as far as the cases use it.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_projection, parse_sort
from xrepo_nb.query.plan import Limit, Match, Plan, Project, Scan, Skip, Sort
from xrepo_nb.schema.table import Table

FOLDER = Path(__file__).parents[4] / "shared" / "conformance"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cases() -> Iterator[dict[str, Any]]:
    """The find and aggregate cases whose answer is the result."""
    with (FOLDER / "cases.jsonl").open() as lines:
        for case in map(json.loads, lines):
            if case["kind"] != "update" and "expected_in" not in case and "collation" not in case:
                yield case


def plan_of(case: Mapping[str, Any]) -> Plan:
    """What the case asks."""
    scan = Scan(case["collection"])
    variables = dict(case.get("options", {}).get("let") or {})
    if case["kind"] == "aggregate":
        return parse_pipeline(value(case["pipeline"]), scan, variables=variables)
    predicate = parse_filter(value(case.get("filter")), variables=variables)
    plan: Plan = Match(scan, predicate)
    if case.get("sort"):
        plan = Sort(plan, parse_sort(value(case["sort"])))
    if case.get("skip"):
        plan = Skip(plan, case["skip"])
    if case.get("limit"):
        plan = Limit(plan, abs(case["limit"]))
    if case.get("projection"):
        plan = Project(plan, *parse_projection(value(case["projection"]), predicate))
    return plan


def inputs_of(case: Mapping[str, Any], plan: Plan) -> dict[str, Table]:
    """The collections that the plan reads."""
    docs = case["docs"]
    return {name: Table(documents=value(docs.get(name, []))) for name in plan.sources()}


def variables_of(case: Mapping[str, Any]) -> dict[str, Any]:
    return dict(value(case.get("options", {}).get("let") or {}))


def value(given: Any) -> Any:
    """Extended JSON as Python values; queries keep their operators."""
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, dict):
        return given
    if len(given) == 1:
        key, inner = next(iter(given.items()))
        if key in _READERS:
            return _READERS[key](inner)
    return {name: value(item) for name, item in given.items()}


def _date(given: Any) -> Any:
    if isinstance(given, dict):
        ms = int(given["$numberLong"])
        try:
            return _EPOCH + timedelta(milliseconds=ms)
        except OverflowError:
            from bson.datetime_ms import DatetimeMS

            return DatetimeMS(ms)
    if isinstance(given, int):
        return _EPOCH + timedelta(milliseconds=given)
    text = re.sub(r"\.(\d+)", lambda m: "." + (m[1] + "000000")[:6], given.replace("Z", "+00:00"))
    return datetime.fromisoformat(text).astimezone(UTC)


def _bson(name: str) -> Any:
    import bson
    import bson.decimal128
    import bson.int64
    import bson.max_key
    import bson.min_key
    import bson.regex
    import bson.timestamp

    made = {
        "$oid": lambda v: bson.ObjectId(v),
        "$numberLong": lambda v: int(v) if abs(int(v)) > 2**31 else bson.int64.Int64(int(v)),
        "$numberDecimal": lambda v: bson.decimal128.Decimal128(v),
        "$timestamp": lambda v: bson.timestamp.Timestamp(v["t"], v["i"]),
        "$regularExpression": lambda v: bson.regex.Regex(v["pattern"], v.get("options", "")),
        "$minKey": lambda v: bson.min_key.MinKey(),
        "$maxKey": lambda v: bson.max_key.MaxKey(),
    }
    return made[name]


def _binary(given: Any) -> Any:
    import base64
    from uuid import UUID

    data = base64.b64decode(given["base64"])
    kind = int(given.get("subType", "0"), 16)
    if kind == 4 and len(data) == 16:
        return UUID(bytes=data)
    from bson.binary import Binary

    return Binary(data, kind) if kind else data


def _uuid(given: Any) -> Any:
    from uuid import UUID

    return UUID(given)


_READERS: dict[str, Any] = {
    "$date": _date,
    "$numberDouble": float,
    "$binary": _binary,
    "$uuid": _uuid,
    "$undefined": lambda v: None,
    **{
        name: (lambda v, name=name: _bson(name)(v))
        for name in (
            "$oid",
            "$numberLong",
            "$numberDecimal",
            "$timestamp",
            "$regularExpression",
            "$minKey",
            "$maxKey",
        )
    },
}


def extended(given: Any) -> Any:
    """Python values as Extended JSON."""
    if isinstance(given, dict):
        return {name: extended(item) for name, item in given.items()}
    if isinstance(given, (list, tuple)):
        return [extended(item) for item in given]
    if isinstance(given, datetime):
        return {"$date": {"$numberLong": str((given - _EPOCH) // timedelta(milliseconds=1))}}
    if isinstance(given, float) and (given != given or given in (float("inf"), float("-inf"))):
        return {"$numberDouble": str(given)}
    name = type(given).__name__
    if name == "ObjectId":
        return {"$oid": str(given)}
    if name in ("Decimal128", "Decimal") or isinstance(given, Decimal):
        return {"$numberDecimal": str(given)}
    if name == "DatetimeMS":
        return {"$date": {"$numberLong": str(int(given))}}
    if name == "Int64":
        return int(given)
    return _other(given, name)


def _other(given: Any, name: str) -> Any:
    import base64

    if name == "UUID":
        return {"$uuid": str(given)}
    if isinstance(given, bytes):
        subtype = getattr(given, "subtype", 0)
        return {"$binary": {"base64": base64.b64encode(given).decode(), "subType": f"{subtype:02x}"}}
    if name == "Timestamp":
        return {"$timestamp": {"t": given.time, "i": given.inc}}
    if name in ("MinKey", "MaxKey"):
        return {f"${name[0].lower()}{name[1:]}": 1}
    if name in ("Regex", "Pattern"):
        return {"$regularExpression": {"pattern": given.pattern, "options": ""}}
    return given


@lru_cache(maxsize=1)
def _comparison() -> Any:
    spec = importlib.util.spec_from_file_location("conformance_compare", FOLDER / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agrees(case: Mapping[str, Any], got: list[dict[str, Any]]) -> bool:
    """Whether the answer is the expected one."""
    expected, found = case["expected"], [extended(row) for row in got]
    if case.get("ignore_id"):
        expected, found = (
            [{k: v for k, v in r.items() if k != "_id"} for r in rows] for rows in (expected, found)
        )
    ordered = bool(case.get("ordered")) and not case.get("sort_ties")
    return bool(_comparison().same(expected, found, ordered, bool(case.get("unordered_arrays"))))
