"""Stages that choose and order rows: match, sort, limit, skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.paths import column_of, follow
from xrepo_nb.engines.sql.predicates import may_fail, predicate
from xrepo_nb.engines.sql.relation import Relation, Term
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.syntax import FALSE, call, case, conjunction
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.kinds import SORTED
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as q


def match(ctx: Context, stage: q.Match, sources: Sources) -> Relation:
    """`$match`: a condition added to WHERE."""
    base = relation(ctx, stage.input, sources).plain(ctx)
    condition = predicate(ctx.over(base.columns), stage.predicate)
    if may_fail(stage.predicate) and base.where is not True and not isinstance(condition, bool):
        # CASE keeps the database from evaluating it on rows that were filtered out before.
        condition = case([(base.where, condition)], FALSE)
    return replace(base, where=conjunction(base.where, condition))


def sort(ctx: Context, stage: q.Sort, sources: Sources) -> Relation:
    """`$sort`: the keys before what the rows were ordered by."""
    if stage.is_natural:
        decline("the order in which rows stand")
    base = relation(ctx, stage.input, sources).plain(ctx)
    terms = sort_terms(ctx.over(base.columns), stage.keys)
    return replace(base, order=(*terms, *base.order), explicit=True)


def sort_terms(ctx: Context, keys: tuple[q.SortKey, ...]) -> tuple[Term, ...]:
    """The keys as terms of an order: nulls least, then NaN."""
    terms: list[Term] = []
    for key in keys:
        value = follow(ctx, column_of(ctx, key.path[0]), key.path[1:])
        terms += value_terms(ctx, value, key.descending)
    return tuple(terms)


def value_terms(ctx: Context, value: Value, descending: bool) -> list[Term]:
    """One value as terms of an order: nulls least, then NaN."""
    if value.kind == "null":
        return []
    if value.kind not in SORTED and value.kind != "uuid":
        decline(f"sorting by {value.kind}")
    ctx.dialect.check(value, "sorting")
    terms = [Term(ctx.dialect.operand(value), descending)]
    if value.kind == "float" and ctx.dialect.has_nan:
        terms.insert(0, Term(ctx.dialect.is_nan(value.sql), not descending))
        # NULL of the first key must come before NaN, so that it is asked for on its own.
        present = value.is_present()
        if not isinstance(present, bool):
            terms.insert(0, Term(present, descending))
    return terms


def limit(ctx: Context, stage: q.Limit, sources: Sources) -> Relation:
    """`$limit`."""
    base = relation(ctx, stage.input, sources)
    return replace(base, limit=stage.count if base.limit is None else min(base.limit, stage.count))


def skip(ctx: Context, stage: q.Skip, sources: Sources) -> Relation:
    """`$skip`."""
    base = relation(ctx, stage.input, sources)
    left = None if base.limit is None else max(base.limit - stage.count, 0)
    return replace(base, offset=base.offset + stage.count, limit=left)


def sample(ctx: Context, stage: q.Sample, sources: Sources) -> Relation:
    """`$sample`: the first of the rows in a random order."""
    base = relation(ctx, stage.input, sources).derived(ctx)
    return replace(base, order=(Term(call("random")),), explicit=True, limit=stage.size).derived(ctx)


RENDERERS: Mapping[str, Renderer] = {
    "Match": match,
    "Sort": sort,
    "Limit": limit,
    "Skip": skip,
    "Sample": sample,
}
