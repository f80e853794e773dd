"""From plan nodes to functions of rows.

Rows flow as iterators; a stage that needs them all makes a list of them. No stage changes a row
or what hangs below it: it makes new containers along the paths that it changes, and shares
the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from xrepo_nb.core.entering import entering
from xrepo_nb.core.errors import XRepoQueryError, XRepoUnsupportedError
from xrepo_nb.engines.document.places import placed
from xrepo_nb.query import plan as p

Row = dict[str, Any]
Rows = Iterable[Row]
Run = Callable[[Rows], Rows]
"""A plan as a function of the rows at its `Input`."""


class Context:
    """What one run of a plan knows: the rows of scans, and the variables in force.

    `variables` is read whenever an expression is evaluated; a sub-pipeline that sees other
    variables has a context of its own, whose mapping its stage fills before each run.
    """

    __slots__ = ("_documents", "variables")

    def __init__(self, documents: Callable[[str], Rows], variables: Mapping[str, Any]) -> None:
        self._documents = documents
        self.variables = dict(variables)

    def scan(self, source: str) -> Rows:
        """The rows of a collection."""
        return self._documents(source)

    def nested(self) -> Context:
        """A context for a sub-pipeline with variables of its own."""
        return Context(self._documents, self.variables)


Compiler = Callable[[Any, Context], Run]
_STAGES: dict[type[p.Plan], Compiler] = {}
_LEAVES: dict[type[p.Plan], Compiler] = {}
_MODULES = (
    "buckets", "densify", "facets", "fill", "graphs", "groups", "joins", "lookups", "rows", "shapes",
    "windows",
)  # fmt: skip


stage = entering(_STAGES)
"""Enters the compiler of a stage: what it gives turns the stage's input into its output."""


leaf = entering(_LEAVES)
"""Enters the compiler of a node that has no single input."""


@cache
def _load() -> None:
    """Lets all stages enter themselves."""
    for name in _MODULES:
        import_module(f"xrepo_nb.engines.document.stages.{name}")


def compile_plan(plan: p.Plan, context: Context) -> Run:
    """The plan as a function of the rows at its `Input`, lazy where its stages are.

    Raises `XRepoUnsupportedError` for a node that is not run here.
    """
    _load()
    steps: list[Run] = []
    node = plan
    while type(node) in _STAGES:
        assert isinstance(node, p.Stage)
        below = node.input
        if isinstance(node, p.Limit) and isinstance(below, p.Sort):
            from xrepo_nb.engines.document.stages.rows import top

            steps.append(top(below, node.count))
            node = below.input
        else:
            steps.append(placed(_STAGES[type(node)], node.at)(node, context))
            node = below
    start = _LEAVES.get(type(node))
    if start is None:
        raise XRepoUnsupportedError(f"the document engine does not run {type(node).__name__}")
    begin = start(node, context)
    steps.reverse()

    def run(rows: Rows) -> Rows:
        out = begin(rows)
        for step in steps:
            out = step(out)
        return out

    return run


@leaf(p.Input)
def _input(node: p.Input, context: Context) -> Run:
    return lambda rows: rows


@leaf(p.Scan)
def _scan(node: p.Scan, context: Context) -> Run:
    return lambda rows: context.scan(node.source)


@leaf(p.Documents)
def _documents(node: p.Documents, context: Context) -> Run:
    from xrepo_nb.engines.document.expressions import compile_expression

    evaluate = compile_expression(node.items)

    def run(rows: Rows) -> Rows:
        found = evaluate({}, context.variables)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise XRepoQueryError("$documents takes an array of documents", at=node.at)
        return found

    return run


def rows_once(plan: p.Plan, context: Context) -> Callable[[], list[Row]]:
    """The rows of another plan, computed when first asked for and kept."""
    run = compile_plan(plan, context)
    kept: list[list[Row]] = []

    def rows() -> list[Row]:
        if not kept:
            kept.append(list(run(())))
        return kept[0]

    return rows
