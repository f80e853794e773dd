"""What a plan, predicate or expression reads: paths and what lies around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import (
    ArrayExpr,
    Call,
    DocumentExpr,
    Expr,
    FieldRef,
    Let,
    Literal,
    Path,
    Variable,
)
from xrepo_nb.query.plan import FirstMatch, Plan, SliceOf, Stage

WHOLE: Path = ()
"""Stands for the whole document among the paths that something reads."""


def over(stage: S, source: Plan) -> S:
    """The stage over another input; several times faster than `dataclasses.replace`."""
    if source is stage.input:
        return stage
    kind = type(stage)
    names = _REST.get(kind)
    if names is None:
        names = _REST[kind] = tuple(f.name for f in fields(kind) if f.name not in ("input", "at"))
    return kind(source, *[getattr(stage, name) for name in names], at=stage.at)


S = TypeVar("S", bound=Stage)
_REST: dict[type, tuple[str, ...]] = {}


def paths_of(predicate: p.Predicate) -> frozenset[Path]:
    """The paths that a predicate reads; `WHOLE` among them when it may look at any."""
    found: set[Path] = set()
    _predicate(predicate, found)
    return frozenset(found)


def paths_in(*expressions: Expr | None) -> frozenset[Path]:
    """The paths that expressions read; `WHOLE` among them when one may look at any."""
    found: set[Path] = set()
    for expr in expressions:
        if expr is not None:
            _expression(expr, found)
    return frozenset(found)


def is_random(expr: Expr) -> bool:
    """Whether the value depends on chance."""
    if type(expr) is FieldRef or type(expr) is Literal:
        return False
    return (type(expr) is Call and expr.op == "$rand") or any(map(is_random, parts_of(expr)))


def _predicate(predicate: p.Predicate, found: set[Path]) -> None:
    if isinstance(predicate, (p.And, p.Or)):
        for item in predicate.items:
            _predicate(item, found)
    elif isinstance(predicate, p.Not):
        _predicate(predicate.item, found)
    elif isinstance(predicate, p.Truth):
        _expression(predicate.expr, found)
    elif not isinstance(predicate, (p.Constant, p.SampleRate)):
        found.add(getattr(predicate, "path", WHOLE))


def _expression(expr: Expr, found: set[Path]) -> None:
    read = _READS.get(type(expr))
    if read is not None:
        read(expr, found)
        return
    for child in parts_of(expr):
        _expression(child, found)


def parts_of(expr: Expr) -> Iterable[Expr]:
    """The expressions directly below one; faster than `children` for the commonest."""
    if isinstance(expr, Call):
        return [*expr.args, *[item for _, item in expr.options]] if expr.options else expr.args
    if isinstance(expr, DocumentExpr):
        return [item for _, item in expr.items]
    return expr.items if isinstance(expr, ArrayExpr) else expr.children()


def _variable(expr: Variable, found: set[Path]) -> None:
    if expr.name in ("ROOT", "CURRENT"):
        found.add(expr.path)


def _first_match(expr: FirstMatch, found: set[Path]) -> None:
    found.add(expr.path)
    if expr.positional:
        _predicate(expr.predicate, found)


_READS: dict[type, Callable[[Any, set[Path]], None]] = {
    Literal: lambda expr, found: None,
    FieldRef: lambda expr, found: found.add(expr.path),
    SliceOf: lambda expr, found: found.add(expr.path),
    Variable: _variable,
    FirstMatch: _first_match,
}


def written_out(expr: Expr, sizes: Mapping[str, int] = {}) -> int:
    """The parts of an expression with the values of its own variables, and of those whose `sizes` are
    given, written out in their places."""
    if isinstance(expr, Variable):
        return sizes.get(expr.name, 1)
    if isinstance(expr, Let):
        inner = {name: written_out(value, sizes) for name, value in expr.variables}
        return written_out(expr.body, {**sizes, **inner})
    return 1 + sum(written_out(child, sizes) for child in expr.children())


LONGEST = 100
"""Stages beyond which planning takes seconds; no person writes as many."""

MAX_WRITTEN = 20_000
"""Parts beyond which an engine that writes variables out must not take an expression."""


def is_position(step: str) -> bool:
    """Whether a step of a path is the position of an array element; other numbers are only names.

    >>> is_position("10"), is_position("00"), is_position("²"), is_position("9" * 20)
    (True, False, False, False)
    """
    return step.isascii() and step.isdigit() and (step == "0" or step[0] != "0") and len(step) <= _DIGITS


_DIGITS = 18
"""Of the positions that 64 bits hold; no array is as long."""


def overlap(a: Path, b: Path) -> bool:
    """Whether one path is the other, or lies above or below it; `WHOLE` overlaps all."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]
