"""Splitting: what of a plan a source runs itself, what is left, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.query import plan as s
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import ArrayExpr, Call, DocumentExpr, Expr, Let, Variable
from xrepo_nb.query.rules.predicates import conjuncts, never_fails
from xrepo_nb.query.walk import over


class Takes(Protocol):
    """What a source evaluates exactly: names of predicate nodes, of stages, and operators.

    The conditions of a filter that must all hold need no `And`: only one below another node does.
    Among `expressions`, `object` and `array` stand for built documents and arrays, `$let` and
    `$$NAME` for variables. Constants and plain fields need no name.
    """

    @property
    def filters(self) -> frozenset[str]:
        """Names of predicate nodes."""
        ...

    @property
    def stages(self) -> frozenset[str]:
        """Names of plan stages."""
        ...

    @property
    def expressions(self) -> frozenset[str]:
        """Expression operators."""
        ...

    @property
    def accumulators(self) -> frozenset[str]:
        """Accumulators of groups."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether its rows stand in an order."""
        ...


@dataclass(frozen=True, slots=True)
class Split:
    """A plan in two: `native` over the scan, `residual` over a scan of what that gives.

    `reasons` says of each stage left in the residual why it, or a stage below it, is there.
    """

    native: s.Plan
    residual: s.Plan
    reasons: tuple[tuple[str, str], ...] = ()


def split(plan: s.Plan, capabilities: Takes) -> Split:
    """The longest native prefix of a plan over one scan, the rest, and a reason for each stage of it.

    A filter that is a conjunction is parted: the conditions that the source takes are native, but
    none that can fail goes before one that may keep rows from it. In
    the residual, `Scan` of the same name stands for the native part's rows. Plans over several
    scans have no native part beyond the scan; split their sides one by one.

    Raises `XRepoUnsupportedError` for a sort by `$natural` where the source's rows stand in no order.

    >>> from xrepo_nb.resources.base import Capabilities
    >>> from xrepo_nb.query.parsing import parse_filter
    >>> plan = s.Match(s.Scan("t"), parse_filter({"a": 1, "b": {"$size": 2}}))
    >>> found = split(plan, Capabilities(filters=frozenset({"Compare"}), stages=frozenset({"Match"})))
    >>> found.native.predicate, found.residual.predicate
    (Compare(path=('a',), op='$eq', value=1, at='filter.a'), Size(path=('b',), length=2))
    """
    leaf, stages = plan.chain()
    if not isinstance(leaf, s.Scan):
        sources = plan.sources()
        return Split(
            s.Scan(sources[0] if sources else ""), plan, (("Scan", "the plan reads several sources"),)
        )
    if not capabilities.ordered and any(isinstance(stage, s.Sort) and stage.is_natural for stage in stages):
        raise XRepoUnsupportedError(
            f"the rows of {leaf.source!r} stand in no order", asked="$natural", hint="sort by a field"
        )
    native: s.Plan = leaf
    for i, stage in enumerate(stages):
        reason = refusal(stage, capabilities)
        if reason is None:
            native = over(stage, native)
            continue
        rest = stages[i:]
        if isinstance(stage, s.Match) and "Match" in capabilities.stages:
            native, rest[0] = _parted(native, stage, capabilities)
        return Split(native, _stacked(leaf, rest), _reasons(rest, reason))
    return Split(native, leaf)


def _stacked(leaf: s.Plan, stages: list[s.Stage]) -> s.Plan:
    plan = leaf
    for stage in stages:
        plan = over(stage, plan)
    return plan


def _parted(native: s.Plan, match: s.Match, takes: Takes) -> tuple[s.Plan, s.Match]:
    taken: list[p.Predicate] = []
    left: list[p.Predicate] = []
    for part in conjuncts(match.predicate):
        shielded = left and not never_fails(part)
        is_taken = not shielded and predicate_refusal(part, takes) is None
        (taken if is_taken else left).append(part)
    if not taken:
        return native, match
    return s.Match(native, p.conjunction(taken), at=match.at), replace(match, predicate=p.conjunction(left))


def _refusals(parts: tuple[p.Predicate, ...], takes: Takes) -> Iterator[str]:
    return (why for part in parts if (why := predicate_refusal(part, takes)) is not None)


def _reasons(rest: list[s.Stage], reason: str) -> tuple[tuple[str, str], ...]:
    first, *others = (type(stage).__name__ for stage in rest)
    return ((first, reason), *((name, f"it stands above {first}") for name in others))


def refusal(stage: s.Plan, takes: Takes) -> str | None:
    """Why a source cannot run a stage, looked at alone; None when it can."""
    name = type(stage).__name__
    if name not in takes.stages:
        return f"the source has no {name}"
    if isinstance(stage, s.Sort) and stage.is_natural:
        return "the rows are turned round as they come"
    if isinstance(stage, s.Match):
        return next(_refusals(conjuncts(stage.predicate), takes), None)
    if sum(1 for _ in stage.children()) > 1:
        return f"{name} reads more than one plan"
    if isinstance(stage, (s.Group, s.Bucket, s.BucketAuto)):
        outputs = stage.accumulators if isinstance(stage, s.Group) else stage.outputs
        for output in outputs:
            if output.op not in takes.accumulators:
                return f"the source has no accumulator {output.op}"
    return next((why for expr in _expressions(stage) if (why := expression_refusal(expr, takes))), None)


def predicate_refusal(predicate: p.Predicate, takes: Takes) -> str | None:
    """Why a source cannot evaluate a predicate; None when it can."""
    for node in predicate.walk():
        name = type(node).__name__
        if name not in takes.filters and not isinstance(node, p.Constant):
            return f"the source does not evaluate {name}"
        if isinstance(node, p.Truth):
            reason = expression_refusal(node.expr, takes)
            if reason is not None:
                return reason
    return None


def expression_refusal(expr: Expr, takes: Takes) -> str | None:
    """Why a source cannot evaluate an expression; None when it can."""
    for node in expr.walk():
        name = _NAMES.get(type(node))
        needed = name(node) if name is not None else None
        if needed is not None and needed not in takes.expressions:
            return f"the source does not evaluate {needed}"
    return None


_NAMES: dict[type, Callable[[Any], str]] = {
    Call: lambda node: node.op,
    Let: lambda node: "$let",
    DocumentExpr: lambda node: "object",
    ArrayExpr: lambda node: "array",
    Variable: lambda node: "$$" + node.name,
    s.SliceOf: lambda node: "$slice",
    s.FirstMatch: lambda node: "$elemMatch",
}


def _expressions(stage: s.Plan) -> Iterator[Expr]:
    """All expressions of a stage itself."""
    for item in fields(stage):
        yield from _within(getattr(stage, item.name))


def _within(value: object) -> Iterator[Expr]:
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _within(item)
    elif isinstance(value, (s.Accumulator, s.WindowOutput)):
        yield from value.args
        yield from (item for _, item in value.options)
    elif isinstance(value, s.FillOutput) and value.value is not None:
        yield value.value
