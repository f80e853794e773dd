"""Predicates made simpler, and what may be moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Call, Expr, Literal, Path
from xrepo_nb.query.parsing.limits import ATOMS
from xrepo_nb.query.parsing.values import is_pattern, is_true
from xrepo_nb.query.renaming import mapped
from xrepo_nb.query.rules.constants import folded
from xrepo_nb.query.rules.merging import PLAIN, merged
from xrepo_nb.query.walk import is_random

_SAFE = frozenset(
    {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cmp", "$and", "$or", "$not", "$cond", "$ifNull"}
    | {"$type", "$isArray", "$isNumber"}
)
"""Expression operators that no value makes fail."""


def conjuncts(predicate: p.Predicate) -> tuple[p.Predicate, ...]:
    """The conditions that must all hold, nested conjunctions opened."""
    if not isinstance(predicate, p.And):
        return (predicate,)
    return tuple(part for item in predicate.items for part in conjuncts(item))


def simplified(predicate: p.Predicate) -> p.Predicate:
    """The same condition with constants worked out and nesting opened."""
    simplify = _SIMPLIFY.get(type(predicate))
    return predicate if simplify is None else simplify(predicate)


def _and(predicate: p.And) -> p.Predicate:
    items = [part for item in predicate.items for part in conjuncts(simplified(item))]
    if any(item == p.NOTHING for item in items):
        return p.NOTHING
    kept = tuple(merged([i for i in items if i != p.EVERYTHING], any_of=False, never_fails=never_fails))
    if len(kept) == len(predicate.items) and all(a is b for a, b in zip(kept, predicate.items, strict=True)):
        return predicate
    return p.conjunction(kept)


def _or(predicate: p.Or) -> p.Predicate:
    items: list[p.Predicate] = []
    for item in map(simplified, predicate.items):
        items += item.items if isinstance(item, p.Or) else (item,)
    if any(item == p.EVERYTHING for item in items):
        return p.EVERYTHING
    kept = [item for item in items if item != p.NOTHING]
    if not kept:
        return p.NOTHING
    if len(kept) == 1:
        return kept[0]
    fewer = merged(kept, any_of=True, never_fails=never_fails)
    return fewer[0] if len(fewer) == 1 else p.Or(tuple(fewer))


def _not(predicate: p.Not) -> p.Predicate:
    item = simplified(predicate.item)
    if isinstance(item, p.Constant):
        return p.Constant(not item.value)
    if isinstance(item, p.Not):
        return item.item
    return predicate if item is predicate.item else p.Not(item)


def _in(predicate: p.In) -> p.Predicate:
    if not predicate.values:
        return p.NOTHING
    if len(predicate.values) == 1 and not is_pattern(predicate.values[0]):
        return p.Compare(predicate.path, "$eq", predicate.values[0], at=predicate.at)
    return predicate


def _truth(predicate: p.Truth) -> p.Predicate:
    expr = folded(predicate.expr)
    if isinstance(expr, Literal):
        return p.Constant(is_true(expr.value))
    return predicate if expr is predicate.expr else p.Truth(expr)


_SIMPLIFY: dict[type, Callable[[Any], p.Predicate]] = {
    p.And: _and,
    p.Or: _or,
    p.Not: _not,
    p.In: _in,
    p.Truth: _truth,
}


def never_fails(predicate: p.Predicate) -> bool:
    """Whether no row can make the predicate raise, so that it may run on rows it would not see."""
    if type(predicate) in PLAIN:
        return True
    return all(is_total(node.expr) for node in predicate.walk() if isinstance(node, p.Truth))


def is_total(expr: Expr) -> bool:
    """Whether no document can make the expression raise."""
    return all(node.op in _SAFE for node in expr.walk() if isinstance(node, Call))


def is_fixed(predicate: p.Predicate) -> bool:
    """Whether the outcome depends on the row alone and not on chance."""
    if type(predicate) in PLAIN:
        return True
    for node in predicate.walk():
        if isinstance(node, p.SampleRate) or (isinstance(node, p.Truth) and is_random(node.expr)):
            return False
    return True


def ignores_absence(predicate: p.Predicate) -> bool:
    """Whether null, missing and equal numbers of another type all give the same outcome."""
    return not any(
        isinstance(node, (p.Exists, p.HasType, p.JsonSchema, p.Truth)) for node in predicate.walk()
    )


def rejects_absence(predicate: p.Predicate) -> bool:
    """Whether the predicate surely fails where all that it reads is missing.

    >>> from xrepo_nb.query.parsing import parse_filter
    >>> [rejects_absence(parse_filter(given)) for given in ({"a": 1}, {"a": None}, {"a": {"$ne": 1}})]
    [True, False, False]
    """
    if isinstance(predicate, p.And):
        return any(map(rejects_absence, predicate.items))
    if isinstance(predicate, p.Or):
        return all(map(rejects_absence, predicate.items))
    if isinstance(predicate, p.Compare):
        return type(predicate.value) in _THERE
    if isinstance(predicate, p.In):
        return all(type(value) in _THERE for value in predicate.values)
    return isinstance(predicate, p.Regex)


_THERE = ATOMS - {type(None)}
"""Types of constants that nothing missing equals, nor is less or more than."""


def renamed(predicate: p.Predicate, old: Path, new: Path) -> p.Predicate | None:
    """The predicate on documents where what is at `old` lies at `new`; None when it cannot be told.

    Every path of it must lie at or below `old`.
    """
    if isinstance(predicate, (p.Truth, p.JsonSchema, p.SampleRate)):
        return None
    try:
        return mapped(predicate, lambda path: _under(path, old, new))
    except LookupError:
        return None


def _under(path: Path, old: Path, new: Path) -> Path:
    if path[: len(old)] != old:
        raise LookupError(path)
    return new + path[len(old) :]
