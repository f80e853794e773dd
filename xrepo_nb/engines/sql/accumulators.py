"""Accumulators: one value from the rows of a group, or of a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.arithmetic import as_float
from xrepo_nb.engines.sql.relation import Term
from xrepo_nb.engines.sql.syntax import (
    Condition,
    Sql,
    as_sql,
    binary,
    call,
    case,
    cast,
    conjunction,
    lambda_of,
    negation,
    number,
)
from xrepo_nb.engines.sql.values import FLOAT, INT, NULL_VALUE, Value
from xrepo_nb.engines.typed.kinds import SORTED
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Literal
from xrepo_nb.query.plan import Outcome
from xrepo_nb.schema.types import EXACT, DataType

Over = Callable[[Sql], Sql]
"""Puts an aggregate over its window; the aggregate itself in a group."""


def _itself(sql: Sql) -> Sql:
    return sql


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that an accumulator sees: where they are rendered, in which order, over which window."""

    ctx: Context
    order: Sequence[Term] = ()
    over: Over = _itself
    window: bool = False

    def argument(self, node: Outcome) -> Value:
        """The only argument."""
        return self.ctx.value(node.args[0])

    def aggregate(self, name: str, *args: Sql, where: Condition = True, distinct: bool = False) -> Sql:
        """An aggregate function over the rows for which `where` holds."""
        inner = (exp.Distinct(expressions=list(args)),) if distinct else args
        made: Sql = call(name, *inner)
        if where is not True:
            made = exp.Filter(this=made, expression=exp.Where(this=as_sql(where)))
        return self.over(made)

    def ordered(self, name: str, sql: Sql, where: Condition = True, reverse: bool = False) -> Sql:
        """An aggregate that sees the rows in their order."""
        terms = [self.ctx.dialect.ordered(t.sql, t.descending != reverse) for t in self.order]
        if terms and not self.window:
            sql = exp.Order(this=sql, expressions=terms)
        return self.aggregate(name, sql, where=where)


def accumulated(node: Outcome, rows: Rows) -> Value:
    """The value of an accumulator; declines where it has no exact SQL."""
    render = ACCUMULATORS.get(node.op)
    if render is None or node.op not in rows.ctx.dialect.accumulators:
        decline(f"the accumulator {node.op} in {rows.ctx.dialect.name}")
    return render(node, rows)


def _sum(node: Outcome, rows: Rows) -> Value:
    value = rows.argument(node)
    if value.is_constant and value.kind == "int":
        counted = rows.aggregate("count", exp.Star())
        if value.literal == 1:
            return Value(counted, INT, "never")
        return Value(binary(exp.Mul, counted, value.sql), INT, "never")
    if value.kind in ("decimal", "mixed"):
        decline(f"$sum of {an(value.kind)}")
    if value.kind not in ("int", "float"):
        return Value(binary(exp.Mul, rows.aggregate("count", exp.Star()), number(0)), INT, "never")
    summed = exp.Coalesce(this=_reduced("sum", value, rows), expressions=[number(0)])
    return Value(rows.ctx.dialect.as_kind(summed, value.kind), value.type, "never")


def _avg(node: Outcome, rows: Rows) -> Value:
    value = rows.argument(node)
    if value.kind in ("decimal", "mixed"):
        decline(f"$avg of {an(value.kind)}")
    if value.kind not in ("int", "float"):
        return NULL_VALUE
    mean = rows.ctx.dialect.as_kind(_reduced("avg", value, rows), "float")
    return Value(mean, FLOAT, _ever(value, rows))


def _reduced(name: str, value: Value, rows: Rows) -> Sql:
    found = rows.aggregate(name, value.sql)
    if value.kind != "float":
        return found
    return rows.ctx.dialect.reduced(found, rows.aggregate("count", value.sql.copy()))


def _ever(value: Value, rows: Rows) -> Any:
    """Null where no value is: in a group of absent values, or an empty window."""
    return "never" if value.absence == "never" and not rows.window else "null"


def _extreme(node: Outcome, rows: Rows) -> Value:
    value = rows.argument(node)
    if value.kind == "null":
        return NULL_VALUE
    if value.kind not in SORTED:
        decline(f"{node.op} of {an(value.kind)}")
    dialect = rows.ctx.dialect
    dialect.check(value, node.op)
    operand = dialect.operand(value)
    found = dialect.extreme(rows.aggregate(node.op[1:], operand), value)
    if value.kind == "float" and dialect.has_nan and not value.is_constant:
        found = _extreme_float(node, rows, operand, found)
    return Value(found, value.type, _ever(value, rows))


