"""`$lookup` and `$graphLookup`: rows of another plan by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import limits
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.paths import getter, with_value
from xrepo_nb.engines.document.predicates import compile_predicate, equals, matcher, on_path, pattern_parts
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, compile_plan, rows_once, stage
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Path

Find = Callable[[Any], list[Row]]


@stage(p.Lookup)
def lookup(node: p.Lookup, context: Context) -> Run:
    right = rows_once(node.right, context)
    find = _by_value(node.local, node.foreign, right) if node.local and node.foreign else None
    narrow = _pipeline(node, context)
    target = node.target

    def run(rows: Rows) -> Iterator[Row]:
        for row in rows:
            found = right() if find is None else find(row)
            yield with_value(row, target, narrow(row, found))

    return run


def _pipeline(node: p.Lookup, context: Context) -> Callable[[Row, list[Row]], list[Row]]:
    """The stages that narrow what was found for a row, under the row's `let` variables."""
    if node.pipeline is None:
        return lambda row, found: found
    inner = context.nested()
    run = compile_plan(node.pipeline, inner)
    bindings = [(name, compile_expression(value)) for name, value in node.let]

    def narrow(row: Row, found: list[Row]) -> list[Row]:
        inner.variables.clear()
        inner.variables.update(context.variables)
        for name, evaluate in bindings:
            inner.variables[name] = evaluate(row, context.variables)
        return list(run(found))

    return narrow


def _by_value(local: Path, foreign: Path, right: Callable[[], list[Row]]) -> Find:
    """Finds the right rows whose foreign value equals the local one: through an index by value,
    or by a scan for a pattern."""
    read = getter(local)
    index: dict[Any, list[int]] = {}

    def find(row: Row) -> list[Row]:
        rows = right()
        if rows and not index:
            _fill(index, rows, foreign)
        value = read(row)
        if type(value) is str or type(value) is int:
            return [rows[i] for i in index.get(value, ())]
        wanted = value if isinstance(value, list) else [None if value is MISSING else value]
        if any(v.type_name(item) == "regex" for item in wanted):
            return _scanned(rows, foreign, wanted)
        keys = {v.hash_key(item) for item in wanted}
        if len(keys) == 1:
            return [rows[i] for i in index.get(keys.pop(), ())]
        return [rows[i] for i in sorted({i for key in keys for i in index.get(key, ())})]

    return find


def _fill(index: dict[Any, list[int]], rows: list[Row], foreign: Path) -> None:
    """Enters the positions of rows under each value that equality at the path would match."""
    for i, row in enumerate(rows):
        for key in _offered(row, foreign):
            index.setdefault(key, []).append(i)


def _offered(row: Row, path: Path) -> set[Any]:
    keys: set[Any] = set()

    def collect(value: Any) -> bool:
        keys.add(v.hash_key(None if value is MISSING else value))
        return False

    on_path(path, collect)(row)
    return keys


def _scanned(rows: list[Row], foreign: Path, wanted: list[Any]) -> list[Row]:
    tests = [
        matcher(*pattern_parts(item)) if v.type_name(item) == "regex" else equals(item) for item in wanted
    ]
    test = on_path(foreign, lambda value: any(one(value) for one in tests))
    return [row for row in rows if test(row)]


@stage(p.GraphLookup)
def graph_lookup(node: p.GraphLookup, context: Context) -> Run:
    start = compile_expression(node.start)
    right = rows_once(node.right, context)
    restrict = None if node.restrict is None else compile_predicate(node.restrict, context.variables)
    index: dict[Any, list[int]] = {}

    def run(rows: Rows) -> Iterator[Row]:
        for row in rows:
            graph = right()
            if graph and not index:
                _fill(index, graph, node.connect_to)
            reached = _reached(start(row, context.variables), graph)
            yield with_value(row, node.target, reached)

    def _reached(first: Any, graph: list[Row]) -> list[Row]:
        read, depth = getter(node.connect_from), 0
        found: dict[int, Row] = {}
        asked: set[Any] = set()
        frontier = _keys(first, null=True) - asked
        while frontier and (node.max_depth is None or depth <= node.max_depth):
            asked |= frontier
            following: set[Any] = set()
            for i in sorted({i for key in frontier for i in index.get(key, ())}):
                if i in found or (restrict is not None and not restrict(graph[i])):
                    continue
                found[i] = _with_depth(graph[i], node.depth_field, depth)
                following |= _keys(read(graph[i]), null=False)
            if len(found) > limits.MAX_GRAPH_DOCUMENTS:
                limits.exceeded("the documents that $graphLookup reaches", limits.MAX_GRAPH_DOCUMENTS)
            frontier, depth = following - asked, depth + 1
        return list(found.values())

    return run


def _keys(value: Any, *, null: bool) -> set[Any]:
    """The values to look for: the elements of an array, or the value; nothing for a missing one
    on the way (at the start it is null)."""
    if isinstance(value, list):
        return {v.hash_key(item) for item in value}
    if value is MISSING:
        return {v.hash_key(None)} if null else set()
    return {v.hash_key(value)}


def _with_depth(row: Row, path: Path | None, depth: int) -> Row:
    return row if path is None else with_value(row, path, v.as_long(depth))
