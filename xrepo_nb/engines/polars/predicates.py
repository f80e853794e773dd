"""Predicates: filters lowered to boolean expressions in which null counts as false."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from xrepo_nb.core.errors import an
from xrepo_nb.engines.polars import matching
from xrepo_nb.engines.polars.logic import Condition, as_expr, conjunction, disjunction, negation
from xrepo_nb.engines.polars.numbers import remainder as remainder_of
from xrepo_nb.engines.polars.paths import element, member
from xrepo_nb.engines.polars.patterns import finds
from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.truth import truth
from xrepo_nb.engines.polars.values import MISSING_VALUE, Value, constant
from xrepo_nb.engines.typed.kinds import WIDTHS
from xrepo_nb.engines.typed.reasons import Unsupported, bounded, decline
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.rules.merging import told_apart
from xrepo_nb.query.walk import is_position

Place = Scope | Value
"""Where the paths of a predicate begin: the document, or an element of an array."""
Test = Callable[[Value], Condition]
"""Of one value, which is not of mixed type."""


def condition(predicate: p.Predicate, scope: Scope) -> Condition:
    """The rows of a scope for which the predicate holds.

    A predicate without lowering runs through the interpreter, row by row.
    """
    if type(predicate) is p.And:
        bounded(predicate.items, "conditions", _ALTERNATIVES)
        return conjunction(*[condition(item, scope) for item in predicate.items])
    if type(predicate) is p.Or and len(predicate.items) <= _ALTERNATIVES:
        if _is_index(predicate):
            return _interpreted(predicate, scope, "alternatives that a value tells apart")
        return disjunction(*[condition(item, scope) for item in predicate.items])
    if type(predicate) is p.Not:
        return negation(condition(predicate.item, scope))
    if type(predicate) is p.All:
        bounded(predicate.items, "conditions", _ALTERNATIVES)
    try:
        return _holds(predicate, scope)
    except Unsupported as declined:
        return _interpreted(predicate, scope, declined.reason)


def _interpreted(predicate: p.Predicate, scope: Scope, reason: str) -> Condition:
    from xrepo_nb.engines.polars.interpreted import interpreted_predicate

    return interpreted_predicate(predicate, scope, reason)


def _is_index(predicate: p.Or) -> bool:
    """Whether the interpreter finds the few alternatives that a row may satisfy by its values."""
    return len(predicate.items) > _APART and len(told_apart(predicate.items)[1]) <= _APART


def _holds(predicate: p.Predicate, place: Place) -> Condition:
    lowering = _LOWERINGS.get(type(predicate))
    return lowering(predicate, place) if lowering else decline(f"{type(predicate).__name__} has no lowering")


def on_path(place: Place, path: Path, test: Test, *, elements: bool = True) -> Condition:
    """Whether any value at the path passes; an array at its end offers its elements, then itself."""
    if not path:
        return test(place) if isinstance(place, Value) else decline("the document itself as a value")
    value = _step(place, path[0])
    if value.kind == "mixed":
        decline("a field of mixed type")
    if len(path) == 1:
        if elements and value.kind == "array":
            return disjunction(any_element(value, test), test(value))
        return test(value)
    if value.kind == "array":
        absent = conjunction(value.is_absent(), test(MISSING_VALUE))
        return disjunction(absent, _among(value, path[1:], test, elements))
    return on_path(value, path[1:], test, elements=elements)


def _step(place: Place, name: str) -> Value:
    if isinstance(place, Scope):
        return place.path((name,))
    return member(place, name) if place.kind == "object" else MISSING_VALUE


def any_element(array: Value, test: Test) -> Condition:
    """Whether any element passes."""
    item = array.type.item
    if item is None or item.kind == "mixed":
        decline("an array of mixed type")
    found = test(element(item))
    if found is False:
        return False
    if found is True:
        return array.expr.list.len() > 0
    return array.expr.list.agg(found.fill_null(False).any())


def _among(array: Value, path: Path, test: Test, elements: bool) -> Condition:
    item = array.type.item
    if item is not None and item.kind == "mixed":
        decline("an array of mixed type")
    found: Condition = False
    if item is not None and item.kind == "object":
        found = any_element(
            array, lambda e: conjunction(e.is_present(), on_path(_present(e), path, test, elements=elements))
        )
    if not is_position(path[0]):
        return found
    if len(path) > 1 or item is None:
        decline("a path through a position of an array")
    index = int(path[0])
    at = Value(array.expr.list.get(index, null_on_oob=True), item, "null")
    return disjunction(found, conjunction(array.expr.list.len() > index, test(at)))


def _present(value: Value) -> Value:
    return replace(value, absence="never")


def _compare(predicate: p.Compare, place: Place) -> Condition:
    return on_path(place, predicate.path, lambda v: matching.compares(predicate.op, predicate.value, v))


def _or(predicate: p.Or, place: Place) -> Condition:
    bounded(predicate.items, "alternatives", _ALTERNATIVES)
    return disjunction(*(_holds(item, place) for item in predicate.items))


_ALTERNATIVES = 20_000
"""Beyond so many alternatives Polars takes more than a second to plan them."""


_APART = 500
"""Beyond so many alternatives that a value tells apart the interpreter is faster: each row sees all of them
here."""


def _in(predicate: p.In, place: Place) -> Condition:
    return on_path(place, predicate.path, lambda v: matching.is_one_of(predicate.values, v))


def _exists(predicate: p.Exists, place: Place) -> Condition:
    found = on_path(place, predicate.path, _is_there, elements=False)
    return found if predicate.present else negation(found)


def _is_there(value: Value) -> Condition:
    gone = value.is_missing()
    if isinstance(gone, bool):
        return not gone
    return value.is_present() if value.absence == "missing" else ~gone


def _has_type(predicate: p.HasType, place: Place) -> Condition:
    if not WIDTHS.isdisjoint(predicate.types) and not (
        isinstance(place, Scope) and place.keeps_widths(predicate.path)
    ):
        decline("the type of a computed number")
    return on_path(place, predicate.path, lambda v: matching.has_type(predicate.types, v))


def _regex(predicate: p.Regex, place: Place) -> Condition:
    return on_path(place, predicate.path, lambda v: finds(predicate.pattern, predicate.options, v))


def _mod(predicate: p.Mod, place: Place) -> Condition:
    divisor, remainder = predicate.divisor, predicate.remainder

    def test(value: Value) -> Condition:
        if value.kind in ("float", "decimal"):
            decline(f"$mod of {an(value.kind)}")
        if value.kind != "int":
            return False
        return remainder_of(value.expr, constant(divisor)) == remainder

    return on_path(place, predicate.path, test)


def _size(predicate: p.Size, place: Place) -> Condition:
    def test(value: Value) -> Condition:
        return value.expr.list.len() == predicate.length if value.kind == "array" else False

    return on_path(place, predicate.path, test, elements=False)


def _elem_match(predicate: p.ElemMatch, place: Place) -> Condition:
    """Within an element nothing can be left to the interpreter."""

    def holds(item: Value) -> Condition:
        if predicate.on_values:
            return _holds(predicate.predicate, item)
        if item.kind == "array":
            decline("$elemMatch on arrays in an array")
        if item.kind != "object":
            return False
        return conjunction(item.is_present(), _holds(predicate.predicate, _present(item)))

    def test(value: Value) -> Condition:
        return any_element(value, holds) if value.kind == "array" else False

    return on_path(place, predicate.path, test, elements=False)


def _all(predicate: p.All, place: Place) -> Condition:
    if not predicate.items:
        return False
    return conjunction(*(_holds(item, place) for item in predicate.items))


def _bits(predicate: p.Bits, place: Place) -> Condition:
    mask, op = predicate.mask, predicate.op

    def test(value: Value) -> Condition:
        if value.kind in ("string", "bool", "null"):
            return False
        if value.kind != "int":
            decline("$bits on other than ints")
        if mask >= 2**63:
            decline("a bit mask past 63 bits")
        bits = value.expr & pl.lit(mask, dtype=pl.Int64)
        return {
            "$bitsAllSet": bits == mask,
            "$bitsAllClear": bits == 0,
            "$bitsAnySet": bits != 0,
            "$bitsAnyClear": bits != mask,
        }[op]

    return on_path(place, predicate.path, test)


def _truth(predicate: p.Truth, place: Place) -> Condition:
    if not isinstance(place, Scope):
        decline("$expr within an array's element")
    return truth(place.typed(predicate.expr))


_LOWERINGS: dict[type[p.Predicate], Callable[[Any, Any], Condition]] = {
    p.Constant: lambda predicate, place: bool(predicate.value),
    p.And: lambda predicate, place: conjunction(*(_holds(i, place) for i in predicate.items)),
    p.Or: _or,
    p.Not: lambda predicate, place: negation(_holds(predicate.item, place)),
    p.Compare: _compare,
    p.In: _in,
    p.Exists: _exists,
    p.HasType: _has_type,
    p.Regex: _regex,
    p.Mod: _mod,
    p.Size: _size,
    p.ElemMatch: _elem_match,
    p.All: _all,
    p.Bits: _bits,
    p.Truth: _truth,
}


def rows_where(lazy: pl.LazyFrame, holds: Condition) -> pl.LazyFrame:
    """The rows for which a condition holds."""
    if holds is True:
        return lazy
    return lazy.filter(as_expr(holds)) if holds is not False else lazy.clear()
