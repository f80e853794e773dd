"""Predicates back into MongoDB's filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xrepo_nb.core.errors import XRepoUnsupportedError, an
from xrepo_nb.query import predicates as p
from xrepo_nb.query.parsing.patterns import FLAGS
from xrepo_nb.query.parsing.values import is_pattern
from xrepo_nb.query.unparsing.expressions import dotted, unparse_expression

Operators = dict[str, Any]


def unparse_predicate(predicate: p.Predicate) -> dict[str, Any]:
    """The filter that parses to the predicate.

    >>> from xrepo_nb.query.parsing import parse_filter
    >>> unparse_predicate(parse_filter({"age__gte": 3}))
    {'age': {'$gte': 3}}
    """
    write = _WHOLE.get(type(predicate))
    return _field(predicate) if write is None else write(predicate)


def _field(predicate: p.Predicate) -> dict[str, Any]:
    path = getattr(predicate, "path", ())
    found = operators(predicate)
    if not path or found is None:
        raise XRepoUnsupportedError(
            f"{an(type(predicate).__name__)} on single values is no filter by itself",
            asked=type(predicate).__name__,
        )
    return {dotted(path): found}


def operators(predicate: p.Predicate) -> Operators | None:
    """The operators below a field that ask this; None when no such document does."""
    write = _FIELD.get(type(predicate))
    return None if write is None else write(predicate)


def _and(predicate: p.And) -> dict[str, Any]:
    return {"$and": [unparse_predicate(item) for item in predicate.items]} if predicate.items else {}


def _not(predicate: p.Not) -> dict[str, Any]:
    item = predicate.item
    if isinstance(item, p.Or):
        return {"$nor": [unparse_predicate(part) for part in item.items]}
    paths = {getattr(node, "path", None) for node in _flat(item)}
    if len(paths) == 1:
        (path,) = paths
        found = operators(predicate)
        if path and found is not None:
            return {dotted(path): found}
    return {"$nor": [unparse_predicate(item)]}


def _flat(predicate: p.Predicate) -> list[p.Predicate]:
    """The conditions below conjunctions and negations."""
    if isinstance(predicate, (p.And, p.Not)):
        return [node for item in predicate.children() for node in _flat(item)]
    return [predicate]


def _constant(predicate: p.Constant) -> dict[str, Any]:
    return {} if predicate.value else {"$alwaysFalse": 1}


_WHOLE: dict[type, Callable[[Any], dict[str, Any]]] = {
    p.Constant: _constant,
    p.And: _and,
    p.Or: lambda predicate: {"$or": [unparse_predicate(item) for item in predicate.items]},
    p.Not: _not,
    p.Truth: lambda predicate: {"$expr": unparse_expression(predicate.expr)},
    p.JsonSchema: lambda predicate: {"$jsonSchema": predicate.schema},
    p.SampleRate: lambda predicate: {"$sampleRate": predicate.rate},
}


def _all_of(predicate: p.And) -> Operators | None:
    """Conditions on one field as one document; None when two share an operator."""
    found: Operators = {}
    for item in predicate.items:
        part = operators(item)
        if part is None or part.keys() & found.keys():
            return None
        found.update(part)
    return found


def _negated(predicate: p.Not) -> Operators | None:
    item = predicate.item
    if isinstance(item, p.Compare) and item.op == "$eq" and not is_pattern(item.value):
        return {"$ne": item.value}
    if isinstance(item, p.In):
        return {"$nin": list(item.values)}
    found = operators(item)
    return None if found is None else {"$not": found}


def _elem_match(predicate: p.ElemMatch) -> Operators | None:
    inner = operators(predicate.predicate) if predicate.on_values else unparse_predicate(predicate.predicate)
    return None if inner is None else {"$elemMatch": inner}


def _all(predicate: p.All) -> Operators:
    return {"$all": [_wanted(item) for item in predicate.items]}


def _wanted(item: p.Predicate) -> Any:
    if isinstance(item, p.Compare):
        return item.value
    if isinstance(item, p.Regex):
        return pattern_of(item.pattern, item.options)
    return operators(item)


def pattern_of(pattern: str, options: str) -> Any:
    """A regular expression as a value: Python's where it is one, else BSON's."""
    try:
        return re.compile(pattern, sum(FLAGS.get(letter, 0) for letter in options))
    except re.error:
        from bson.regex import Regex

        return Regex(pattern, options)


def _bits(predicate: p.Bits) -> Operators:
    mask = predicate.mask
    if mask < 2**63:
        return {predicate.op: mask}
    return {predicate.op: [i for i in range(mask.bit_length()) if mask >> i & 1]}


def _regex(predicate: p.Regex) -> Operators:
    options = {"$options": predicate.options} if predicate.options else {}
    return {"$regex": predicate.pattern, **options}


_FIELD: dict[type, Callable[[Any], Operators | None]] = {
    p.Compare: lambda predicate: {predicate.op: predicate.value},
    p.In: lambda predicate: {"$in": list(predicate.values)},
    p.Exists: lambda predicate: {"$exists": predicate.present},
    p.HasType: lambda predicate: {"$type": list(predicate.types)},
    p.Regex: _regex,
    p.Mod: lambda predicate: {"$mod": [predicate.divisor, predicate.remainder]},
    p.Size: lambda predicate: {"$size": predicate.length},
    p.Bits: _bits,
    p.ElemMatch: _elem_match,
    p.All: _all,
    p.Not: _negated,
    p.And: _all_of,
}