def _extreme_float(node: Outcome, rows: Rows, operand: Sql, found: Sql) -> Sql:
    """NaN is the least number, but the greatest to the database."""
    odd = rows.ctx.dialect.is_nan(operand)
    if node.op == "$max":
        real = rows.aggregate("max", operand, where=exp.Not(this=odd))
        return exp.Coalesce(this=real, expressions=[found])
    least = rows.aggregate("max", operand)
    return case([(rows.ctx.dialect.is_nan(least), least)], found)


def _end(node: Outcome, rows: Rows) -> Value:
    value = rows.argument(node).nullable()
    if value.kind == "null":
        return NULL_VALUE
    first = node.op == "$first"
    if rows.window:
        name = "first_value" if first else "last_value"
        return Value(rows.aggregate(name, value.sql), value.type, "null")
    if len(rows.order) == 1 and not rows.order[0].descending and rows.ctx.dialect.nested:
        by = rows.order[0].sql
        found = rows.aggregate("arg_min_null" if first else "arg_max_null", value.sql, by)
    else:
        found = rows.ordered("first" if first else "last", value.sql)
    return Value(found, value.type, value.absence)


def _listed(sql: Sql) -> Sql:
    return exp.Coalesce(this=sql, expressions=[exp.Array(expressions=[])])


def _push(node: Outcome, rows: Rows) -> Value:
    """The values that are there; each once in a set."""
    value = rows.argument(node)
    if value.is_never_there:
        decline(f"{node.op} of a field that is never there")
    kept = negation(value.is_missing())
    if node.op == "$push":
        made = rows.ordered("array_agg", value.sql, where=kept)
    else:
        made = rows.aggregate("array_agg", value.sql, where=kept, distinct=True)
    return Value(_listed(made), DataType("array", item=value.type), "never")


def _count(node: Outcome, rows: Rows) -> Value:
    return Value(rows.aggregate("count", exp.Star()), INT, "never")


def _deviation(node: Outcome, rows: Rows) -> Value:
    value = rows.argument(node)
    if value.kind == "decimal":
        decline(f"{node.op} of decimals")
    if value.kind not in ("int", "float"):
        return NULL_VALUE
    if value.kind == "int":
        return Value(_checked(value, _spread(node, as_float(value), rows), rows), FLOAT, "null")
    sql = value.sql
    odd = as_sql(binary(exp.Or, call("isnan", sql), call("isinf", sql)))
    spoilt = exp.GT(this=rows.aggregate("count", exp.Star(), where=odd), expression=number(0))
    fine = _spread(node, sql, rows, where=exp.Not(this=odd))
    nan = cast(exp.Literal.string("NaN"), "DOUBLE")
    if node.op == "$stdDevSamp":
        several = exp.GT(this=rows.aggregate("count", sql), expression=number(1))
        nan = case([(several, nan)], exp.Null())
    return Value(case([(spoilt, nan)], fine), FLOAT, "null")


def _spread(node: Outcome, sql: Sql, rows: Rows, where: Condition = True) -> Sql:
    """The deviation of doubles. The database's own loses as many digits as they are further from zero
    than from each other: where that shows, it fails, and is to be asked for the `shifted` one."""
    name = "stddev_samp" if node.op == "$stdDevSamp" else "stddev_pop"
    if rows.ctx.shifted:
        least, parameter = rows.aggregate("min", sql, where=where), rows.ctx.lambda_name()
        element = exp.Column(this=exp.Identifier(this=parameter))
        apart = lambda_of(parameter, binary(exp.Sub, element, least))
        numbers = call("list_transform", rows.aggregate("array_agg", sql, where=where), apart)
        return call("list_aggregate", numbers, exp.Literal.string(name))
    found = rows.aggregate(name, sql, where=where)
    farthest = call("abs", rows.aggregate("max", sql, where=where))
    near = exp.LT(this=found, expression=binary(exp.Mul, farthest, number(_NEAR)))
    close = exp.And(this=exp.GT(this=found, expression=number(0)), expression=near)
    return case([(close, rows.ctx.dialect.fails(CLOSE))], found)


CLOSE = "the deviation of numbers close together"
"""What fails where a plan is to be rendered once more, with `shifted` deviations."""

_NEAR = 2.0**-13
"""Of a number: deviations above keep twelve digits."""


def _checked(value: Value, deviation: Sql, rows: Rows) -> Sql:
    """The deviation of ints as doubles, unless one of them passes what doubles hold."""
    above = exp.GT(this=rows.aggregate("max", value.sql), expression=number(EXACT))
    below = exp.LT(this=rows.aggregate("min", value.sql), expression=number(-EXACT))
    beyond = as_sql(binary(exp.Or, above, below))
    return case([(beyond, rows.ctx.dialect.fails("the deviation of ints that no double holds"))], deviation)


