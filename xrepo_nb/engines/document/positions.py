"""Which array element made a predicate match: what `$` stands for in updates and projections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from xrepo_nb.engines.document.paths import getter
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path

Position = Callable[[Any], int | None]


def matched_position(predicate: p.Predicate, path: Path) -> Position:
    """The first position in the array at `path`, or else in the first array on the paths of the
    predicate, whose element alone satisfies a condition on it; None when there is none."""
    leaves = list(_conditions(predicate))
    near = [leaf for leaf in leaves if leaf.path[: len(path)] == path] or leaves
    finders = [finder for leaf in near for finder in _finders(leaf)]

    def find(document: Any) -> int | None:
        for finder in finders:
            position = finder(document)
            if position is not None:
                return position
        return None

    return find


def _conditions(predicate: p.Predicate) -> Iterator[Any]:
    """The conditions on paths that all hold: what stands below `$or` or a negation fixes nothing."""
    if isinstance(predicate, (p.And, p.All)):
        for item in predicate.items:
            yield from _conditions(item)
    elif getattr(predicate, "path", ()):
        yield predicate


def _finders(leaf: Any) -> Iterator[Position]:
    test = compile_predicate(leaf)
    for length in range(1, len(leaf.path) + 1):
        yield _finder(test, leaf.path[:length])


def _finder(test: Callable[[Any], bool], prefix: Path) -> Position:
    read = getter(prefix)

    def find(document: Any) -> int | None:
        array = read(document)
        if not isinstance(array, list):
            return None
        for position, item in enumerate(array):
            if test(_alone(document, prefix, item)):
                return position
        return None

    return find


def _alone(document: dict[str, Any], path: Path, item: Any) -> dict[str, Any]:
    """The document with the array at `path` holding only that item."""
    if len(path) == 1:
        return {**document, path[0]: [item]}
    below = document.get(path[0])
    return {**document, path[0]: _alone(below if isinstance(below, dict) else {}, path[1:], item)}
