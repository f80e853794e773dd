"""The language against the conformance cases: what must parse, what must not, and both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance import cases
from tests.conformance.extended import decoded
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.query.parsing import parse_filter, parse_pipeline, parse_projection
from xrepo_nb.query.plan import Project, Scan
from xrepo_nb.query.text import describe
from xrepo_nb.query.unparsing import unparse, unparse_predicate, unparse_projection

pytestmark = pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the conformance cases are not there")

_NO_SUCH_VALUE = ("$code", "$dbPointer", "$symbol")
"""Extended JSON for types that have no value here: read as they stand, they are no operators."""


def _is_in_scope(case: dict[str, Any]) -> bool:
    text = json.dumps([case.get(key) for key in ("filter", "pipeline", "update")])
    return not any(f'"{name}"' in text for name in _NO_SUCH_VALUE)


def test_every_case_parses() -> None:
    refused = {}
    for case in filter(_is_in_scope, cases.load("cases")):
        try:
            cases.parse(case)
        except XRepoError as error:
            refused[case["id"]] = str(error)
    assert refused == {}


def test_bad_input_raises_nothing_but_our_errors_and_half_of_it_does_so_before_any_row() -> None:
    refused = 0
    found = cases.load("must_fail")
    for case in found:
        try:
            cases.parse(case)
        except XRepoError:
            refused += 1
    assert refused >= 490, f"{refused} of {len(found)}"


@pytest.mark.parametrize("kind", ["aggregate", "find"])
def test_what_is_written_back_parses_to_the_same(kind: str) -> None:
    for case in filter(_is_in_scope, cases.load("cases")):
        if case["kind"] != kind:
            continue
        plan = cases.plan_of(case)
        let = cases.variables_of(case)
        if kind == "aggregate":
            again = parse_pipeline(unparse(plan), Scan(case["collection"]), variables=let)
            assert again == plan, case["id"]
        else:
            predicate = parse_filter(decoded(case["filter"]), variables=let)
            assert parse_filter(unparse_predicate(predicate), variables=let) == predicate, case["id"]
            if isinstance(plan, Project):
                fields = unparse_projection(plan.fields)
                again = parse_projection(fields, predicate, variables=let)
                assert again == (plan.fields, plan.inclusive), case["id"]


def test_every_case_can_be_described() -> None:
    for case in filter(_is_in_scope, cases.load("cases")):
        if case["kind"] != "update":
            assert describe(cases.plan_of(case))
