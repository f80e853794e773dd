"""`$bucket` and `$bucketAuto`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from xrepo_nb.query.evaluation import constant
from xrepo_nb.query.expressions import Expr
from xrepo_nb.query.parsing.accumulators import outputs
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.order import precedes, type_rank
from xrepo_nb.query.parsing.values import array, fail, named_options, string, whole
from xrepo_nb.query.plan import Accumulator, Bucket, BucketAuto, Plan

GRANULARITIES = (
    "R5", "R10", "R20", "R40", "R80", "1-2-5", "E6", "E12", "E24", "E48", "E96", "E192", "POWERSOF2",
)  # fmt: skip
_COUNT = {"count": {"$sum": 1}}


def bucket(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """The node of a `$bucket` stage."""
    known = ("groupBy", "boundaries", "default", "output")
    named = named_options(given, "$bucket", known, ("groupBy", "boundaries"), at)
    boundaries = _boundaries(named["boundaries"], f"{at}.boundaries", scope)
    by = _by(named["groupBy"], f"{at}.groupBy", scope)
    results = _outputs(named, at, scope)
    if "default" not in named:
        return Bucket(source, by, boundaries, results, at=at)
    default = _constant(named["default"], "the default of $bucket", f"{at}.default", scope)
    if type_rank(default) == type_rank(boundaries[0]) and (
        not precedes(default, boundaries[0], at) and precedes(default, boundaries[-1], at)
    ):
        fail("the default of $bucket lies within its boundaries", f"{at}.default")
    return Bucket(source, by, boundaries, results, True, default, at=at)


def _by(given: Any, at: str, scope: Scope) -> Expr:
    is_operator = isinstance(given, Mapping) and str(next(iter(given), "")).startswith("$")
    if not is_operator and not (isinstance(given, str) and given.startswith("$")):
        fail("groupBy takes a field path with '$' before it, or an operator", at)
    return expression(given, at, scope)


def _outputs(named: Mapping[str, Any], at: str, scope: Scope) -> tuple[Accumulator, ...]:
    return outputs(named.get("output", _COUNT), "output", f"{at}.output", scope)


def _constant(given: Any, what: str, at: str, scope: Scope) -> Any:
    return constant(expression(given, at, scope), what, at).value


def _boundaries(given: Any, at: str, scope: Scope) -> tuple[Any, ...]:
    found = tuple(_constant(item, "a boundary", at, scope) for item in array(given, "boundaries", at))
    if len(found) < 2:
        fail("$bucket needs at least two boundaries", at)
    for lower, upper in pairwise(found):
        if type_rank(lower) != type_rank(upper):
            fail("the boundaries of $bucket are all of one type", at)
        if not precedes(lower, upper, at):
            fail("the boundaries of $bucket ascend", at)
    return found


def bucket_auto(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """The node of a `$bucketAuto` stage."""
    known = ("groupBy", "buckets", "output", "granularity")
    named = named_options(given, "$bucketAuto", known, ("groupBy", "buckets"), at)
    granularity = named.get("granularity")
    if granularity is not None and string(granularity, "granularity", at) not in GRANULARITIES:
        fail(f"unknown granularity {granularity!r}", at, asked=granularity, exists=GRANULARITIES)
    return BucketAuto(
        source,
        _by(named["groupBy"], f"{at}.groupBy", scope),
        whole(named["buckets"], "buckets", f"{at}.buckets", least=1, most=2**31 - 1),
        _outputs(named, at, scope),
        granularity,
        at=at,
    )
