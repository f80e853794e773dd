"""How large the rows of a plan may grow: for engines that cannot stop once they have begun.

An estimate of cells (values, elements of arrays, pieces of text), stage by stage, from the number
of rows and what each expression repeats. It need not be exact: it tells a plan that doubles its
rows forty times from one that adds a column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any
from weakref import WeakKeyDictionary

import polars as pl

from xrepo_nb.engines.base import Inputs
from xrepo_nb.query import expressions as e
from xrepo_nb.query import plan as p
from xrepo_nb.query.walk import LONGEST, parts_of
from xrepo_nb.schema.table import Table

MAX_CELLS = 30_000_000
"""Cells beyond which a plan must not multiply what it was given."""
TIMES = 16
"""How many times over what it was given it then holds."""
MANY = 50_000_000
"""Pairs of rows from which on a lookup's keys are looked at."""
FEW = 100_000
"""Rows of which the repeated keys are counted in any case, in about a millisecond."""
UNKNOWN = 1_000_000
"""Rows taken for those of a table that nobody has counted."""

_REPEATING = frozenset({
    "$concat", "$concatArrays", "$setUnion", "$zip", "$mergeObjects", "$objectToArray", "$arrayToObject",
    "$map", "$setField",
})  # fmt: skip
"""Operators whose result holds all of their arguments; that of others holds one at most."""

_HOLDING = _REPEATING | {"$reduce", "$replaceAll", "$replaceOne"}
"""Those, and operators that may hold an argument many times."""

