"""The engine as a whole: it knows every operator, needs no optional package, stays in bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from asking import rows, value

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoError, XRepoLimitError
from xrepo_nb.engines.base import Engine
from xrepo_nb.engines.document import DocumentEngine, evaluate_let
from xrepo_nb.engines.document import accumulators as known
from xrepo_nb.engines.document.expressions import compile as expressions
from xrepo_nb.engines.document.stages import compile as stages
from xrepo_nb.engines.document.stages import windows
from xrepo_nb.query import operators
from xrepo_nb.query import plan as p
from xrepo_nb.query.parsing import parse_expression

WITHOUT_BSON = """
import sys
sys.modules["bson"] = None
sys.path.insert(0, sys.argv[1])
from asking import matches, rows, value
assert matches({"a": {"$gt": 1}}, {"a": [0, 2]})
assert rows([{"$group": {"_id": "$a", "n": {"$sum": 2**40}}}], [{"a": 1}]) == [{"_id": 1, "n": 2**40}]
assert value({"$subtract": [2**40, 2**40 - 1]}) == 1
assert str(value({"$toDecimal": "1.50"})) == "1.50"
assert value({"$year": "$$NOW"}) > 2000
"""


def test_it_is_an_engine() -> None:
    engine = DocumentEngine()
    assert isinstance(engine, Engine)
    assert engine.name == "document"


def test_every_operator_of_the_language_is_known() -> None:
    expressions._load()
    assert operators.EXPRESSIONS.keys() <= {*expressions.FUNCTIONS, *expressions.SPECIALS}
    assert operators.ACCUMULATORS.keys() <= known._ACCUMULATORS.keys()
    assert operators.WINDOW_OPERATORS.keys() <= {*known._ACCUMULATORS, *windows._OPERATORS}


def test_every_node_of_a_plan_is_known() -> None:
    stages._load()
    written = {p.Out, p.Merge}
    nodes = {node for node in vars(p).values() if isinstance(node, type) and issubclass(node, p.Plan)}
    assert nodes - {p.Plan, p.Stage} - written == {*stages._STAGES, *stages._LEAVES}


def test_it_works_without_bson() -> None:
    folder = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", WITHOUT_BSON, folder], check=True, timeout=60)


def test_unknown_inputs_are_named() -> None:
    with pytest.raises(XRepoConfigurationError, match="trips"):
        DocumentEngine().collect(p.Scan("trips"), {})


def test_deep_expressions_end_with_an_error() -> None:
    from xrepo_nb.engines.document import compile_expression
    from xrepo_nb.query.expressions import Call, Expr, FieldRef

    deep: Expr = FieldRef(("a",))
    for _ in range(5_000):
        deep = Call("$abs", (deep,))
    with pytest.raises(XRepoLimitError):
        compile_expression(deep)


def test_let_binds_in_order_and_reads_no_field() -> None:
    assert value("$$x", x=3) == 3
    with pytest.raises(XRepoError):
        evaluate_let({"x": parse_expression("$field")})


def test_one_moment_for_all_rows() -> None:
    found = rows([{"$set": {"t": "$$NOW"}}], [{}, {}])
    assert found[0]["t"] == found[1]["t"]