def _amount(node: Outcome, rows: Rows) -> int:
    value = rows.ctx.value(node.needed("n"))
    if not value.is_constant or value.kind != "int" or value.literal < 1:
        decline(f"{node.op} with a computed n")
    return int(value.literal)


def _first_n(node: Outcome, rows: Rows) -> Value:
    value, amount = rows.ctx.value(node.needed("input")).nullable(), _amount(node, rows)
    if node.op == "$lastN" and rows.window:
        decline("$lastN in a window")
    first, last = (1, amount) if node.op == "$firstN" else (-amount, -1)
    made = call("list_slice", rows.ordered("array_agg", value.sql), number(first), number(last))
    return Value(_listed(made), DataType("array", item=value.type), "never")


def _extreme_n(node: Outcome, rows: Rows) -> Value:
    value, amount = rows.ctx.value(node.needed("input")), _amount(node, rows)
    if value.kind not in SORTED - {"float"} or rows.window:
        decline(f"{node.op} of {an(value.kind)}")
    if value.sql.find(exp.Column) is None:
        decline(f"{node.op} of a constant")
    order = exp.Order(this=value.sql, expressions=[exp.Ordered(this=value.sql, desc=node.op == "$maxN")])
    made = rows.aggregate("array_agg", order, where=value.is_present())
    return Value(
        _listed(call("list_slice", made, number(1), number(amount))),
        DataType("array", item=value.type),
        "never",
    )


def _top(node: Outcome, rows: Rows) -> Value:
    from xrepo_nb.engines.document.expressions.arrays import element_order
    from xrepo_nb.engines.sql.stages.rows import sort_terms

    given = node.needed("sortBy")
    if not isinstance(given, Literal) or rows.window:
        decline(f"{node.op} in a window")
    keys = element_order(given.value)
    if not isinstance(keys, tuple):
        decline(f"{node.op} by whole values")
    sorted_rows = Rows(rows.ctx, (*sort_terms(rows.ctx, keys), *rows.order))
    value = rows.ctx.value(node.needed("output")).nullable()
    if node.op in ("$top", "$bottom"):
        made = sorted_rows.ordered("first" if node.op == "$top" else "last", value.sql)
        return Value(made, value.type, value.absence)
    amount = _amount(node, rows)
    first, last = (1, amount) if node.op == "$topN" else (-amount, -1)
    made = call("list_slice", sorted_rows.ordered("array_agg", value.sql), number(first), number(last))
    return Value(_listed(made), DataType("array", item=value.type), "never")


def _quantiles(node: Outcome, rows: Rows) -> Value:
    value = rows.ctx.value(node.needed("input"))
    if rows.window or value.kind not in ("int", "float"):
        decline(f"{node.op} of {an(value.kind)}")
    sql = as_float(value)
    real = exp.Not(this=call("isnan", sql))
    found = rows.aggregate(
        "array_agg",
        exp.Order(this=sql, expressions=[exp.Ordered(this=sql)]),
        where=conjunction(value.is_present(), real),
    )
    if node.op == "$median":
        return Value(
            _at_rank(found, number(0.5)), FLOAT, "null" if value.kind == "float" else _ever(value, rows)
        )
    points = rows.ctx.value(node.needed("p"))
    if not points.is_constant or not isinstance(points.literal, list):
        decline("$percentile with a computed p")
    each = [_at_rank(found, number(float(p))) for p in points.literal]
    return Value(exp.Array(expressions=each), DataType("array", item=FLOAT), "never")


def _at_rank(values: Sql, point: Sql) -> Sql:
    rank = cast(call("ceil", binary(exp.Mul, call("len", values), point)), "BIGINT")
    return call("list_extract", values, call("greatest", number(1), rank))


ACCUMULATORS: dict[str, Callable[[Outcome, Rows], Value]] = {
    "$sum": _sum,
    "$avg": _avg,
    "$min": _extreme,
    "$max": _extreme,
    "$first": _end,
    "$last": _end,
    "$push": _push,
    "$addToSet": _push,
    "$count": _count,
    "$stdDevPop": _deviation,
    "$stdDevSamp": _deviation,
    "$firstN": _first_n,
    "$lastN": _first_n,
    "$minN": _extreme_n,
    "$maxN": _extreme_n,
    **dict.fromkeys(("$top", "$topN", "$bottom", "$bottomN"), _top),
    "$median": _quantiles,
    "$percentile": _quantiles,
}

ORDERED = frozenset({"$first", "$last", "$push", "$firstN", "$lastN", "$top", "$topN", "$bottom", "$bottomN"})
"""The accumulators whose value depends on the order of rows."""
