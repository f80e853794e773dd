"""Comparison by MongoDB's order over all types; boolean operators."""

from __future__ import annotations

from typing import Any

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import Compile, Evaluate, Variables, special, values
from xrepo_nb.query.expressions import Call

_PLAIN = frozenset({int, float})


@values("$cmp")
def cmp(left: Any, right: Any) -> int:
    return v.compare(left, right)


@values("$eq")
def eq(left: Any, right: Any) -> bool:
    return v.same(left, right)


@values("$ne")
def ne(left: Any, right: Any) -> bool:
    return not v.same(left, right)


@values("$gt")
def gt(left: Any, right: Any) -> bool:
    if type(left) in _PLAIN and type(right) in _PLAIN and right == right:
        return bool(left > right)
    return v.compare(left, right) > 0


@values("$lt")
def lt(left: Any, right: Any) -> bool:
    if type(left) in _PLAIN and type(right) in _PLAIN and left == left:
        return bool(left < right)
    return v.compare(left, right) < 0


@values("$gte")
def gte(left: Any, right: Any) -> bool:
    return not lt(left, right)


@values("$lte")
def lte(left: Any, right: Any) -> bool:
    return not gt(left, right)


@special("$and")
def and_(call: Call, compile: Compile) -> Evaluate:
    return _until(False, [compile(item) for item in call.args])


@special("$or")
def or_(call: Call, compile: Compile) -> Evaluate:
    return _until(True, [compile(item) for item in call.args])


def _until(decisive: bool, items: list[Evaluate]) -> Evaluate:
    """Evaluates the items up to the first whose truth is `decisive`."""

    def evaluate(document: Any, variables: Variables) -> bool:
        for item in items:
            if v.truth(item(document, variables)) is decisive:
                return decisive
        return not decisive

    return evaluate


@values("$not")
def not_(value: Any) -> bool:
    return not v.truth(value)
