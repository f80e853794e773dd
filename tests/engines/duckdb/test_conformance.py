"""The recorded cases: DuckDB gives the recorded answer to all that it says it supports."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import cases
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.duckdb import engine as module
from xrepo_nb.engines.duckdb.engine import DuckDBEngine

PARTS = 8
TARGET = 0.80
"""The share of the cases over typed columns that the engine supports."""


pytestmark = pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the conformance cases are not there")


def _prepared(case: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]] | None:
    """Plan, inputs and variables; None for what cannot be read as a plan over tables."""
    try:
        plan = cases.plan_of(case)
        inputs = cases.inputs_of(case, plan)
        _ = [table.schema for table in inputs.values()]
    except (XRepoError, AttributeError, OverflowError):
        return None
    return plan, inputs, cases.variables_of(case)


@pytest.mark.parametrize("part", range(PARTS))
def test_supported_cases_are_answered_as_recorded(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left_to_the_interpreter: list[str] = []
    typed = supported = 0
    wrong = []
    for case in list(cases.reading())[part::PARTS]:
        prepared = _prepared(case)
        if prepared is None:
            continue
        plan, inputs, variables = prepared
        monkeypatch.setattr(module, "get_engine", _noting(left_to_the_interpreter, case["id"]))
        is_typed = all(table.schema.is_typed for table in inputs.values())
        typed += is_typed
        if DuckDBEngine().supports(plan, inputs) is not None:
            continue
        supported += is_typed
        found = list(DuckDBEngine().collect(plan, inputs, variables).documents)
        if not cases.agrees(case, found) and not _as_recorded_elsewhere(case, prepared, found):
            wrong.append(case["id"])
    assert wrong == []
    assert supported >= TARGET * typed
    assert len(left_to_the_interpreter) <= 3


def _noting(notes: list[str], case: str) -> Any:
    def interpreter(name: str) -> DocumentEngine:
        notes.append(case)
        return DocumentEngine()

    return interpreter


def _as_recorded_elsewhere(case: dict[str, Any], prepared: Any, found: list[Any]) -> bool:
    """Whether the case is one that the document engine answers otherwise too: collations."""
    expected = DocumentEngine().collect(*prepared).documents
    return cases.same(case, found, list(expected))
