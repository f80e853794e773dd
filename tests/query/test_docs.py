"""Everything that the language has, and everything it refuses, is on its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from xrepo_nb.query import operators
from xrepo_nb.query.builder import FieldBuilder
from xrepo_nb.query.parsing.limits import MAX_DEPTH, MAX_PATH, MAX_PATTERN, MAX_STAGES
from xrepo_nb.query.parsing.lookups import LOOKUPS

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
NAMED = frozenset(re.findall(r"`([^`\s]+)`", PAGE))
METHODS = frozenset(name for name in vars(FieldBuilder) if not name.startswith("_"))


def section(title: str) -> frozenset[str]:
    """The names in one section of the page, its subsections left out."""
    body = re.split(rf"^#+ {re.escape(title)}$", PAGE, flags=re.M)[1]
    return frozenset(re.findall(r"`([^`\s]+)`", re.split(r"^#+ ", body, flags=re.M)[0]))


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Operators of a field", operators.FIELD_OPERATORS),
        ("Operators of a filter", operators.TOP_OPERATORS),
        ("Lookups in Django's style", frozenset(LOOKUPS)),
        ("Conditions in Python", METHODS),
        ("Pipelines", frozenset(operators.STAGES)),
        ("Accumulators", frozenset(operators.ACCUMULATORS) | frozenset(operators.WINDOW_OPERATORS)),
        ("Expressions", operators.EXPRESSION_NAMES),
        ("Projections of find", operators.PROJECTION_OPERATORS),
        ("Updates", frozenset(operators.UPDATE_OPERATORS) | frozenset(operators.UPDATE_MODIFIERS)),
        ("What is refused", frozenset(operators.REFUSED)),
    ],
)
def test_every_name_stands_in_its_section(title: str, names: frozenset[str]) -> None:
    assert names - section(title) == frozenset()


def test_the_page_names_no_operator_that_is_not_there() -> None:
    known = {
        *operators.FIELD_OPERATORS, *operators.TOP_OPERATORS, *operators.STAGES, *operators.ACCUMULATORS,
        *operators.WINDOW_OPERATORS, *operators.EXPRESSION_NAMES, *operators.UPDATE_OPERATORS,
        *operators.UPDATE_MODIFIERS, *operators.REFUSED,
    }  # fmt: skip
    written = {name for name in NAMED if re.fullmatch(r"\$[a-zA-Z]\w*", name)}
    assert written - known == set()


def test_the_page_tells_the_bounds() -> None:
    for bound in (MAX_DEPTH, MAX_STAGES, MAX_PATH):
        assert f"{bound} " in PAGE
    assert f"{MAX_PATTERN:,}" in PAGE


def test_the_names_of_the_manual_are_all_taken_or_refused() -> None:
    path = Path(__file__).parents[3] / "shared" / "conformance" / "operators.json"
    if not path.exists():
        pytest.skip("the list of operators is not there")
    listed = json.loads(path.read_text())
    tables = {
        "stages": set(operators.STAGES),
        "accumulators": set(operators.ACCUMULATORS),
        "window_operators": set(operators.WINDOW_OPERATORS),
        "expression_operators": set(operators.EXPRESSION_NAMES),
        "query_operators": set(operators.FIELD_OPERATORS | operators.TOP_OPERATORS),
        "update_operators": {*operators.UPDATE_OPERATORS, *operators.UPDATE_MODIFIERS},
        "update_pipeline_stages": set(operators.UPDATE_STAGES),
    }
    elsewhere = {"$rand", "$sampleRate"}
    for family, names in tables.items():
        plain = {name for name in listed[family] if re.fullmatch(r"\$\w+", name)}
        assert plain - names - set(operators.REFUSED) - elsewhere == set(), family
