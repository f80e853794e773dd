"""Plans: what is asked of one or several collections, engine-free and immutable.

A plan is a tree of stages over scans. Every stage but the leaves has `input`; other plans it
reads hang below it too (`Lookup.right`, `UnionWith.other`, `Join`), so that a rewrite of all
scans (access rules, push-down) is one walk. Sub-pipelines that run on the rows of their
stage (`Facet`, `Lookup.pipeline`) start at an `Input` leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace
from functools import cache
from typing import Any
from typing import Literal as OneOf

from xrepo_nb.core.frozen import frozen
from xrepo_nb.query.expressions import Expr, Options, Path, attributes, held
from xrepo_nb.query.predicates import Predicate


@frozen
class Plan:
    """Base of all stages."""

    def children(self) -> Iterator[Plan]:
        """The plans directly below this one."""
        for name in attributes(type(self), "Plan"):
            yield from held(getattr(self, name), Plan)

    def walk(self) -> Iterator[Plan]:
        """This plan and all below it, parents first."""
        waiting: list[Plan] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            kind: Any = type(node)
            if _reads_input_only(kind):
                waiting.append(node.input)  # type: ignore[attr-defined]
            else:
                waiting += reversed(tuple(node.children()))

    def sources(self) -> tuple[str, ...]:
        """The names of all scanned collections, each once, in the order met."""
        return tuple(dict.fromkeys(node.source for node in self.walk() if isinstance(node, Scan)))

    def chain(self) -> tuple[Plan, list[Stage]]:
        """The leaf, and the stages over it from the lowest upwards; what they read besides is left out."""
        plan, stages = self, []
        while isinstance(plan, Stage):
            stages.append(plan)
            plan = plan.input
        return plan, stages[::-1]

    def transform(self, change: Callable[[Plan], Plan]) -> Plan:
        """This plan with `change` applied to every node, leaves first."""
        leaf, stages = self.chain()
        below = change(_rebuilt(leaf, None, change))
        for stage in stages:
            below = change(_rebuilt(stage, below, change))
        return below


@cache
def _reads_input_only(kind: Any) -> bool:
    """Whether a stage holds no plan but that of its input, as most do."""
    return issubclass(kind, Stage) and attributes(kind, "Plan") == ("input",)


def _rebuilt(node: Plan, below: Plan | None, change: Callable[[Plan], Plan]) -> Plan:
    """The node over its changed input, with all other plans in it transformed."""
    new: dict[str, Any] = {}
    for name in attributes(type(node), "Plan"):
        old = getattr(node, name)
        changed = below if name == "input" else _transformed(old, change)
        if changed is not old:
            new[name] = changed
    return replace(node, **new) if new else node


def _transformed(value: Any, change: Callable[[Plan], Plan]) -> Any:
    if isinstance(value, Plan):
        return value.transform(change)
    if isinstance(value, tuple):
        new = tuple(_transformed(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value


@frozen
class Scan(Plan):
    """All rows of a collection, by its name in the namespace or among the engine's inputs."""

    source: str


@frozen
class Input(Plan):
    """The rows that the enclosing stage hands to a sub-pipeline."""


@frozen
class Documents(Plan):
    """`$documents`: literal rows."""

    items: Expr
    at: str = field(default="", compare=False, repr=False, kw_only=True)


@frozen
class Stage(Plan):
    """Base of stages with one input; `at` is its place in the query text, for messages only."""

    input: Plan
    at: str = field(default="", compare=False, repr=False, kw_only=True)


@frozen
class Match(Stage):
    """Keeps the rows for which the predicate holds."""

    predicate: Predicate


@frozen
class SliceOf(Expr):
    """Find-projection `{"path": {"$slice": n}}` or `[skip, n]`."""

    path: Path
    skip: int | None
    count: int


@frozen
class FirstMatch(Expr):
    """Find-projection `$elemMatch`, and positional `path.$` with the filter's own condition."""

    path: Path
    predicate: Predicate
    on_values: bool
    positional: bool = False


@frozen
class Project(Stage):
    """`$project` and find projections.

    `fields` in order: path and True (keep), False (drop) or the expression to compute; nested
    documents are normalised to dotted paths. `inclusive`: fields not named are dropped (then
    only `_id` may be False); otherwise all others are kept. `_id` is kept unless False.
    """

    fields: tuple[tuple[Path, bool | Expr], ...]
    inclusive: bool

    @classmethod
    def only(cls, source: Plan, paths: Iterable[Path]) -> Project:
        """The rows with those paths alone: with `_id` too only where it is one of them."""
        kept = tuple((path, True) for path in paths)
        hidden = () if (("_id",), True) in kept else ((("_id",), False),)
        return cls(source, (*kept, *hidden), inclusive=True)


@frozen
class AddFields(Stage):
    """`$addFields`, `$set`: each expression sees the stage's input row."""

    fields: tuple[tuple[Path, Expr], ...]


@frozen
class Unset(Stage):
    """Drops the paths."""

    paths: tuple[Path, ...]


@frozen
class Accumulator(Options):
    """One output of a group: `{"name": {op: argument}}`. `options` as in `Call`."""

    name: str
    op: str
    args: tuple[Expr, ...] = ()
    options: tuple[tuple[str, Expr], ...] = ()
    at: str = field(default="", compare=False)


@frozen
class Group(Stage):
    """`$group`: one row a distinct value of `key`, as `_id`."""

    key: Expr
    accumulators: tuple[Accumulator, ...]


@frozen
class SortKey:
    """One key of a sort; ties keep their order."""

    path: Path
    descending: bool = False


