"""Stages that choose or order rows: match, sort, limit, skip, sample, unwind, union."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import reduce
from itertools import chain, islice
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.paths import with_value
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.engines.document.sorting import best, sort_rows
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, compile_plan, stage
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.predicates import And

_TOP = 100_000
"""Up to this many rows a limited sort keeps only the best ones while it reads."""


@stage(p.Match)
def match(node: p.Match, context: Context) -> Run:
    predicate = node.predicate
    # A few conditions that must all hold are filters one after the other: one call less a row.
    few = isinstance(predicate, And) and len(predicate.items) <= _FEW
    items = list(predicate.children()) if few else [predicate]
    tests = [compile_predicate(item, context.variables) for item in items]
    return lambda rows: reduce(lambda kept, test: filter(test, kept), tests, rows)


_FEW = 8
"""So many filters within each other: thousands would pass the end of the stack."""


@stage(p.Sort)
def sort(node: p.Sort, context: Context) -> Run:
    keys = node.keys
    return _turned if node.is_natural else placed(lambda rows: sort_rows(rows, keys), node.at)


def _turned(rows: Rows) -> Rows:
    return reversed(list(rows))


@stage(p.Limit)
def limit(node: p.Limit, context: Context) -> Run:
    count = min(node.count, 2**62)
    return lambda rows: islice(rows, count)


@stage(p.Skip)
def skip(node: p.Skip, context: Context) -> Run:
    count = min(node.count, 2**62)
    return lambda rows: islice(rows, count, None)


def top(order: p.Sort, count: int) -> Run:
    """A sort of which only the first `count` rows are wanted."""
    keys = order.keys
    if order.is_natural:
        return lambda rows: islice(_turned(rows), count)
    if count > _TOP:
        return placed(lambda rows: sort_rows(rows, keys)[:count], order.at)
    return placed(lambda rows: best(rows, keys, count), order.at)


@stage(p.Sample)
def sample(node: p.Sample, context: Context) -> Run:
    def run(rows: Rows) -> Rows:
        found = list(rows)
        return random.sample(found, min(node.size, len(found)))

    return run


@stage(p.UnionWith)
def union_with(node: p.UnionWith, context: Context) -> Run:
    other = compile_plan(node.other, context)
    return lambda rows: chain(rows, other(()))


@stage(p.Unwind)
def unwind(node: p.Unwind, context: Context) -> Run:
    path, index, keep = node.path, node.index_field, node.preserve_empty

    def run(rows: Rows) -> Iterator[Row]:
        for row in rows:
            value = _at(row, path)
            if not isinstance(value, list):
                if keep or not v.is_absent(value):
                    yield _numbered(row, index, None)
            elif value:
                spend(len(value))
                for i, item in enumerate(value):
                    yield _numbered(with_value(row, path, item), index, i)
            elif keep:
                yield _numbered(with_value(row, path, MISSING), index, None)

    return run


def _at(row: Any, path: Path) -> Any:
    """The value at a path through documents only."""
    for name in path:
        if not isinstance(row, dict):
            return MISSING
        row = row.get(name, MISSING)
    return row


def _numbered(row: Row, index: Path | None, position: int | None) -> Row:
    if index is None:
        return row
    return with_value(row, index, None if position is None else v.as_long(position))
