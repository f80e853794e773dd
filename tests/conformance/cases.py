"""The conformance cases: how they are read and run."""

from __future__ import annotations

import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from extended import asked, decoded, encoded

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

DATA = Path(__file__).parents[3] / "shared" / "conformance"
Case = dict[str, Any]


def load(name: str) -> list[Case]:
    """The cases of a file; none when the folder is missing."""
    path = DATA / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


@lru_cache(maxsize=1)
def compare() -> ModuleType:
    """The module that tells whether two results are the same."""
    spec = importlib.util.spec_from_file_location("conformance_compare", DATA / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(case: Case) -> list[Any]:
    """What the document engine answers to a case."""
    inputs = {name: decoded(rows) for name, rows in case["docs"].items()}
    return _RUNNERS[case["kind"]](case, inputs)


def _tables(inputs: dict[str, Any]) -> dict[str, Table]:
    return {name: Table(documents=rows) for name, rows in inputs.items()}


def _let(case: Case) -> dict[str, Any]:
    bindings: dict[str, Any] = {}
    for name, value in decoded((case.get("options") or {}).get("let", {})).items():
        bindings[name] = parse_expression(value, variables=bindings)
    return evaluate_let(bindings)


def _find(case: Case, inputs: dict[str, Any]) -> list[Any]:
    let = _let(case)
    predicate = parse_filter(asked(case["filter"]), variables=let)
    plan: Plan = Match(Scan(case["collection"]), predicate)
    if case.get("sort"):
        plan = Sort(plan, parse_sort(case["sort"]))
    if case.get("skip"):
        plan = Skip(plan, case["skip"])
    if case.get("limit"):
        plan = Limit(plan, abs(case["limit"]))
    if case.get("projection"):
        plan = Project(plan, *parse_projection(decoded(case["projection"]), predicate, variables=let))
    return list(DocumentEngine().collect(plan, _tables(inputs), let).documents)


def _aggregate(case: Case, inputs: dict[str, Any]) -> list[Any]:
    let = _let(case)
    plan = parse_pipeline(decoded(case["pipeline"]), Scan(case["collection"]), variables=let)
    tables = {name: Table(documents=[]) for name in plan.sources()} | _tables(inputs)
    if not isinstance(plan, (Out, Merge)):
        return list(DocumentEngine().collect(plan, tables, let).documents)
    rows = DocumentEngine().collect(plan.input, tables, let).documents
    if isinstance(plan, Out):
        return list(rows)
    return merge_documents(inputs.get(plan.target, []), rows, plan, let)


def _update(case: Case, inputs: dict[str, Any]) -> list[Any]:
    options = decoded(case.get("options") or {})
    update = parse_update(decoded(case["update"]), options.get("arrayFilters"))
    let = _let(case)
    result = apply_update(
        inputs.get(case["collection"], []),
        parse_filter(asked(case["filter"]), variables=let),
        update,
        multi=bool(case.get("multi")),
        upsert=bool(options.get("upsert")),
        variables=let,
    )
    return result.documents


_RUNNERS = {"find": _find, "aggregate": _aggregate, "update": _update}


def agrees(case: Case) -> bool:
    """Whether the engine's answer is the expected one."""
    got, expected = encoded(run(case)), encoded(decoded(case["expected"]))
    if case.get("ignore_id"):
        got, expected = [_without_id(row) for row in got], [_without_id(row) for row in expected]
    ordered = case["ordered"] and not case.get("sort_ties")
    return bool(compare().same(expected, got, ordered, bool(case.get("unordered_arrays"))))


def _without_id(row: Any) -> Any:
    return {name: value for name, value in row.items() if name != "_id"} if isinstance(row, dict) else row
