"""Comparisons, boolean operators and choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from xrepo_nb.engines.sql.comparing import as_value, comparison, truth
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import Condition, as_sql, case, conjunction, disjunction, negation, number
from xrepo_nb.engines.sql.values import INT, Value, unified
from xrepo_nb.query.expressions import Call


def _comparison(ctx: Context, node: Call) -> Value:
    left, right = (ctx.value(a) for a in node.args)
    return as_value(comparison(ctx, node.op, left, right))


def _cmp(ctx: Context, node: Call) -> Value:
    left, right = (ctx.value(a) for a in node.args)
    less, more = comparison(ctx, "$lt", left, right), comparison(ctx, "$gt", left, right)
    return Value(case([(less, number(-1)), (more, number(1))], number(0)), INT, "never")


def _and(ctx: Context, node: Call) -> Value:
    return as_value(conjunction(*(truth(ctx.value(a)) for a in node.args)))


def _or(ctx: Context, node: Call) -> Value:
    return as_value(disjunction(*(truth(ctx.value(a)) for a in node.args)))


def _not(ctx: Context, node: Call) -> Value:
    return as_value(negation(truth(ctx.value(node.args[0]))))


def choice(branches: Sequence[tuple[Condition, Value]], default: Value) -> Value:
    """The value of the first branch whose condition holds, else the default."""
    live: list[tuple[Condition, Value]] = []
    for when, then in branches:
        if when is True:
            default = then
            break
        if when is not False:
            live.append((when, then))
    if not live:
        return default
    values = [then for _, then in live] + [default]
    sql = case([(when, then.sql) for when, then in live], default.sql)
    null, missing = _state(live, default, Value.is_null), _state(live, default, Value.is_missing)
    return Value(sql, unified([v.type for v in values])).with_absence(null, missing)


def _state(
    branches: Sequence[tuple[Condition, Value]], default: Value, ask: Callable[[Value], Condition]
) -> Condition:
    answers = [ask(then) for _, then in branches]
    last = ask(default)
    if last is False and all(answer is False for answer in answers):
        return False
    if last is True and all(answer is True for answer in answers):
        return True
    return case([(when, as_sql(a)) for (when, _), a in zip(branches, answers, strict=True)], as_sql(last))


def _cond(ctx: Context, node: Call) -> Value:
    test, then, otherwise = node.args
    return choice([(truth(ctx.value(test)), ctx.value(then))], ctx.value(otherwise))


def _switch(ctx: Context, node: Call) -> Value:
    pairs = zip(node.args[::2], node.args[1::2], strict=True)
    branches = [(truth(ctx.value(test)), ctx.value(then)) for test, then in pairs]
    default = node.option("default")
    if default is None:
        failing = ctx.dialect.fails("$switch found no branch and has no default")
        return choice(branches, Value(failing, unified([v.type for _, v in branches]), "never"))
    return choice(branches, ctx.value(default))


def _if_null(ctx: Context, node: Call) -> Value:
    *tried, last = (ctx.value(a) for a in node.args)
    live = [v for v in tried if v.kind != "null"]
    for i, value in enumerate(live):
        if value.absence == "never":
            live, last = live[:i], value
            break
    if not live:
        return last
    sql = exp.Coalesce(this=live[0].sql, expressions=[v.sql for v in (*live[1:], last)])
    every = conjunction(*(v.is_absent() for v in live))
    null, missing = conjunction(every, last.is_null()), conjunction(every, last.is_missing())
    return Value(sql, unified([v.type for v in (*live, last)])).with_absence(null, missing)


OPERATORS = {
    **dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), _comparison),
    "$cmp": _cmp,
    "$and": _and,
    "$or": _or,
    "$not": _not,
    "$cond": _cond,
    "$switch": _switch,
    "$ifNull": _if_null,
}
