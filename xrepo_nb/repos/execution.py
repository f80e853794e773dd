"""Running plans: which rows they start from, on which engine, inline or in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.core.offload import offload
from xrepo_nb.engines.base import Inputs
from xrepo_nb.query.expressions import REDACT_VARIABLES, SYSTEM_VARIABLES, Variable
from xrepo_nb.query.plan import (
    AddFields,
    Facet,
    Group,
    Input,
    Limit,
    Lookup,
    Match,
    Merge,
    Plan,
    Project,
    Scan,
    Skip,
    Sort,
    Unset,
)
from xrepo_nb.resources.running import in_threads
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo
    from xrepo_nb.repos.foundation import RepoFoundation

_INLINE_CELLS = 50_000
"""Frames of up to so many cells are queried in the loop's own thread: a thread hop costs more."""

_ROW_WISE = (Scan, Match, Project, AddFields, Unset, Sort, Limit, Skip, Group)
"""Stages whose work grows with the rows they are given, and no faster."""

_UNBOUND = SYSTEM_VARIABLES | REDACT_VARIABLES


@dataclass(frozen=True, slots=True)
class Opened:
    """A repo's collection as one call sees it: its schema, and its rows where they are at hand.

    `table` is an immutable snapshot or a lazy frame; None when the source must be asked, or when
    the rows are what `plan` makes of other repos, its `sources`. `stamp` is the same object as long as
    the rows are. `narrowed`: only what the caller's rules show of them is in it.
    """

    schema: Schema
    table: Table | None = None
    plan: Plan | None = None
    sources: Mapping[str, XRepo[Any]] = field(default_factory=dict)
    stamp: Any = None
    narrowed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows a plan came to, and how."""

    table: Table
    engine: str
    cached: bool = False


async def gather(
    plan: Plan, opened: Mapping[str, Opened], repos: Mapping[str, RepoFoundation]
) -> tuple[Plan, dict[str, Table]]:
    """What is left of the plan for an engine, and the rows of its scans.

    A source that must be asked runs the parts of the plan that read nothing else, as far as it can.
    """
    inputs, asked = at_hand_inputs(opened)
    if not asked:
        return plan, inputs
    parts = [part for part in independent(plan) if part.sources()[0] in asked]
    done: dict[int, Plan] = {}
    for number, part in enumerate(parts):
        name = part.sources()[0]
        rest, table = await repos[name]._scan(part)
        label = name if name not in inputs else free(f"{name}#{number}", {*inputs, *opened})
        inputs[label] = table
        done[id(part)] = rest if name == label else replaced_scan(rest, name, Scan(label))
    return replaced(plan, done), inputs


def free(name: str, taken: Collection[str]) -> str:
    """The name, or one like it: none of those taken, which a caller may have chosen."""
    while name in taken:
        name += "'"
    return name


def at_hand_inputs(opened: Mapping[str, Opened]) -> tuple[dict[str, Table], frozenset[str]]:
    """The rows that are at hand, by scan, and the scans whose source must be asked."""
    inputs = {name: found.table for name, found in opened.items() if found.table is not None}
    return inputs, frozenset(opened) - inputs.keys()


def independent(plan: Plan) -> list[Plan]:
    """The largest parts of a plan that read one source, and no row or variable from outside."""
    reads_one = sum(isinstance(node, Scan) for node in plan.walk()) == 1
    if reads_one and not _has_free_input(plan) and not _variables(plan):
        return [plan]
    return [part for child in plan.children() for part in independent(child)]


def _has_free_input(plan: Plan) -> bool:
    if isinstance(plan, Input):
        return True
    if isinstance(plan, Facet | Merge):
        return _has_free_input(plan.input)
    if isinstance(plan, Lookup):
        return _has_free_input(plan.input) or _has_free_input(plan.right)
    return any(_has_free_input(child) for child in plan.children())


def _variables(value: Any) -> bool:
    """Whether a variable that a user can bind occurs anywhere below."""
    if isinstance(value, Variable):
        return value.name not in _UNBOUND
    if isinstance(value, tuple):
        return any(_variables(item) for item in value)
    slots = getattr(type(value), "__dataclass_fields__", None)
    return slots is not None and any(_variables(getattr(value, name)) for name in slots)


def replaced(plan: Plan, done: Mapping[int, Plan]) -> Plan:
    """The plan with others in the place of parts of it, which are named by their `id`."""
    if id(plan) in done:
        return done[id(plan)]
    new = {f.name: _replaced_in(getattr(plan, f.name), done) for f in fields(plan)}
    return replace(plan, **new)


def _replaced_in(value: Any, done: Mapping[int, Plan]) -> Any:
    if isinstance(value, Plan):
        return replaced(value, done)
    if isinstance(value, tuple):
        return tuple(_replaced_in(item, done) for item in value)
    return value


def replaced_scan(plan: Plan, name: str, other: Plan) -> Plan:
    """The plan with `other` in the place of the scan of that name."""
    return plan.transform(lambda node: other if node == Scan(name) else node)


async def execute(plan: Plan, inputs: Inputs, engine: str = "auto") -> Answer:
    """Runs the plan on the engine named or chosen: small frames inline, others in a thread."""
    if isinstance(plan, Scan):
        await _must_exist(engine)
        table = inputs[plan.source]
        with _scanned(inputs):
            if table.is_lazy:
                await offload(lambda: table.frame)
        return Answer(table, "scan")
    # A name may have to be looked up among the installed packages, and the size of files on disk.
    if engine != "auto" or not is_light(plan, inputs):
        return await offload(_answer, plan, inputs, engine)
    from xrepo_nb.engines.select import ready

    found = ready(plan, inputs)
    if found.engine.name == "polars" or is_light(plan, inputs, _INLINE_CELLS // 50):
        return Answer(found.collect(), found.engine.name)
    return Answer(await offload(found.collect), found.engine.name)


async def _must_exist(engine: str) -> None:
    """Refuses the name of an engine that there is not, where none is asked."""
    if engine != "auto":
        from xrepo_nb.engines.select import get_engine

        await offload(get_engine, engine)


def _answer(plan: Plan, inputs: Inputs, engine: str) -> Answer:
    from xrepo_nb.engines.select import ready

    with _scanned(inputs):
        found = ready(plan, inputs, engine)
        table = found.collect()
        if table.is_lazy:
            _ = table.frame
    return Answer(table, found.engine.name)


@contextmanager
def _scanned(inputs: Inputs) -> Iterator[None]:
    """Polars' failures to scan a source as ours, without the values that they tell."""
    try:
        yield
    except (pl.exceptions.ColumnNotFoundError, pl.exceptions.ComputeError, OSError) as error:
        names = ", ".join(name for name, table in inputs.items() if table.is_lazy)
        if not names:
            raise
        raise XRepoValidationError(
            f"the rows of {names} cannot be read as they were described ({type(error).__name__})",
            asked=names,
            hint="the source has changed, or is damaged: open it again",
        ) from None


