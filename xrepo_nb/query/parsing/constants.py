"""Checks of constant arguments that MongoDB makes when it reads an expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.query.expressions import ArrayExpr, Call, Expr, Literal
from xrepo_nb.query.parsing.patterns import options_of, pattern_parts
from xrepo_nb.query.parsing.sorts import element_order
from xrepo_nb.query.parsing.values import array, as_float, fail, flag, is_number, kind, string


def _sort_array(node: Call, at: str) -> None:
    element_order(node.constant("sortBy"), f"{at}.sortBy")


def _zip(node: Call, at: str) -> None:
    longest = node.constant("useLongestLength")
    if node.option("useLongestLength") is not None:
        flag(longest, "useLongestLength", at)
    count = _length(node.option("inputs"), "inputs", at)
    if count == 0:
        fail("$zip needs at least one input", at)
    defaults = node.option("defaults")
    if defaults is None:
        return
    if not longest:
        fail("$zip takes defaults only with useLongestLength: true", at)
    wanted = _length(defaults, "defaults", at)
    if None not in (count, wanted) and wanted != count:
        fail("$zip takes as many defaults as inputs", at)


def _length(found: Expr | None, name: str, at: str) -> int | None:
    """How many arrays are given; None when only the data tell."""
    if isinstance(found, ArrayExpr):
        return len(found.items)
    if not isinstance(found, Literal):
        return None
    return len(array(found.value, f"{name} of $zip", f"{at}.{name}"))


def _quantile(node: Call, at: str) -> None:
    method = string(node.constant("method"), "method", at)
    if method != "approximate":
        fail(f"the only method of {node.op} is 'approximate', not {method!r}", at)
    points = node.option("p")
    if isinstance(points, Literal):
        _check_points(points.value, f"{at}.p")


def _check_points(points: Any, at: str) -> None:
    if not isinstance(points, list) or not points:
        fail(f"p is an array of numbers from 0 to 1, not {kind(points)}", at)
    if not all(is_number(point) and 0 <= as_float(point) <= 1 for point in points):
        fail("p is an array of numbers from 0 to 1", at)


def _date_from_parts(node: Call, at: str) -> None:
    given = {name for name, _ in node.options}
    calendar, iso = given & {"year", "month", "day"}, given & {"isoWeekYear", "isoWeek", "isoDayOfWeek"}
    if calendar and iso:
        fail("$dateFromParts takes calendar parts or ISO week parts, not both", at)
    if not given & {"year", "isoWeekYear"}:
        fail("$dateFromParts needs year or isoWeekYear", at)


def _regex(node: Call, at: str) -> None:
    regex, options = node.constant("regex"), node.constant("options")
    if isinstance(regex, str):
        pattern_parts(regex, f"{at}.regex")
    if isinstance(options, str):
        options_of(options, f"{at}.options")


CONSTANTS: dict[str, Callable[[Call, str], None]] = {
    "$sortArray": _sort_array,
    "$zip": _zip,
    "$median": _quantile,
    "$percentile": _quantile,
    "$dateFromParts": _date_from_parts,
    **dict.fromkeys(("$regexFind", "$regexFindAll", "$regexMatch"), _regex),
}
"""By operator, what looks at its parsed node and refuses bad constants."""
