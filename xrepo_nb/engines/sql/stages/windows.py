"""`$setWindowFields`: values over the rows around each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from xrepo_nb.engines.sql.accumulators import Rows, accumulated
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.arithmetic import as_float
from xrepo_nb.engines.sql.expressions.dates import INTERVALS
from xrepo_nb.engines.sql.paths import column_of, follow
from xrepo_nb.engines.sql.relation import Relation, Term
from xrepo_nb.engines.sql.stages.groups import parts
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.stages.rows import sort_terms, value_terms
from xrepo_nb.engines.sql.stages.shapes import put
from xrepo_nb.engines.sql.syntax import Sql, binary, call, case, cast, number
from xrepo_nb.engines.sql.values import FLOAT, INT, NULL_VALUE, Value, unified
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query import plan as q
from xrepo_nb.query.expressions import Expr
from xrepo_nb.query.units import FIXED


@dataclass(frozen=True, slots=True)
class Partition:
    """How the rows are parted and ordered: `keys` by the stage, `order` with ties settled."""

    ctx: Context
    by: Sequence[Sql]
    keys: tuple[q.SortKey, ...]
    own: tuple[Term, ...]
    order: tuple[Term, ...]

    def over(self, sql: Sql, spec: Sql | None = None, order: Sequence[Term] | None = None) -> Sql:
        """A window function over the partition."""
        terms = self.order if order is None else order
        ordered = [self.ctx.dialect.ordered(t.sql, t.descending) for t in terms]
        return exp.Window(
            this=sql,
            partition_by=list(self.by),
            order=exp.Order(expressions=ordered) if ordered else None,
            spec=spec,
        )

    def key(self) -> Value:
        """The value of the first sort key."""
        path = self.keys[0].path
        return follow(self.ctx, column_of(self.ctx, path[0]), path[1:])

    def option(self, node: q.WindowOutput, name: str) -> Value:
        """A named argument."""
        return self.ctx.value(node.needed(name))


def set_window_fields(ctx: Context, stage: q.SetWindowFields, sources: Sources) -> Relation:
    """`$setWindowFields`: each output a window function over the partition."""
    base, by, order = _parted(ctx, relation(ctx, stage.input, sources).derived(ctx), stage.partition_by)
    inner = ctx.over(base.columns)
    own = sort_terms(inner, stage.keys)
    partition = Partition(inner, by, stage.keys, own, (*own, *base.order))
    columns = dict(base.columns)
    for output in stage.outputs:
        put(columns, output.path, _output(output, partition))
    made = Relation(base.source, columns, (*order, *own, *base.order), explicit=True, where=base.where)
    return made.derived(ctx)


def _parted(ctx: Context, base: Relation, by: Expr | None) -> tuple[Relation, list[Sql], list[Term]]:
    """The rows, what parts them, and the order of the parts. A computed key becomes a column of the rows:
    no window is parted by an expression that may fail."""
    inner = ctx.over(base.columns)
    keys = [] if by is None else parts(inner, by)
    if any(k.kind in ("array", "object") for k in keys):
        decline("a partition by an array or object")
    keys = [k for k in keys if not k.is_constant]
    parted = [inner.dialect.operand(k) for k in keys if k.kind != "null"]
    order = [term for k in keys for term in value_terms(inner, k, False)]
    if all(isinstance(sql, exp.Column) for sql in parted):
        return base, parted, order
    carried = replace(base, order=(*map(Term, parted), *order, *base.order)).derived(ctx)
    first, last = len(parted), len(parted) + len(order)
    rows = replace(carried, order=carried.order[last:])
    return rows, [term.sql for term in carried.order[:first]], list(carried.order[first:last])


def _output(node: q.WindowOutput, partition: Partition) -> Value:
    special = _FUNCTIONS.get(node.op)
    if special is not None:
        return special(node, partition)
    spec, order = _frame(node, partition)
    rows = Rows(partition.ctx, order, lambda sql: partition.over(sql, spec, order), window=True)
    return accumulated(node, rows)


def _frame(node: q.WindowOutput, partition: Partition) -> tuple[Sql, Sequence[Term]]:
    window = node.window
    if window is None or (window.lower, window.upper) == ("unbounded", "unbounded"):
        return _spec("ROWS", None, None), partition.order
    if window.kind == "documents":
        return _spec("ROWS", _rows(window.lower), _rows(window.upper)), partition.order
    if node.op in ("$push", "$first", "$last", "$firstN", "$lastN"):
        decline(f"{node.op} over a range, whose ties have an order")
    return _range(window, partition)


def _rows(bound: Any) -> int | None:
    return None if bound == "unbounded" else 0 if bound == "current" else int(bound)


def _range(window: q.Window, partition: Partition) -> tuple[Sql, Sequence[Term]]:
    key = partition.key()
    wanted = "int" if window.unit is None else "datetime"
    if key.kind != wanted or key.absence != "never" or len(partition.own) != 1:
        decline("a range over such a sort key")
    if partition.own[0].descending:
        decline("a range over a falling sort key")
    bounds = [_offset(bound, window.unit) for bound in (window.lower, window.upper)]
    return _spec("RANGE", *bounds), partition.own


def _offset(bound: Any, unit: str | None) -> tuple[Sql, bool] | int | None:
    """Nothing, the current row, or how far and whether backwards."""
    if bound == "unbounded":
        return None
    if bound == "current" or bound == 0:
        return 0
    if not isinstance(bound, int):
        decline("a range with a bound that is no int")
    if unit is None:
        return number(abs(bound)), bound < 0
    if unit not in INTERVALS:
        decline(f"a range in the unit {unit!r}")
    return call(INTERVALS[unit], number(abs(bound))), bound < 0


Bound = tuple[Sql, bool] | int | None


def _spec(kind: str, lower: Bound, upper: Bound) -> Sql:
    start, start_side = _bound(lower, "PRECEDING")
    end, end_side = _bound(upper, "FOLLOWING")
    return exp.WindowSpec(kind=kind, start=start, start_side=start_side, end=end, end_side=end_side)


def _bound(bound: Bound, unbounded: str) -> tuple[Any, str | None]:
    if bound is None:
        return "UNBOUNDED", unbounded
    if isinstance(bound, tuple):
        return bound[0], "PRECEDING" if bound[1] else "FOLLOWING"
    if bound == 0:
        return "CURRENT ROW", None
    return number(abs(bound)), "PRECEDING" if bound < 0 else "FOLLOWING"


def _number(node: q.WindowOutput, partition: Partition) -> Value:
    return Value(partition.over(call("row_number")), INT, "never")


def _rank(node: q.WindowOutput, partition: Partition) -> Value:
    name = "rank" if node.op == "$rank" else "dense_rank"
    if len(partition.keys) != 1:
        decline(f"{node.op} by several keys")
    return Value(partition.over(call(name), order=partition.own), INT, "never")


def _shift(node: q.WindowOutput, partition: Partition) -> Value:
    value, by = partition.option(node, "output").nullable(), node.constant("by")
    if not isinstance(by, int):
        decline("$shift by other than an int")
    if value.kind == "null" or value.is_constant:
        decline("$shift of a constant")
    default = partition.ctx.literal(node.constant("default"))
    type_ = unified([value.type, default.type])
    extra = () if default.kind == "null" else (default.sql,)
    made = partition.over(call("lag" if by < 0 else "lead", value.sql, number(abs(by)), *extra))
    never = value.absence == "never" and default.absence == "never"
    return Value(made, type_, "never" if never else "null")


def _carried(node: q.WindowOutput, partition: Partition) -> Value:
    value = partition.ctx.value(node.args[0])
    if value.kind == "null":
        return NULL_VALUE
    last = exp.IgnoreNulls(this=exp.LastValue(this=value.sql))
    return Value(partition.over(last, _spec("ROWS", None, 0)), value.type, "null")


def _derivative(node: q.WindowOutput, partition: Partition) -> Value:
    value, key, unit = partition.option(node, "input"), partition.key(), node.constant("unit")
    if value.kind not in ("int", "float") or value.absence != "never" or key.absence != "never":
        decline("$derivative of values that may be absent")
    if (unit is None and key.kind not in ("int", "float")) or (unit is not None and key.kind != "datetime"):
        decline("$derivative over such a sort key")
    if unit is not None and unit not in FIXED:
        decline(f"$derivative by {unit}")
    spec, order = _frame(node, partition)
    place = as_float(key) if unit is None else _micros(key, unit)

    def over(sql: Sql) -> Sql:
        return partition.over(sql, spec, order)

    def change(sql: Sql) -> Sql:
        return binary(exp.Sub, over(call("last_value", sql)), over(call("first_value", sql)))

    run = change(place)
    several = exp.GT(this=over(call("count", exp.Star())), expression=number(1))
    moved = exp.And(this=several, expression=exp.NEQ(this=run, expression=number(0)))
    slope = exp.Div(this=change(as_float(value)), expression=run)
    return Value(case([(moved, slope)], exp.Null()), FLOAT, "null")


def _micros(key: Value, unit: str) -> Sql:
    return binary(exp.Div, cast(call("epoch_us", key.sql), "DOUBLE"), number(float(FIXED[unit])))


_FUNCTIONS: dict[str, Callable[[q.WindowOutput, Partition], Value]] = {
    "$documentNumber": _number,
    "$rank": _rank,
    "$denseRank": _rank,
    "$shift": _shift,
    "$locf": _carried,
    "$derivative": _derivative,
}

RENDERERS: Mapping[str, Renderer] = {"SetWindowFields": set_window_fields}