def lowered(plan: Plan, inputs: Inputs) -> Table | None:
    """The plan's rows, unread; None where Polars cannot run it."""
    from xrepo_nb.engines.polars import PolarsEngine, lower

    if PolarsEngine().supports(plan, inputs) is not None:
        return None
    lazy, schema = lower(plan, inputs)
    return Table(lazy=lazy, schema=schema)


def run_now(plan: Plan, inputs: Inputs) -> Table:
    """Runs a plan in this thread."""
    return _answer(plan, inputs, "auto").table


async def streamed(plan: Plan, inputs: Inputs, size: int, engine: str = "auto") -> AsyncIterator[Table]:
    """The rows in batches, each made in a thread when it is asked for."""
    from xrepo_nb.engines.select import choose

    with _scanned(inputs):
        chosen = await offload(choose, plan, inputs, engine)
        async with closing(in_threads(chosen.stream(plan, inputs, size))) as tables:
            async for table in tables:
                yield table


def is_light(plan: Plan, inputs: Inputs, bound: int = _INLINE_CELLS) -> bool:
    """Whether running the plan takes less than a thread hop and a few milliseconds at most: stages
    that go once over rows at hand of no more than so many cells."""
    cells = 0
    for table in inputs.values():
        if table.is_lazy:
            return False
        cells += len(table) * max(1, len(table.schema.fields))
    return cells <= bound and all(isinstance(node, _ROW_WISE) for node in plan.walk())
