"""Accumulators as expressions: over their arguments, or over one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xrepo_nb.engines.document import statistics
from xrepo_nb.engines.document.expressions.registry import values
from xrepo_nb.engines.document.meter import spend


def _over(op: str, aggregate: Callable[[Sequence[Any]], Any]) -> None:
    def apply(*args: Any) -> Any:
        given = args[0] if len(args) == 1 and isinstance(args[0], list) else args
        spend(len(given))
        return aggregate(given)

    values(op)(apply)


_over("$sum", statistics.total)
_over("$avg", statistics.mean)
_over("$min", statistics.least)
_over("$max", statistics.greatest)
_over("$stdDevPop", lambda found: statistics.deviation(found, sample=False))
_over("$stdDevSamp", lambda found: statistics.deviation(found, sample=True))


@values("$percentile")
def percentile(input: Any, p: Any, method: Any) -> Any:
    return statistics.percentiles(_listed(input), statistics.checked_points(p))


@values("$median")
def median(input: Any, method: Any) -> Any:
    return statistics.percentiles(_listed(input), [0.5])[0]


def _listed(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        return [value]
    spend(len(value))
    return value
