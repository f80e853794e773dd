"""`$bucket` and `$bucketAuto`: rows by ranges of a value."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.stages.groups import accumulated, compile_outputs
from xrepo_nb.engines.document.stages.series import round_down, round_up
from xrepo_nb.query import plan as p


@stage(p.Bucket)
def bucket(node: p.Bucket, context: Context) -> Run:
    evaluate, outputs = compile_expression(node.by), compile_outputs(node.outputs)
    edges = [v.key(edge) for edge in node.boundaries]

    def place(row: Row) -> int:
        found = v.key(evaluate(row, context.variables))
        at = bisect_right(edges, found) - 1
        if 0 <= at < len(edges) - 1:
            return at
        if not node.has_default:
            raise XRepoQueryError(
                "a value lies outside of the boundaries, and there is no default", at=node.at
            )
        return -1

    def run(rows: Rows) -> Iterator[Row]:
        found: dict[int, list[Row]] = {}
        for row in rows:
            found.setdefault(place(row), []).append(row)
        made = [(node.default if at < 0 else node.boundaries[at], members) for at, members in found.items()]
        for key, members in sorted(made, key=lambda item: v.key(item[0])):
            yield accumulated(key, members, outputs, context)

    return run


@stage(p.BucketAuto)
def bucket_auto(node: p.BucketAuto, context: Context) -> Run:
    evaluate, outputs = compile_expression(node.by), compile_outputs(node.outputs)

    def run(rows: Rows) -> Iterator[Row]:
        pairs = [(v.or_null(evaluate(row, context.variables)), row) for row in rows]
        if node.granularity:
            _need_amounts(pairs, node.at)
        pairs.sort(key=lambda pair: v.key(pair[0]))
        if node.granularity:
            found = _granular(pairs, node.buckets, node.granularity)
        else:
            found = _even(pairs, node.buckets)
        for (low, high), members in found:
            yield accumulated({"min": low, "max": high}, members, outputs, context)

    return run


Pairs = Sequence[tuple[Any, Row]]
Ranges = Iterator[tuple[tuple[Any, Any], list[Row]]]


def _need_amounts(pairs: Pairs, at: str) -> None:
    for value, _ in pairs:
        if not v.is_number(value) or v.is_nan(value) or not 0 <= v.plain(value) < math.inf:
            raise XRepoQueryError("a granularity takes finite numbers from zero on", at=at)


def _even(pairs: Pairs, count: int) -> Ranges:
    """Buckets of about equal size; rows of equal value stay together."""
    size = _size(pairs, count)
    start = made = 0
    while start < len(pairs):
        end = len(pairs) if made == count - 1 else min(start + size, len(pairs))
        while end < len(pairs) and v.same(pairs[end][0], pairs[end - 1][0]):
            end += 1
        high = pairs[end][0] if end < len(pairs) else pairs[-1][0]
        yield (pairs[start][0], high), [row for _, row in pairs[start:end]]
        start, made = end, made + 1


def _size(pairs: Pairs, count: int) -> int:
    return max(1, math.floor(len(pairs) / count + 0.5))


def _granular(pairs: Pairs, count: int, granularity: str) -> Ranges:
    """Buckets whose edges are preferred numbers of a series."""
    size = _size(pairs, count)
    if not pairs:
        return
    low = round_down(pairs[0][0], granularity)
    start = made = 0
    while start < len(pairs):
        end = len(pairs) if made == count - 1 else min(start + size, len(pairs))
        high = round_up(pairs[end - 1][0], granularity)
        while end < len(pairs) and v.compare(pairs[end][0], high) < 0:
            end += 1
        yield (low, high), [row for _, row in pairs[start:end]]
        low, start, made = high, end, made + 1
