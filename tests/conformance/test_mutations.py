"""The conformance cases asked in other ways: every engine gives the same answer, or says that it cannot.

Each mutation and engine sees its own part of the cases, so that all of them together take seconds.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import cases
from tests.conformance.extended import asked, decoded
from tests.conformance.mutations import MUTATIONS, NONE, ONE, Question
from tests.conformance.test_document import KNOWN
from xrepo_nb.core.errors import XRepoError, XRepoQueryError
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Merge, Out, Scan
from xrepo_nb.schema.table import Table

pytestmark = pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the conformance cases are not there")

ENGINES = ("document", "polars", "duckdb")
PARTS = 12
_STRANGE = ("$natural", "$rand", "$sample", "$code", "$symbol", "$dbPointer")


def _part(name: str, mutation: str, engine: str) -> list[cases.Case]:
    number = list(MUTATIONS).index(mutation) * len(ENGINES) + ENGINES.index(engine)
    return [case for case in cases.load(name)[number % PARTS :: PARTS] if _in_scope(case)]


def _in_scope(case: cases.Case) -> bool:
    texts = str([case.get("pipeline"), case.get("filter"), case.get("sort")])
    collated = case.get("collation") or (case.get("options") or {}).get("collation")
    return case["kind"] != "update" and not collated and not any(f"'{name}'" in texts for name in _STRANGE)


def _pipeline(case: cases.Case) -> list[Any]:
    """The stages of a case; a projection of a find, which has operators of its own, is left out."""
    if case["kind"] == "aggregate":
        return list(case["pipeline"])
    steps = [{"$match": case["filter"]}]
    for name in ("sort", "skip", "limit"):
        if case.get(name):
            steps.append({f"${name}": abs(case[name]) if name == "limit" else case[name]})
    return steps


def _read(stage: Any) -> Any:
    """A stage as it is asked: conditions keep what Python has no value for."""
    if isinstance(stage, list):
        return [_read(item) for item in stage]
    if not isinstance(stage, dict) or len(stage) != 1:
        return decoded(stage)
    ((name, given),) = stage.items()
    if name == "$match":
        return {name: asked(given)}
    if name in ("$facet", "$lookup", "$unionWith") and isinstance(given, dict):
        return {name: {k: _read(v) if isinstance(v, list) else decoded(v) for k, v in given.items()}}
    return decoded(stage)


def _answer(engine: str, case: cases.Case, question: Question) -> list[Any] | None:
    """The answer; None from an engine that declines."""
    variables = cases.variables_of(case)
    plan = parse_pipeline(_read(question.pipeline), Scan(question.collection), variables=variables)
    plan = plan.input if isinstance(plan, (Out, Merge)) else plan
    rows = {name: [question.laid_out(row) for row in found] for name, found in _documents(case).items()}
    rows |= {ONE: [{"k": 1}], NONE: []}
    inputs = {name: Table(documents=rows.get(name, [])) for name in plan.sources()}
    chosen = get_engine(engine)
    if chosen.supports(plan, inputs) is not None:
        return None
    return list(chosen.collect(plan, inputs, variables).documents)


def _documents(case: cases.Case) -> dict[str, list[Any]]:
    return dict(cases.documents_of(case))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_answer_stays(mutation: str, engine: str) -> None:
    wrong = []
    for case in _part("cases", mutation, engine):
        pipeline = _pipeline(case)
        question = MUTATIONS[mutation](pipeline, case)
        if question is None:
            continue
        expected = _answer("document", case, Question(pipeline, case["collection"]))
        found = _answer(engine, case, question)
        if found is not None and not cases.same(case, found, expected or []):
            wrong.append((case["id"], question.pipeline, found))
    assert wrong == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_refused_stays_refused(mutation: str, engine: str) -> None:
    passed = []
    for case in _part("must_fail", mutation, engine):
        question = MUTATIONS[mutation](_pipeline(case), case)
        if question is None or case["id"] in KNOWN["must_fail"]:
            continue
        try:
            found = _answer(engine, case, question)
        except XRepoQueryError as error:
            assert error.at, (case["id"], str(error))
        except XRepoError:
            continue
        else:
            if found is not None:
                passed.append((case["id"], question.pipeline, found))
    assert passed == []
