"""Promises about the package's own text: no pickle, no evaluation, no naive time, no SQL by formatting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import xrepo_nb

ROOT = Path(xrepo_nb.__file__).parent
TREES = {str(p.relative_to(ROOT)): ast.parse(p.read_text()) for p in sorted(ROOT.rglob("*.py"))}

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
RUNS_TEXT = {"eval", "exec", "read_pickle", "to_pickle"}
NAIVE = {"datetime.utcnow", "datetime.utcfromtimestamp", "date.today"}
NAIVE_WITHOUT_ZONE = {"datetime.now": 1, "datetime.fromtimestamp": 2}
"""How many arguments name a zone."""


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def wrong(tree: ast.Module) -> Iterator[str]:
    """Calls that run text as code, or tell a time without a zone."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        text = ast.unparse(node.func)
        given = len(node.args) + len(node.keywords)
        if text in RUNS_TEXT | NAIVE or given < NAIVE_WITHOUT_ZONE.get(text, 0):
            yield f"{text} in line {node.lineno}"


@pytest.mark.parametrize("file", TREES)
def test_nothing_is_pickled(file: str) -> None:
    assert not FORBIDDEN_MODULES & set(imported(TREES[file]))


@pytest.mark.parametrize("file", TREES)
def test_no_text_becomes_code_and_no_time_is_naive(file: str) -> None:
    assert list(wrong(TREES[file])) == []


def test_the_check_finds_what_it_looks_for() -> None:
    tree = ast.parse("import pickle\ndatetime.utcnow()\neval('1')\ndatetime.now()\ndatetime.now(UTC)\n")
    assert "pickle" in set(imported(tree))
    assert [text.split()[0] for text in wrong(tree)] == ["datetime.utcnow", "eval", "datetime.now"]


SQL = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP ", "ALTER ", "WITH ")


def formatted(tree: ast.Module) -> list[int]:
    """The lines where a text that begins as a statement of SQL is formatted."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant)
        if str(node.values[0].value).startswith(SQL)
    ]


@pytest.mark.parametrize("file", [file for file in TREES if file.startswith("engines/sql/")])
def test_the_renderer_formats_no_sql(file: str) -> None:
    """Queries are trees of sqlglot; values are bound."""
    assert formatted(TREES[file]) == []


def test_a_formatted_statement_is_found() -> None:
    assert formatted(ast.parse("""x = 1\ny = f"SELECT {x}" """)) == [2]
