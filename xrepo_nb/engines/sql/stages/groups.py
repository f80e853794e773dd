"""Stages that make one row of many: group, bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from sqlglot import exp

from xrepo_nb.engines.sql.accumulators import Rows, accumulated
from xrepo_nb.engines.sql.comparing import comparison
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.logic import choice
from xrepo_nb.engines.sql.expressions.objects import struct
from xrepo_nb.engines.sql.relation import Relation, Term, physical, subquery
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.syntax import Condition, Sql, call, column, conjunction, name, number
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.absence import NO_LITERAL
from xrepo_nb.engines.typed.reasons import bounded, decline
from xrepo_nb.query import plan as q
from xrepo_nb.query.expressions import DocumentExpr, Expr

_KEYED = frozenset({"array", "object"})


def group(ctx: Context, stage: q.Group, sources: Sources) -> Relation:
    """`$group`: GROUP BY the key's parts, `_id` built of them afterwards."""
    if isinstance(stage.key, DocumentExpr) and not ctx.dialect.nested:
        decline(f"a document as a key in {ctx.dialect.name}")
    base = relation(ctx, stage.input, sources).plain(ctx)
    keys = parts(ctx.over(base.columns), stage.key)
    return grouped(ctx, base, keys, stage.key, stage.accumulators)


def parts(ctx: Context, key: Expr) -> list[Value]:
    """The values to group by: a document's fields each, so that no struct needs hashing."""
    if isinstance(key, DocumentExpr):
        return [value for _, item in key.items for value in parts(ctx, item)]
    value = ctx.value(key)
    if value.is_constant or value.kind == "null":
        return [value]
    if value.kind in _KEYED and not ctx.dialect.nested:
        decline(f"grouping by {value.kind}")
    ctx.dialect.check(value, "grouping")
    return [value]


def grouped(
    ctx: Context,
    base: Relation,
    keys: Sequence[Value],
    key: Expr | None,
    accumulators: Sequence[q.Accumulator],
    key_terms: bool = False,
) -> Relation:
    """One row for each combination of the keys, with `_id` built of them."""
    base, keys = _plain_keys(ctx, base, keys)
    rows = Rows(ctx.over(base.columns), base.order)
    made = {a.name: accumulated(a, rows) for a in accumulators}
    by = [ctx.dialect.operand(k) for k in keys if isinstance(k.sql, exp.Column)]
    alias = ctx.table_name()
    names = physical(made)
    selected: list[Sql] = []
    outer_keys = []
    for i, value in enumerate(keys):
        if not isinstance(value.sql, exp.Column):
            outer_keys.append(value)
            continue
        selected.append(exp.Alias(this=ctx.dialect.picked(value), alias=name(f"#k{i}")))
        outer_keys.append(replace(value, sql=column(f"#k{i}", alias)))
    for logical, value in made.items():
        selected.append(exp.Alias(this=value.sql, alias=name(names[logical])))
    where: Condition = True
    if not by:
        where = _some(selected, made, names, alias)
    select = base.selecting(ctx, selected)
    if by:
        select = select.group_by(*by, copy=False)
    elif ctx.dialect.merges:
        select = select.limit(number(1), copy=False)
    columns = {"_id": _rebuilt(iter(outer_keys), key).nullable()}
    for logical, value in made.items():
        columns[logical] = replace(value, sql=column(names[logical], alias))
    order = tuple(Term(v.sql) for v in outer_keys) if key_terms else ()
    return Relation(subquery(select, alias), columns, order, explicit=key_terms, where=where)


def _some(selected: list[Sql], made: Mapping[str, Value], names: Mapping[str, str], alias: str) -> Sql:
    """That the one group of all rows has some; what counts them for that is selected, if nothing does."""
    count = call("count", exp.Star())
    counting = next((names[logical] for logical, value in made.items() if value.sql == count), "#n")
    if counting == "#n":
        selected.append(exp.Alias(this=count, alias=name("#n")))
    return exp.GT(this=column(counting, alias), expression=number(0))


def _plain_keys(ctx: Context, base: Relation, keys: Sequence[Value]) -> tuple[Relation, list[Value]]:
    """The keys as columns of the relation; constants stay."""
    computed = {
        f"#g{i}": k
        for i, k in enumerate(keys)
        if not (isinstance(k.sql, exp.Column | exp.Null) or k.is_constant)
    }
    if computed:
        own = tuple(base.columns)
        base = base.with_columns({**base.columns, **computed}).derived(ctx)
        made = {k: base.columns[k] for k in computed}
        base = base.with_columns({k: base.columns[k] for k in own})
        keys = [_moved(base, k, made.get(f"#g{i}")) for i, k in enumerate(keys)]
    return base, list(keys)


def _moved(base: Relation, key: Value, made: Value | None) -> Value:
    if made is not None:
        return made
    if not isinstance(key.sql, exp.Column):
        return key
    found = next(v for v in base.columns.values() if v.sql.name == key.sql.name)
    return replace(key, sql=found.sql, missing=found.missing)


def _rebuilt(keys: Iterator[Value], key: Expr | None) -> Value:
    if isinstance(key, DocumentExpr):
        return struct([(field, _rebuilt(keys, item)) for field, item in key.items])
    return next(keys)


def bucket(ctx: Context, stage: q.Bucket, sources: Sources) -> Relation:
    """`$bucket`: a group by the boundary below each value, as CASE finds it."""
    base = relation(ctx, stage.input, sources).plain(ctx)
    inner = ctx.over(base.columns)
    by = inner.value(stage.by)
    bounded(stage.boundaries, "boundaries")
    bounds = [inner.literal(b) for b in stage.boundaries]
    branches = []
    for low, high in pairwise(bounds):
        inside = conjunction(comparison(inner, "$gte", by, low), comparison(inner, "$lt", by, high))
        branches.append((inside, low))
    if stage.has_default:
        default = inner.literal(stage.default)
    else:
        default = replace(bounds[0], sql=ctx.dialect.fails("$bucket met a value outside of its boundaries"))
    # A computed value, even where all branches are constants.
    key = replace(choice(branches, default), literal=NO_LITERAL)
    return grouped(ctx, base, [key], None, stage.outputs, key_terms=True)


RENDERERS: Mapping[str, Renderer] = {"Group": group, "Bucket": bucket}
