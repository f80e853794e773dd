"""The README's examples run as they stand, and show what they say they show."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import xrepo_nb.repos.open  # noqa: F401  (modules load before the loop runs, as in a notebook's first cell)

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"#\s*->\s*(.+)$")


async def run(code: str, names: dict) -> list[tuple[str, str]]:
    """Runs a block cell by cell; gives (shown, said) for each expression that says what it shows."""
    lines, compared = code.splitlines(), []
    for node in ast.parse(code).body:
        said = SHOWN.search(lines[node.end_lineno - 1])
        kind = "eval" if isinstance(node, ast.Expr) else "exec"
        body = ast.Expression(node.value) if kind == "eval" else ast.Module([node], [])
        outcome = eval(compile(body, "README.md", kind, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(outcome):
            outcome = await outcome
        if said:
            compared.append((repr(outcome), said[1]))
    return compared


async def test_the_examples_show_what_they_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    names, compared = {}, []
    for block in BLOCK.findall((ROOT / "README.md").read_text()):
        compared += await run(block, names)
    assert len(compared) >= 7
    assert [shown for shown, _ in compared] == [said for _, said in compared]


def test_every_page_it_names_exists():
    links = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


async def test_a_block_that_says_something_else_is_found():
    assert await run("1 + 1  # -> 3", {}) == [("2", "3")]
    with pytest.raises(ZeroDivisionError):
        await run("1 / 0", {})
