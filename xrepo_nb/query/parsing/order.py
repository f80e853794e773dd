"""The order of constants, as far as parsing compares them: boundaries and bounds."""

from __future__ import annotations

from typing import Any

from xrepo_nb.query.evaluation import constant
from xrepo_nb.query.expressions import Call, Literal
from xrepo_nb.query.parsing.values import is_number, kind

_PLAIN = frozenset({int, float, str})
"""Types that Python orders as MongoDB does, but for NaN."""


def type_rank(value: Any) -> str:
    """The bracket of types within which the value compares: all numbers are one."""
    return "number" if is_number(value) else kind(value)


def precedes(left: Any, right: Any, at: str) -> bool:
    """Whether a constant comes before another one in the order over all values."""
    if type(left) is type(right) and type(left) in _PLAIN and left == left and right == right:
        return bool(left < right)
    return bool(constant(Call("$lt", (Literal(left), Literal(right)), (), at), "an order", at).value)