_GATHERING = frozenset({"$push", "$addToSet", "$concatArrays", "$setUnion", "$mergeObjects", "$firstN",
                        "$lastN", "$minN", "$maxN", "$topN", "$bottomN"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows there may be, and the cells of all of them in each field."""

    rows: float
    cells: dict[str, float] = field(default_factory=dict)
    lists: Mapping[str, pl.Series] = field(default_factory=dict)
    """The lengths of the scanned arrays that are still there, by scanned row."""
    times_each: pl.Series | None = None
    """How many rows each scanned row has become, where it is known."""

    @property
    def total(self) -> float:
        """The cells of all fields."""
        return sum(self.cells.values())

    def of(self, name: str) -> float:
        """The cells of a field, whose place may be taken by a whole document."""
        return self.cells.get(name, max(self.rows, self.cells.get("", 0.0)))

    def times(self, factor: float) -> Size:
        """So many times the rows."""
        return Size(self.rows * factor, {name: cells * factor for name, cells in self.cells.items()})


def outgrows(plan: p.Plan, inputs: Inputs) -> str | None:
    """Why the plan is not for an engine that cannot stop; None for all usual ones, in microseconds."""
    nodes = list(plan.walk())
    if len(nodes) > LONGEST:
        return f"a plan of more than {LONGEST} stages"
    if sum(map(_multiplies, nodes)) < _ENOUGH:
        return None
    estimate = _Estimate(inputs, sum(isinstance(node, p.Lookup) for node in nodes))
    given = sum(estimate.size(node).total for node in nodes if isinstance(node, p.Scan))
    estimate.size(plan)
    if estimate.peak > max(MAX_CELLS, TIMES * given):
        return "values that may grow to many times what was given"
    return None


_ENOUGH = 3
_MULTIPLYING: dict[type, int] = {
    p.UnionWith: 1, p.Bucket: 1, p.Lookup: 2, p.Facet: 2, p.Unwind: 3, p.SetWindowFields: 3,
}  # fmt: skip


def _multiplies(node: Any) -> int:
    """How much a stage may multiply what it is given: three in all are worth an estimate."""
    kind = type(node)
    if kind is p.AddFields or kind is p.Project:
        for path, value in node.fields:
            if len(path) > 1 or _repeats(value):
                return 1
        return 0
    if kind is p.ReplaceRoot:
        return int(_repeats(node.root))
    if kind is p.Group:
        return int(any(a.op in _GATHERING or any(map(_repeats, a.args)) for a in node.accumulators))
    return _MULTIPLYING.get(kind, 0)


def _repeats(expr: Any) -> bool:
    """Whether a value may hold several of those that the expression reads."""
    if type(expr) is e.Call:
        return expr.op in _HOLDING or any(map(_repeats, parts_of(expr)))
    return type(expr) in _BUILDING


_BUILDING = frozenset({e.DocumentExpr, e.ArrayExpr, e.Variable, e.Let})


class _Estimate:
    """The sizes of plans over these inputs, and the largest met."""

    def __init__(self, inputs: Inputs, lookups: int, rows: Size | None = None) -> None:
        self.inputs = inputs
        self.lookups = lookups
        self.rows = rows
        self.peak = 0.0

    def size(self, plan: p.Plan) -> Size:
        """The size of a plan's result."""
        leaf, stages = plan.chain()
        found = self._leaf(leaf)
        for stage in stages:
            grow = _STAGES.get(type(stage))
            if grow is not None:
                found = grow(self, stage, found)
            self.peak = max(self.peak, found.total)
        return found

    def _leaf(self, plan: p.Plan) -> Size:
        if isinstance(plan, p.Scan):
            return self._scanned(plan.source)
        if isinstance(plan, p.Input) and self.rows is not None:
            return self.rows
        if isinstance(plan, p.Join):
            left, right = self.size(plan.left), self.size(plan.right)
            return Size(max(left.rows, right.rows), {**right.cells, **left.cells})
        return Size(1)

    def _scanned(self, source: str) -> Size:
        frame, table = self.frame(source), self.inputs.get(source)
        if frame is None or table is None:
            height = None if table is None else table.height
            return Size(UNKNOWN if height is None else height)
        known = _SIZES.get(table)
        if known is None:
            known = _SIZES[table] = _counted(frame)
        return known

    def frame(self, source: str) -> pl.DataFrame | None:
        """The rows of a scan, where they are at hand; documents are made a frame in any case."""
        table = self.inputs.get(source)
        return None if table is None or table.is_lazy else table.frame

    def within(self, plan: p.Plan, rows: Size) -> Size:
        """The size of a sub-pipeline over rows."""
        inner = _Estimate(self.inputs, self.lookups, rows)
        found = inner.size(plan)
        self.peak = max(self.peak, inner.peak)
        return found


_SIZES: WeakKeyDictionary[Table, Size] = WeakKeyDictionary()
"""Of tables that were looked at, which do not change: the elements of arrays are counted once."""


def _counted(frame: pl.DataFrame) -> Size:
    lists = {s.name: _lengths(s) for s in frame.iter_columns() if s.dtype.base_type() is pl.List}
    cells = dict.fromkeys(frame.columns, float(frame.height))
    cells.update((name, frame.height + float(lengths.sum())) for name, lengths in lists.items())
    return Size(float(frame.height), cells, lists)


def _lengths(series: pl.Series) -> pl.Series:
    return series.list.len().fill_null(0).cast(pl.Float64)


def _weight(expr: Any, size: Size, bound: dict[str, float]) -> float:
    """The cells of an expression's values over all rows."""
    if isinstance(expr, e.FieldRef):
        return size.of(expr.path[0])
    if isinstance(expr, e.Variable):
        return bound.get(expr.name, size.total if expr.name in ("ROOT", "CURRENT") else size.rows)
    if isinstance(expr, e.Let):
        inner = {name: _weight(value, size, bound) for name, value in expr.variables}
        return _weight(expr.body, size, {**bound, **inner})
    if isinstance(expr, e.Call):
        return _call_weight(expr, size, bound)
    parts = [_weight(part, size, bound) for part in expr.children()] if isinstance(expr, e.Expr) else []
    return max(size.rows, sum(parts))


def _call_weight(call: e.Call, size: Size, bound: dict[str, float]) -> float:
    if call.op in ("$map", "$filter", "$reduce"):
        element = _weight(call.needed("input"), size, bound)
        bound = {**bound, call.constant("as") or "this": element, "value": element}
    if call.op in ("$replaceAll", "$replaceOne"):
        new = call.constant("replacement")
        length = len(new) if isinstance(new, str) else 1
        return _weight(call.needed("input"), size, bound) * max(1, length)
    parts = [_weight(part, size, bound) for part in call.children()]
    return max(size.rows, sum(parts) if call.op in _REPEATING else max(parts, default=0.0))


def _added(estimate: _Estimate, stage: p.AddFields, size: Size) -> Size:
    return _changed(size, {**size.cells, **_computed(stage.fields, size)}, stage)


def _changed(size: Size, cells: dict[str, float], stage: p.AddFields | p.Project) -> Size:
    """The same rows with other fields: the arrays that are not set stay those that were scanned."""
    set_ = {path[0] for path, value in stage.fields if value is not True}
    lists = {name: found for name, found in size.lists.items() if name in cells and name not in set_}
    return Size(size.rows, cells, lists, size.times_each)


def _computed(fields: Any, size: Size) -> dict[str, float]:
    """The cells of computed fields, those of one object added up."""
    found: dict[str, float] = {}
    for path, value in fields:
        if value is not False:
            cells = size.of(path[0]) if value is True else _weight(value, size, {})
            found[path[0]] = found.get(path[0], 0.0) + cells
    return found


def _projected(estimate: _Estimate, stage: p.Project, size: Size) -> Size:
    kept = {} if stage.inclusive else size.cells
    return _changed(size, {**kept, **_computed(stage.fields, size)}, stage)


def _replaced(estimate: _Estimate, stage: p.ReplaceRoot, size: Size) -> Size:
    if isinstance(stage.root, e.DocumentExpr):
        return Size(size.rows, {name: _weight(value, size, {}) for name, value in stage.root.items})
    return Size(size.rows, {"": _weight(stage.root, size, {})})


def _grouped(estimate: _Estimate, stage: Any, size: Size) -> Size:
    outputs = stage.accumulators if isinstance(stage, p.Group) else stage.outputs
    cells = {output.name: _gathered(output, size, 1.0) for output in outputs}
    return Size(size.rows, {"_id": size.rows, **cells})


def _gathered(output: Any, size: Size, width: float) -> float:
    if output.op not in _GATHERING:
        return size.rows
    given = [*output.args, *(value for _, value in output.options)]
    return width * max((_weight(item, size, {}) for item in given), default=size.rows)


def _windowed(estimate: _Estimate, stage: p.SetWindowFields, size: Size) -> Size:
    cells = dict(size.cells)
    longest = size.rows if stage.partition_by is None else sqrt(size.rows)
    for output in stage.outputs:
        cells[output.path[0]] = _gathered(output, size, min(longest, _width(output.window)))
    return Size(size.rows, cells)


def _width(window: p.Window | None) -> float:
    bounds = () if window is None else (window.lower, window.upper)
    whole = [0 if bound == "current" else bound for bound in bounds]
    if window is None or window.kind != "documents" or not all(isinstance(b, int) for b in whole):
        return float("inf")
    return float(max(1, whole[1] - whole[0] + 1))


def _unwound(estimate: _Estimate, stage: p.Unwind, size: Size) -> Size:
    if len(stage.path) == 1 and stage.path[0] in size.lists:
        return _laid_out(stage.path[0], size)
    elements = max(size.rows, size.of(stage.path[0]))
    more = size.times(elements / max(1.0, size.rows))
    return Size(elements, {**more.cells, stage.path[0]: elements})


def _laid_out(name: str, size: Size) -> Size:
    """The rows of a scanned array's elements: one long array beside another counts for their product."""
    lists = {other: lengths for other, lengths in size.lists.items() if other != name}
    each = size.lists[name].clip(1)
    each = each if size.times_each is None else each * size.times_each
    rows = float(each.sum())
    cells = {other: found * rows / max(1.0, size.rows) for other, found in size.cells.items()}
    cells.update((other, rows + float((each * lengths).sum())) for other, lengths in lists.items())
    return Size(rows, {**cells, name: rows}, lists, each)


def _looked_up(estimate: _Estimate, stage: p.Lookup, size: Size) -> Size:
    right = estimate.size(stage.right)
    if stage.pipeline is not None:
        right = estimate.within(stage.pipeline, right)
    pairs = size.rows * _matches(estimate, stage, size.rows, right.rows)
    each = right.total / max(1.0, right.rows)
    return Size(size.rows, {**size.cells, stage.target[0]: size.rows + pairs * each})


def _matches(estimate: _Estimate, stage: p.Lookup, left: float, right: float) -> float:
    """How many rows each one finds, at most; one where that would take long to tell."""
    if stage.local is None or stage.foreign is None:
        return right
    if left * right <= MANY:
        return right
    frame = estimate.frame(stage.right.source) if isinstance(stage.right, p.Scan) else None
    if frame is None or len(stage.foreign) > 1 or stage.foreign[0] not in frame.columns:
        return 1.0
    if estimate.lookups < 2 and frame.height > FEW:
        return 1.0
    return _most_repeated(frame.get_column(stage.foreign[0]))


def _most_repeated(series: pl.Series) -> float:
    if series.dtype.is_nested() or series.dtype == pl.Object:
        return 1.0
    counts = series.value_counts().to_series(1)
    return float(counts.max() or 1)  # type: ignore[arg-type]


def _united(estimate: _Estimate, stage: p.UnionWith, size: Size) -> Size:
    other = estimate.size(stage.other)
    names = {**size.cells, **other.cells}
    cells = {name: size.cells.get(name, 0.0) + other.cells.get(name, 0.0) for name in names}
    return Size(size.rows + other.rows, cells)


def _faceted(estimate: _Estimate, stage: p.Facet, size: Size) -> Size:
    return Size(1, {name: estimate.within(branch, size).total for name, branch in stage.branches})


def _limited(estimate: _Estimate, stage: Any, size: Size) -> Size:
    count = stage.count if isinstance(stage, p.Limit) else stage.size
    return size if size.rows <= count else size.times(count / size.rows)


_STAGES: dict[type, Callable[[_Estimate, Any, Size], Size]] = {
    p.AddFields: _added,
    p.Project: _projected,
    p.ReplaceRoot: _replaced,
    p.Group: _grouped,
    p.Bucket: _grouped,
    p.SetWindowFields: _windowed,
    p.Unwind: _unwound,
    p.Lookup: _looked_up,
    p.UnionWith: _united,
    p.Facet: _faceted,
    p.Limit: _limited,
    p.Sample: _limited,
}
"""How each stage changes the size; those not named keep it, or make it less."""
