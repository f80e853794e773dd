"""Stages that read two relations: union and join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.relation import Relation, Term, aliased, physical, subquery
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.syntax import Sql, as_sql, column, conjunction, number
from xrepo_nb.engines.sql.values import Value, unified
from xrepo_nb.engines.typed.kinds import KEYS
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as q
from xrepo_nb.schema.types import Absence


def union(ctx: Context, stage: q.UnionWith, sources: Sources) -> Relation:
    """`$unionWith`: UNION ALL, each side numbered to keep its order."""
    left = relation(ctx, stage.input, sources)
    right = relation(ctx, stage.other, sources)
    fields = list(dict.fromkeys([*left.columns, *right.columns]))
    names = physical(fields)
    alias = ctx.table_name()
    terms = max(len(left.order), len(right.order), 1)
    parts: list[Sql] = []
    columns: dict[str, Value] = {}
    for side, other in ((left, right), (right, left)):
        selected = [aliased(_sided(side, other, f).sql, names[f]) for f in fields]
        selected.append(aliased(number(int(side is right)), "#s"))
        selected += [aliased(_term(side, i), f"#{int(side is right)}{i}") for i in range(terms)]
        selected += [aliased(exp.Null(), f"#{int(side is left)}{i}") for i in range(terms)]
        select = side.selecting(ctx, _sorted_names(selected, len(fields)), ordered=side.is_cut)
        parts.append(exp.Subquery(this=select) if side.is_cut else select)
    for f in fields:
        columns[f] = replace(_merged(left, right, f), sql=column(names[f], alias))
    made = exp.Union(this=parts[0], expression=parts[1], distinct=False)
    if not left.order or not right.order:
        return Relation(subquery(made, alias), columns)
    order = [Term(column("#s", alias))]
    for k, side in enumerate((left, right)):
        order += [replace(t, sql=column(f"#{k}{i}", alias)) for i, t in enumerate(side.order)]
    return Relation(subquery(made, alias), columns, tuple(order), explicit=True)


def _sorted_names(selected: Sequence[Sql], fields: int) -> list[Sql]:
    rest = sorted(selected[fields:], key=lambda s: s.alias)
    return [*selected[:fields], *rest]


def _term(side: Relation, i: int) -> Sql:
    return side.order[i].sql if i < len(side.order) else exp.Null()


def _sided(side: Relation, other: Relation, field: str) -> Value:
    found = side.columns.get(field)
    if found is not None:
        return found
    return Value(exp.Null(), other.columns[field].type, "missing")


def _merged(left: Relation, right: Relation, field: str) -> Value:
    mine, other = _sided(left, right, field), _sided(right, left, field)
    type_ = unified([mine.type, other.type])
    return Value(exp.Null(), type_, _common(f"the field {field!r}", mine, other))


def _common(what: str, left: Value, right: Value) -> Absence:
    """What NULL means in a column made of two."""
    kinds = {v.settled(what).absence for v in (left, right)} - {"never"}
    if len(kinds) > 1:
        decline(f"{what}, null on one side and missing on the other")
    return kinds.pop() if kinds else "never"


_SIDES = {"left": "LEFT", "inner": "INNER", "right": "RIGHT", "outer": "FULL"}


def join(ctx: Context, stage: q.Join, sources: Sources) -> Relation:
    """A relational join, as views make it; keys of one name appear once."""
    left = relation(ctx, stage.left, sources).derived(ctx)
    right = relation(ctx, stage.right, sources).derived(ctx)
    if stage.validate != "many_to_many":
        decline("a join that is to be validated")
    pairs = [_pair(left, right, a, b) for a, b in stage.on]
    test = as_sql(conjunction(*pairs))
    if stage.how in ("semi", "anti"):
        return _semi(ctx, stage, left, right, test)
    if stage.how not in _SIDES:
        decline(f"the join {stage.how!r} in SQL")
    shared = {a for a, b in stage.on if a == b}
    columns = {
        k: v if k in shared else _after(v, stage.how in ("right", "outer")) for k, v in left.columns.items()
    }
    for k, v in right.columns.items():
        if k in shared:
            columns[k] = _shared(columns[k], v, stage.how)
        elif k in columns:
            decline(f"two columns named {k!r} in a join")
        else:
            columns[k] = _after(v, stage.how in ("left", "outer"))
    source = exp.Join(this=right.source, side=None, kind=_SIDES[stage.how], on=test)
    order = _join_order(stage.how, left, right)
    return _joined(ctx, left, source, columns, order)


def _joined(
    ctx: Context, left: Relation, joined: exp.Join, columns: Mapping[str, Value], order: tuple[Term, ...]
) -> Relation:
    alias = ctx.table_name()
    selected, out, terms = Relation(left.source, columns, order).carried(alias)
    select = exp.select(*selected, copy=False).from_(left.source, copy=False)
    return Relation(subquery(select.join(joined, copy=False), alias), out, terms, explicit=bool(terms))


def _join_order(how: str, left: Relation, right: Relation) -> tuple[Term, ...]:
    if not left.order or not right.order:
        return ()
    first, second = (right, left) if how == "right" else (left, right)
    if how == "outer":
        present = Term(as_sql(exp.Is(this=left.order[-1].sql, expression=exp.Null())))
        return (present, *left.order, *right.order)
    return (*first.order, *second.order)


def _pair(left: Relation, right: Relation, a: str, b: str) -> Sql:
    for side, key in ((left, a), (right, b)):
        if key not in side.columns:
            decline(f"no join key {key!r}")
    mine, other = left.columns[a], right.columns[b]
    if mine.kind != other.kind or mine.kind not in KEYS:
        decline(f"join keys of types {mine.type} and {other.type}")
    return exp.EQ(this=mine.sql, expression=other.sql)


def _semi(ctx: Context, stage: q.Join, left: Relation, right: Relation, test: Sql) -> Relation:
    inner = exp.select(number(1), copy=False).from_(right.source, copy=False).where(test, copy=False)
    found: Sql = exp.Exists(this=inner)
    return replace(left, where=exp.Not(this=found) if stage.how == "anti" else found)


def _after(value: Value, nullable: bool) -> Value:
    """What a column means where rows may be without a match: null there."""
    if not nullable:
        return value
    if value.absence in ("missing", "both") or not value.type.is_typed:
        decline("an unmatched row's field that is missing elsewhere")
    return replace(value, absence="null")


def _shared(left: Value, right: Value, how: str) -> Value:
    if how == "right":
        return right
    if how == "outer":
        sql = exp.Coalesce(this=left.sql, expressions=[right.sql])
        return replace(left, sql=sql, absence=_common("a join key", left, right))
    return left


RENDERERS: Mapping[str, Renderer] = {"UnionWith": union, "Join": join}