NATURAL = SortKey(("$natural",), descending=True)
"""The only key of a sort that turns round the order in which the rows stand."""


@frozen
class Sort(Stage):
    """Stable; by MongoDB's order over all types, null and missing first.

    With the one key `NATURAL` the rows come last to first.
    """

    keys: tuple[SortKey, ...]

    @property
    def is_natural(self) -> bool:
        """Whether no field is looked at, only the order in which the rows stand."""
        return self.keys == (NATURAL,)


@frozen
class Limit(Stage):
    """The first `count` rows."""

    count: int


@frozen
class Skip(Stage):
    """All but the first `count` rows."""

    count: int


@frozen
class Unwind(Stage):
    """One row an array element."""

    path: Path
    index_field: Path | None = None
    preserve_empty: bool = False


@frozen
class Lookup(Stage):
    """`$lookup`: `right` is read through its own rules, then narrowed to the rows whose
    `foreign` equals this row's `local` (if given), then run through `pipeline` (which starts at
    `Input` and sees the `let` variables); the result is the array `target`."""

    right: Plan
    target: Path
    local: Path | None = None
    foreign: Path | None = None
    let: tuple[tuple[str, Expr], ...] = ()
    pipeline: Plan | None = None


@frozen
class GraphLookup(Stage):
    """`$graphLookup`: follows `connect_from` to `connect_to` in `right`, breadth first."""

    right: Plan
    target: Path
    start: Expr
    connect_from: Path
    connect_to: Path
    max_depth: int | None = None
    depth_field: Path | None = None
    restrict: Predicate | None = None


@frozen
class UnionWith(Stage):
    """`$unionWith`, unions of views: the rows of `input`, then those of `other`."""

    other: Plan


@frozen
class Facet(Stage):
    """`$facet`: one row with an array for each branch; branches start at `Input`."""

    branches: tuple[tuple[str, Plan], ...]


@frozen
class Bucket(Stage):
    """`$bucket`: `[boundaries[i], boundaries[i+1])`; `default` None means rows outside fail."""

    by: Expr
    boundaries: tuple[Any, ...]
    outputs: tuple[Accumulator, ...]
    has_default: bool = False
    default: Any = None


@frozen
class BucketAuto(Stage):
    """`$bucketAuto`: `buckets` ranges of about equal row count."""

    by: Expr
    buckets: int
    outputs: tuple[Accumulator, ...]
    granularity: str | None = None


@frozen
class ReplaceRoot(Stage):
    """`$replaceRoot`, `$replaceWith`."""

    root: Expr


@frozen
class Redact(Stage):
    """`$redact`."""

    expr: Expr


@frozen
class Sample(Stage):
    """`$sample`: `size` rows at random."""

    size: int


@frozen
class Window:
    """A window frame. `kind` documents: offsets of rows; range: of the sort key's value, in
    `unit` for dates. A bound is a number, `"current"` or `"unbounded"`."""

    kind: OneOf["documents", "range"]
    lower: Any
    upper: Any
    unit: str | None = None


@frozen
class WindowOutput(Options):
    """One output of `$setWindowFields`. `window` None: the whole partition (or as `op` defines)."""

    path: Path
    op: str
    args: tuple[Expr, ...] = ()
    options: tuple[tuple[str, Expr], ...] = ()
    window: Window | None = None
    at: str = field(default="", compare=False)


Outcome = Accumulator | WindowOutput
"""One output of a group or of a window."""


@frozen
class SetWindowFields(Stage):
    """`$setWindowFields`."""

    partition_by: Expr | None
    keys: tuple[SortKey, ...]
    outputs: tuple[WindowOutput, ...]


@frozen
class Densify(Stage):
    """`$densify`. `bounds` is `"full"`, `"partition"` or a pair (lower, upper)."""

    path: Path
    partition_by: tuple[Path, ...]
    step: Any
    unit: str | None
    bounds: Any


@frozen
class FillOutput:
    """One field of `$fill`: a `value` expression, or a method `"linear"` or `"locf"`."""

    path: Path
    value: Expr | None = None
    method: str | None = None


@frozen
class Fill(Stage):
    """`$fill`."""

    partition_by: Expr | None
    keys: tuple[SortKey, ...]
    outputs: tuple[FillOutput, ...]


@frozen
class Join(Plan):
    """A relational join of two plans, as views make it.

    `on` pairs a left with a right path. `how`: left, inner, right, outer, semi, anti, asof
    (the last pair is then the ordered key, matched to the nearest at or before). Columns have
    been given their final names by the plans below; a key whose names are equal on both sides
    appears once, coalesced in right and outer joins. Null keys match nothing. `validate`:
    one_to_one, one_to_many, many_to_one, many_to_many.
    """

    left: Plan
    right: Plan
    on: tuple[tuple[str, str], ...]
    how: str = "left"
    validate: str = "many_to_many"

    @property
    def repeats_left(self) -> bool:
        """Whether several left rows may have the same key."""
        return self.validate.startswith("many")


@frozen
class Out(Stage):
    """`$out`: terminal; replaces the target collection."""

    target: str


@frozen
class Merge(Stage):
    """`$merge`: terminal; `when_matched`: replace, keepExisting, merge, fail or a pipeline plan
    over `Input`; `when_not_matched`: insert, discard, fail."""

    target: str
    on: tuple[str, ...] = ("_id",)
    let: tuple[tuple[str, Expr], ...] = ()
    when_matched: str | Plan = "merge"
    when_not_matched: str = "insert"
