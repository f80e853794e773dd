"""`$graphLookup`: rows reached from value to value, breadth first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import limits
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.paths import with_value
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, rows_once, stage
from xrepo_nb.engines.document.stages.lookups import Index, elements_at, fill_index
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Path


@stage(p.GraphLookup)
def graph_lookup(node: p.GraphLookup, context: Context) -> Run:
    start, right = compile_expression(node.start), rows_once(node.right, context)
    restrict = None if node.restrict is None else compile_predicate(node.restrict, context.variables)
    index: Index = {}

    def run(rows: Rows) -> Iterator[Row]:
        for row in rows:
            graph = right()
            if graph and not index:
                fill_index(index, graph, node.connect_to)
            yield with_value(row, node.target, reached(start(row, context.variables), graph))

    def reached(first: Any, graph: list[Row]) -> list[Row]:
        found: dict[int, Row] = {}
        asked: set[Any] = set()
        frontier, depth = _keys(None if first is MISSING else first), 0
        while frontier and (node.max_depth is None or depth <= node.max_depth):
            asked |= frontier
            spend(len(frontier))
            following: set[Any] = set()
            for i in sorted({i for key in frontier for i in index.get(key, ())}):
                if i in found or (restrict is not None and not restrict(graph[i])):
                    continue
                spend(2)
                found[i] = _with_depth(graph[i], node.depth_field, depth)
                following |= set(map(v.hash_key, elements_at(graph[i], node.connect_from)))
            if len(found) > limits.MAX_GRAPH_DOCUMENTS:
                limits.exceeded("the documents that $graphLookup reaches", limits.MAX_GRAPH_DOCUMENTS)
            frontier, depth = following - asked, depth + 1
        return list(found.values())

    return run


def _keys(value: Any) -> set[Any]:
    """What to look for: the elements of an array, or the value; nothing when it is missing."""
    if isinstance(value, list):
        return {v.hash_key(item) for item in value}
    return set() if value is MISSING else {v.hash_key(value)}


def _with_depth(row: Row, path: Path | None, depth: int) -> Row:
    return row if path is None else with_value(row, path, v.as_long(depth))
