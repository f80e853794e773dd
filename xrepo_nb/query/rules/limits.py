"""Limits, skips and sorts: brought together, and below stages that keep row for row."""

from __future__ import annotations

from dataclasses import replace

from xrepo_nb.query import plan as s
from xrepo_nb.query.walk import over

_ONE_TO_ONE = (s.Project, s.AddFields, s.Unset, s.ReplaceRoot, s.Lookup, s.GraphLookup)
"""Stages that turn each row into exactly one."""


def push_limit(limit: s.Limit) -> s.Plan:
    """The limit below stages that keep row for row, so that it meets a sort or a scan."""
    below = limit.input
    if isinstance(below, s.Limit):
        return below if below.count <= limit.count else push_limit(over(limit, below.input))
    if isinstance(below, s.Skip):
        wider = replace(limit, input=below.input, count=limit.count + below.count)
        return over(below, push_limit(wider))
    if isinstance(below, _ONE_TO_ONE):
        return over(below, push_limit(over(limit, below.input)))
    if isinstance(below, s.UnionWith) and not isinstance(below.input, s.Limit):
        return over(limit, _limited_union(below, limit))
    return limit


def _limited_union(union: s.UnionWith, limit: s.Limit) -> s.Plan:
    """No side of a union needs to give more rows than the whole."""
    left = push_limit(over(limit, union.input))
    return replace(union, input=left, other=push_limit(over(limit, union.other)))


def merge_skip(skip: s.Skip) -> s.Plan:
    """Skips added up; none at all when nothing is skipped."""
    if skip.count == 0:
        return skip.input
    below = skip.input
    if isinstance(below, s.Skip):
        return replace(below, count=below.count + skip.count)
    if isinstance(below, _ONE_TO_ONE):
        return over(below, merge_skip(over(skip, below.input)))
    return skip


def merge_sort(sort: s.Sort) -> s.Plan:
    """A sort whose keys are all among those of the next one goes: it would only break ties.

    Other sorts stay, as ties of the next, and never become one with it: of an array the least
    element counts in one direction and the greatest in the other, and two arrays cannot be
    sorted by together.
    """
    below = sort.input
    if not sort.keys:
        return below
    if isinstance(below, s.Sort) and not sort.is_natural and set(sort.keys).issuperset(below.keys):
        return over(sort, below.input)
    return sort
