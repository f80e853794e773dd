"""The tables of tests: each test they name exists; of the specification no line is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from specification import lines, needs_specification

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([\d, -]+) \| .+ \| (.+) \|$", re.MULTILINE)
ROWS: list[tuple[str, str]] = ROW.findall((Path(__file__).parent / "README.md").read_text())
NAMED = sorted({
    test
    for folder in ("spec", "promises")
    for test in re.findall(r"[\w/]+\.py::\w+", (TESTS / folder / "README.md").read_text())
    if test.rpartition("::")[2].startswith("test_")
})  # fmt: skip


@cache
def functions(file: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def numbers(given: str) -> Iterator[int]:
    """The lines of `5, 7-9`."""
    for part in given.split(", "):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def said() -> Iterator[int]:
    """The lines that say something: no blanks, no fences, no headings."""
    in_block = False
    for number, line in enumerate(lines(), 1):
        if line.startswith("```"):
            in_block = not in_block
        elif line.strip() and (in_block or not line.startswith("#")):
            yield number


@pytest.mark.parametrize("test", NAMED)
def test_a_named_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert name in functions(file)


@needs_specification
def test_no_line_is_left_out() -> None:
    held = {n for given, _ in ROWS for n in numbers(given)}
    assert [number for number in said() if number not in held] == []
    assert max(held) <= len(lines())
