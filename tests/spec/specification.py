"""The specification as data: its headings, its blocks of Python, and what these declare and call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "shared" / "spec" / "xrepo-specification.md"

needs_specification = pytest.mark.skipif(
    not FILE.exists(), reason=f"the specification is not beside this checkout ({FILE.name})"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Block:
    """One block of Python: the heading above it, the line of its first statement's line 1, its text."""

    heading: str
    line: int
    code: str

    @property
    def tree(self) -> ast.Module:
        """Its statements, numbered by the lines of the specification."""
        tree = compile(self.code, FILE.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(tree, ast.Module)
        return ast.increment_lineno(tree, self.line - 1)


@lru_cache(maxsize=1)
def lines() -> list[str]:
    """The lines of the specification; none where it is missing."""
    return FILE.read_text().splitlines() if FILE.exists() else []


@lru_cache(maxsize=1)
def blocks() -> list[Block]:
    """The blocks of Python, in order."""
    found, heading, start = [], "", None
    for number, line in enumerate(lines(), 1):
        if start is None and line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("```"):
            if start is not None:
                found.append(Block(heading, start, "\n".join(lines()[start - 1 : number - 1]) + "\n"))
            start = number + 1 if line == "```python" else None
    return found


def block(heading: str) -> Block:
    """The only block below that heading."""
    found = [b for b in blocks() if b.heading == heading]
    assert len(found) == 1, f"{len(found)} blocks below {heading!r}"
    return found[0]


def classes() -> list[ast.ClassDef]:
    """Every class declaration; XRepoFactory and others stand in several blocks."""
    return [node for b in blocks() for node in b.tree.body if isinstance(node, ast.ClassDef)]


def methods(declared: ast.ClassDef) -> list[Function]:
    """The methods that a class declares."""
    return [node for node in declared.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def decorators(method: Function) -> set[str]:
    """The names of its decorators."""
    return {ast.unparse(decorator) for decorator in method.decorator_list}


def assigned(declared: ast.ClassDef) -> list[str]:
    """The attributes that its methods give `self`."""
    targets = [
        target.attr
        for node in ast.walk(declared)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
    ]
    return list(dict.fromkeys(targets))


def parameters(method: Function) -> list[tuple[str, ast.expr | None]]:
    """The named parameters after `self` or `cls`, in order, with their defaults."""
    given = method.args
    names = [arg.arg for arg in given.args]
    padding: list[ast.expr | None] = [None] * (len(names) - len(given.defaults))
    assert not given.posonlyargs and not given.kwonlyargs and given.vararg is None
    return list(zip(names, [*padding, *given.defaults], strict=True))[1:]


def calls() -> Iterator[tuple[ast.Call, str]]:
    """Every call in the blocks, with the class in which it stands, if any."""
    for found in blocks():
        for top in found.tree.body:
            owner = top.name if isinstance(top, ast.ClassDef) else ""
            for node in ast.walk(top):
                if isinstance(node, ast.Call):
                    yield node, owner
