"""The document engine answers every conformance case as recorded, and a refusal tells its place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import cases
from xrepo_nb.core.errors import XRepoError

KNOWN = tomllib.loads((Path(__file__).parent / "known_failures.toml").read_text())


def _params(name: str) -> list[Any]:
    found = cases.load(name)
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason="the conformance cases are not there"))]
    return [pytest.param(case, id=case["id"], marks=_marks(name, case)) for case in found]


def _marks(name: str, case: cases.Case) -> list[pytest.MarkDecorator]:
    if case.get("collation") or (case.get("options") or {}).get("collation"):
        return [pytest.mark.skip(reason="collations are out of scope")]
    reason = KNOWN[name].get(case["id"])
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]


@pytest.mark.parametrize("case", _params("cases"))
def test_answers_as_recorded(case: cases.Case) -> None:
    assert cases.agrees(case, cases.run(case))


@pytest.mark.parametrize("case", _params("must_fail"))
def test_refuses_as_recorded(case: cases.Case) -> None:
    with pytest.raises(XRepoError) as refused:
        cases.run(case)
    assert getattr(refused.value, "at", ""), refused.value


@pytest.mark.parametrize("name", ["cases", "must_fail"])
def test_every_known_failure_is_a_case(name: str) -> None:
    found = {case["id"] for case in cases.load(name)}
    if not found:
        pytest.skip("the conformance cases are not there")
    assert KNOWN[name].keys() <= found
