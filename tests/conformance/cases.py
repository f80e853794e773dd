"""The conformance cases: how they are read, asked and compared."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.conformance.extended import asked, decoded, encoded
from xrepo_nb.engines.document import DocumentEngine, apply_update, evaluate_let, merge_documents
from xrepo_nb.query.parsing import (
    parse_expression,
    parse_filter,
    parse_pipeline,
    parse_projection,
    parse_sort,
    parse_update,
)
from xrepo_nb.query.plan import Limit, Match, Merge, Out, Plan, Project, Scan, Skip, Sort
from xrepo_nb.schema.table import Table

FOLDER = Path(__file__).parents[3] / "shared" / "conformance"
Case = dict[str, Any]


def load(name: str) -> list[Case]:
    """The cases of a file; none when the folder is missing."""
    path = FOLDER / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def reading() -> Iterator[Case]:
    """The find and aggregate cases whose answer is the result."""
    for case in load("cases"):
        if case["kind"] != "update" and "expected_in" not in case and "collation" not in case:
            yield case


def documents_of(case: Case) -> dict[str, Any]:
    """The documents of each collection."""
    return {name: decoded(rows) for name, rows in case["docs"].items()}


def inputs_of(case: Case, plan: Plan) -> dict[str, Table]:
    """The collections that a plan reads; those that are not there are empty."""
    found = documents_of(case)
    return {name: Table(documents=found.get(name, [])) for name in plan.sources()}


def variables_of(case: Case) -> dict[str, Any]:
    """The values of a case's `let`."""
    bindings: dict[str, Any] = {}
    for name, value in decoded((case.get("options") or {}).get("let", {})).items():
        bindings[name] = parse_expression(value, variables=bindings)
    return evaluate_let(bindings)


def plan_of(case: Case) -> Plan:
    """The plan that a find or aggregate case asks."""
    variables = variables_of(case)
    if case["kind"] == "aggregate":
        return parse_pipeline(decoded(case["pipeline"]), Scan(case["collection"]), variables=variables)
    predicate = parse_filter(asked(case["filter"]), variables=variables)
    plan: Plan = Match(Scan(case["collection"]), predicate)
    if case.get("sort"):
        plan = Sort(plan, parse_sort(case["sort"]))
    if case.get("skip"):
        plan = Skip(plan, case["skip"])
    if case.get("limit"):
        plan = Limit(plan, abs(case["limit"]))
    if case.get("projection"):
        plan = Project(plan, *parse_projection(decoded(case["projection"]), predicate, variables=variables))
    return plan


def parse(case: Case) -> Any:
    """Parses all of a case; raises what the parser raises."""
    if case["kind"] != "update":
        return plan_of(case)
    filters = decoded((case.get("options") or {}).get("arrayFilters"))
    variables = variables_of(case)
    return parse_filter(asked(case["filter"]), variables=variables), parse_update(
        decoded(case["update"]), filters
    )


def run(case: Case) -> list[Any]:
    """What the document engine answers to a case."""
    return _updated(case) if case["kind"] == "update" else _read(case)


def _read(case: Case) -> list[Any]:
    plan, variables = plan_of(case), variables_of(case)
    writes = plan if isinstance(plan, (Out, Merge)) else None
    plan = writes.input if writes is not None else plan
    rows = list(DocumentEngine().collect(plan, inputs_of(case, plan), variables).documents)
    if not isinstance(writes, Merge):
        return rows
    return merge_documents(documents_of(case).get(writes.target, []), rows, writes, variables)


def _updated(case: Case) -> list[Any]:
    predicate, update = parse(case)
    result = apply_update(
        documents_of(case).get(case["collection"], []),
        predicate,
        update,
        multi=bool(case.get("multi")),
        upsert=bool((case.get("options") or {}).get("upsert")),
        variables=variables_of(case),
    )
    return result.documents


@lru_cache(maxsize=1)
def _comparison() -> ModuleType:
    """The module that tells whether two results are the same."""
    spec = importlib.util.spec_from_file_location("conformance_compare", FOLDER / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agrees(case: Case, found: list[Any]) -> bool:
    """Whether the answer is the expected one."""
    return same(case, found, decoded(case["expected"]))


def same(case: Case, found: list[Any], wanted: list[Any]) -> bool:
    """Whether two answers to a case are the same, as far as it tells."""
    got, expected = encoded(found), encoded(wanted)
    if case.get("ignore_id"):
        got, expected = [_without_id(row) for row in got], [_without_id(row) for row in expected]
    ordered = bool(case.get("ordered")) and not case.get("sort_ties")
    return bool(_comparison().same(expected, got, ordered, bool(case.get("unordered_arrays"))))


def _without_id(row: Any) -> Any:
    return {name: value for name, value in row.items() if name != "_id"} if isinstance(row, dict) else row
