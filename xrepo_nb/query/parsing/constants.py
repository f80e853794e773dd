"""Checks of constant arguments that MongoDB makes when it reads an expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.query.expressions import Call, Literal
from xrepo_nb.query.parsing.values import fail, flag, kind, string


def _sort_array(node: Call, at: str) -> None:
    from xrepo_nb.query.parsing.sorts import element_order

    element_order(_constant(node, "sortBy"), f"{at}.sortBy")


def _zip(node: Call, at: str) -> None:
    longest = node.option("useLongestLength")
    if longest is not None:
        flag(_constant(node, "useLongestLength"), "useLongestLength", at)
    if node.option("defaults") is not None and not (isinstance(longest, Literal) and longest.value):
        fail("$zip takes defaults only with useLongestLength: true", at)


def _quantile(node: Call, at: str) -> None:
    method = string(_constant(node, "method"), "method", at)
    if method != "approximate":
        fail(f"the only method of {node.op} is 'approximate', not {method!r}", at)
    points = node.option("p")
    if isinstance(points, Literal):
        _check_points(points.value, at)


def _check_points(points: Any, at: str) -> None:
    if not isinstance(points, list) or not points:
        fail(f"p is an array of numbers from 0 to 1, not {kind(points)}", at)
    for point in points:
        from xrepo_nb.query.parsing.values import as_float, is_number

        if not is_number(point) or not 0 <= as_float(point) <= 1:
            fail("p is an array of numbers from 0 to 1", at)


def _constant(node: Call, name: str) -> Any:
    found = node.option(name)
    return found.value if isinstance(found, Literal) else None


CONSTANTS: dict[str, Callable[[Call, str], None]] = {
    "$sortArray": _sort_array,
    "$zip": _zip,
    "$median": _quantile,
    "$percentile": _quantile,
}
"""By operator, what looks at its parsed node and refuses bad constants."""
