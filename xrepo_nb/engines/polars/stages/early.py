"""Groups over a join, gathered before it: "eager aggregation" (Yan and Larson, VLDB 1995).

Where many rows are joined to a small table and grouped by fields of that, they are gathered by the
join's key first, so that a few groups are joined in place of all rows, and gathered once more after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import polars as pl

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.accumulators import COUNT, LARGE, Rows, extreme
from xrepo_nb.engines.polars.frame import Column, Frame, column
from xrepo_nb.engines.polars.numbers import quotient
from xrepo_nb.engines.polars.planning import Lowering
from xrepo_nb.engines.polars.values import FLOAT, INT, Value
from xrepo_nb.engines.typed.kinds import KEYS, SORTED
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, FieldRef, Literal, Path
from xrepo_nb.query.rules.predicates import is_fixed
from xrepo_nb.query.walk import WHOLE, is_random, over, paths_in, paths_of

MANY = 50_000
"""Rows from which on gathering twice pays."""
FEW = 10_000
"""Rows of the other table up to which the groups by its key are taken to be few."""

_PART = "\0part"


@frozen
class Early:
    """The joined groups, a row each, and the outputs over those of them that make one."""

    frame: Frame
    outputs: Mapping[str, Value]


def grouped_early(stage: p.Group, lowering: Lowering) -> Early | None:
    """The rows of a group gathered before their join; None where they are better joined first: where
    not many meet few, where the key, an accumulator or a stage between reads both sides or chance, and
    where an accumulator cannot be put together from parts. Reads no rows.
    """
    joining = _joining(stage.input)
    if joining is None or not _pays(joining, lowering):
        return None
    left = lowering.frame(joining.left)
    rows = Rows(lowering.scope(left), left.height, least=1)
    partials = [_partial(accumulator, left, rows) for accumulator in stage.accumulators]
    keys = _keys(joining, left)
    if keys is None or not _apart(stage.key, joining, keys, left):
        return None
    parts: dict[str, pl.Expr] = {}
    outputs: dict[str, Value] = {}
    for accumulator, partial in zip(stage.accumulators, partials, strict=True):
        if partial is None:
            return None
        names = [f"{_PART}{len(parts) + at}" for at in range(len(partial.parts))]
        parts.update(zip(names, partial.parts, strict=True))
        outputs[accumulator.name] = partial.whole(*map(column, names))
    groups = left.lazy.group_by([column(name) for name in keys])
    lazy = groups.agg(expr.alias(name) for name, expr in parts.items())
    frame = Frame(lazy, {**keys, **dict.fromkeys(parts, _HIDDEN)}, left.height)
    return Early(lowering.within(frame).frame(joining.over), outputs)


_HIDDEN = Column(INT)
"""What the columns of the parts are taken for, which none but the outputs read."""


@frozen
class _Joining:
    """A join of rows with others: its keys among their fields, the paths that it and the stages after
    it set, the stages themselves, and all that over other rows."""

    left: p.Plan
    right: p.Plan
    keys: Sequence[str]
    sets: Collection[Path]
    after: Sequence[p.Stage]
    over: p.Plan


def _joining(plan: p.Plan) -> _Joining | None:
    """The join that a plan ends with, but for stages that treat each row by itself."""
    after: list[p.Stage] = []
    while isinstance(plan, (p.Match, p.AddFields, p.Unset)):
        after.append(plan)
        plan = plan.input
    joining = _join(plan)
    if joining is None or not after:
        return joining
    sets = [path for stage in after for path in _sets(stage)]
    whole = reduce(lambda below, stage: over(stage, below), reversed(after), joining.over)
    return replace(joining, sets=[*joining.sets, *sets], after=after, over=whole)


def _sets(stage: p.Stage) -> Iterable[Path]:
    if isinstance(stage, p.AddFields):
        return [path for path, _ in stage.fields]
    return stage.paths if isinstance(stage, p.Unset) else ()


def _join(plan: p.Plan) -> _Joining | None:
    if isinstance(plan, p.Join) and plan.how in ("left", "inner") and plan.repeats_left:
        keys = [key for key, _ in plan.on]
        return _Joining(plan.left, plan.right, keys, (), (), replace(plan, left=p.Input()))
    if isinstance(plan, p.Unwind) and isinstance(plan.input, p.Lookup) and plan.index_field is None:
        found, key = plan.input, plan.input.local
        if key is not None and len(key) == 1 and found.target == plan.path and not found.let:
            whole = over(plan, over(found, p.Input()))
            return _Joining(found.input, found.right, key, [found.target], (), whole)
    return None


def _pays(joining: _Joining, lowering: Lowering) -> bool:
    """Whether many rows meet few."""
    few = _scanned(joining.right, lowering)
    return few is not None and few <= FEW and (_scanned(joining.left, lowering) or 0) >= MANY


def _scanned(plan: p.Plan, lowering: Lowering) -> int | None:
    """About how many rows a plan has: those that it reads, where it chooses, changes and joins them."""
    while isinstance(plan, (p.Join, *_BY_ROW)):
        plan = plan.left if isinstance(plan, p.Join) else plan.input
    return lowering.scan(plan.source).height if isinstance(plan, p.Scan) else None


_BY_ROW = (p.Match, p.Project, p.AddFields, p.Unset, p.Sort, p.Limit, p.Skip, p.Group)


def _keys(joining: _Joining, left: Frame) -> dict[str, Column] | None:
    """The columns of the keys; None where one cannot be grouped by as it is joined by."""
    keys = {name: left.columns[name] for name in joining.keys if name in left.columns}
    plain = all(col.type.kind in KEYS and not col.masked for col in keys.values())
    return keys if plain and len(keys) == len(set(joining.keys)) else None


def _apart(key: Expr, joining: _Joining, keys: Collection[str], left: Frame) -> bool:
    """Whether what is grouped by, and the stages before, read nothing of these rows but the keys of the
    join, and set nothing in them."""
    read = _read_by(key).union(*map(_read, joining.after))
    there = set(left.columns)
    return (
        WHOLE not in read
        and there.intersection(path[0] for path in read) <= set(keys)
        and there.isdisjoint(path[0] for path in joining.sets)
    )


def _read(stage: p.Stage) -> frozenset[Path]:
    if isinstance(stage, p.Match):
        return paths_of(stage.predicate) if is_fixed(stage.predicate) else _ALL
    return _read_by(*[value for _, value in stage.fields]) if isinstance(stage, p.AddFields) else frozenset()


def _read_by(*expressions: Expr) -> frozenset[Path]:
    """The paths that they read; one that depends on chance differs row by row, as if it read all."""
    return _ALL if any(map(is_random, expressions)) else paths_in(*expressions)


_ALL = frozenset({WHOLE})


@frozen
class _Partial:
    """An accumulator in two steps: what it keeps of each early group, and what that makes in the end."""

    parts: tuple[pl.Expr, ...]
    whole: Callable[..., Value]


def _partial(accumulator: p.Accumulator, left: Frame, rows: Rows) -> _Partial | None:
    """The two steps over a field of these rows; None where there are none."""
    (arg,) = accumulator.args or (Literal(1),)
    if isinstance(arg, Literal):
        counts = accumulator.op in ("$sum", "$count") and type(arg.value) is int
        return _count(arg.value) if counts and abs(arg.value) <= LARGE else None
    made = _PARTIALS.get(accumulator.op)
    if made is None or not isinstance(arg, FieldRef) or arg.path[0] not in left.columns:
        return None
    return made(accumulator.op, rows.column(arg), rows)


def _count(each: int) -> _Partial:
    def whole(counts: pl.Expr) -> Value:
        return _exactly(counts.cast(pl.Int128).sum() * each)

    return _Partial((COUNT,), whole)


def _exactly(total: pl.Expr) -> Value:
    """A total of 128 bits; the strict cast fails past 64, where it is a double."""
    return Value(total.cast(pl.Int64), INT, "never")


def _sum(op: str, value: Value, rows: Rows) -> _Partial | None:
    if value.kind == "float":
        return _Partial((value.expr.sum(),), lambda sums: Value(sums.sum(), FLOAT, "never"))
    if value.kind == "int":
        return _Partial((_total(value),), lambda sums: _exactly(sums.sum()))
    return None


def _total(value: Value) -> pl.Expr:
    return value.expr.cast(pl.Int128).sum()


def _mean(op: str, value: Value, rows: Rows) -> _Partial | None:
    if not value.is_number:
        return None

    def whole(sums: pl.Expr, counts: pl.Expr) -> Value:
        total, count = sums.sum(), counts.sum()
        by = quotient(total, count) if value.kind == "int" else pl.when(count > 0).then(total / count)
        return Value(by, FLOAT, rows.found(value))

    total = _total(value) if value.kind == "int" else value.expr.sum()
    return _Partial((total, value.expr.count()), whole)


def _extreme(op: str, value: Value, rows: Rows) -> _Partial | None:
    if value.kind not in SORTED:
        return None
    found = replace(value, absence=rows.found(value))
    return _Partial(
        (extreme(op, value),), lambda parts: rows.chosen(found, extreme(op, replace(value, expr=parts)))
    )


_PARTIALS: Mapping[str, Callable[[str, Value, Rows], _Partial | None]] = {
    "$sum": _sum, "$avg": _mean, "$min": _extreme, "$max": _extreme,
}  # fmt: skip
