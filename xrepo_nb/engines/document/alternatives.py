"""Many alternatives: those that a value tells apart are found by it, instead of tried one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.rules.merging import FEW, equalities, told_apart
from xrepo_nb.query.rules.predicates import is_fixed, never_fails

Test = Callable[[Any], bool]
OnPath = Callable[[Path, Callable[[Any], Any]], Test]
Index = dict[Any, list[Test]]


def tests_of(
    items: Sequence[p.Predicate], compiled: Callable[[p.Predicate], Test], on_path: OnPath
) -> list[Test]:
    """Tests of which any holds where any of the alternatives does.

    One that may fail is shielded by those before it, and shields none but those behind it.
    """
    if len(items) < FEW:
        return list(map(compiled, items))
    tests: list[Test] = []
    for safe, run in groupby(items, _is_safe):
        alike = list(run)
        tests += _indexed(alike, compiled, on_path) if safe else map(compiled, alike)
    return tests


def _is_safe(item: p.Predicate) -> bool:
    return never_fails(item) and is_fixed(item)


def _indexed(
    items: list[p.Predicate], compiled: Callable[[p.Predicate], Test], on_path: OnPath
) -> Iterator[Test]:
    groups, rest = told_apart(items)
    for path, group in groups.items():
        index: Index = {}
        for item in group:
            test = compiled(item)
            for key in dict.fromkeys(map(v.hash_key, equalities(item)[path])):
                index.setdefault(key, []).append(test)
        if v.hash_key(None) in index:
            index[v.hash_key(MISSING)] = index[v.hash_key(None)]
        yield _found_by(path, index, on_path)
    yield from map(compiled, rest)


def _found_by(path: Path, index: Index, on_path: OnPath) -> Test:
    hash_key = v.hash_key
    may_hold = on_path(path, lambda given: hash_key(given) in index)

    def check(document: Any) -> bool:
        if not may_hold(document):
            return False
        found: list[Test] = []
        on_path(path, lambda given: found.extend(index.get(hash_key(given), ())))(document)
        return any(test(document) for test in found)

    return check
