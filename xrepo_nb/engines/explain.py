"""Explain: how a plan is run, as data that prints itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from xrepo_nb.core.errors import counted
from xrepo_nb.engines.base import Engine, Inputs
from xrepo_nb.engines.select import ready
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.query.text import describe_stage
from xrepo_nb.schema.table import Table


@dataclass(frozen=True, slots=True)
class Explanation:
    """One stage of a plan and, below it, the stages it reads.

    `engine` runs it; `native` is the text in that engine's or source's own language; `pushed`
    says that the source runs it; `reason` why it is not pushed, or not vectorised. `rows` and
    `milliseconds` are there after `analyze`: of this stage alone. Layers above add what they
    know with `dataclasses.replace` or `annotated`.
    """

    stage: str
    engine: str
    native: str | None = None
    pushed: bool = False
    reason: str | None = None
    rows: int | None = None
    milliseconds: float | None = None
    children: tuple[Explanation, ...] = ()

    def walk(self) -> Iterator[Explanation]:
        """This stage and all below it, the last stage first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def annotated(self, notes: Mapping[str, Mapping[str, Any]]) -> Explanation:
        """The same, with attributes changed for the stages of those texts."""
        children = tuple(child.annotated(notes) for child in self.children)
        return replace(self, children=children, **notes.get(self.stage, {}))

    def __str__(self) -> str:
        lines = list(_lines(self, "", ""))
        width = max(len(left) for left, _ in lines)
        text = "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in lines)
        return f"{text}\n\n{self.native}" if self.native else text


def _lines(node: Explanation, first: str, rest: str) -> Iterator[tuple[str, str]]:
    yield first + node.stage, _facts(node)
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1
        yield from _lines(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _facts(node: Explanation) -> str:
    parts = [f"{node.engine}, pushed down" if node.pushed else node.engine]
    if node.rows is not None:
        parts.append(counted(node.rows, "row"))
    if node.milliseconds is not None:
        parts.append(f"{node.milliseconds:.1f} ms")
    if node.reason:
        parts.append(node.reason)
    return "  ".join(parts)


def explain_plan(
    plan: Plan,
    inputs: Inputs,
    engine: str = "auto",
    *,
    analyze: bool = False,
) -> Explanation:
    """How the plan would be run on these inputs; with `analyze` it is run, stage by stage.

    Without `analyze` no row is read, and it costs about a millisecond. Measured stages are run
    one after the other, so that their times add up to more than the plan's, whose stages are fused.

    >>> import polars as pl
    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> people = Table(frame=pl.DataFrame({"name": ["Ann", "Bob"], "age": [41, 17]}))
    >>> plan = parse_pipeline([{"$match": {"age": {"$gte": 18}}}, {"$limit": 1}], Scan("people"))
    >>> print(str(explain_plan(plan, {"people": people}, analyze=True)).split("ms")[0])
    $limit 1                       polars  1 row  ...
    """
    found = ready(plan, inputs, engine)
    chosen, reason = found.engine, found.reason
    tree = _explained(plan, inputs, chosen)
    if analyze:
        tree, _ = _measured(plan, tree, inputs, chosen)
    told = tree.reason or (reason if engine == "auto" else None)
    return replace(tree, native=_native(plan, inputs, chosen), reason=told)


def stage_text(plan: Plan) -> str:
    """One line that tells what a stage does, in MongoDB's words, cut where it is long.

    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> stage_text(parse_pipeline([{"$sort": {"age": -1}}], Scan("people")))
    '$sort {age: -1}'
    """
    text = describe_stage(plan)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


_LONG = 100


def _explained(plan: Plan, inputs: Inputs, engine: Engine) -> Explanation:
    children = tuple(_explained(child, inputs, engine) for child in reads(plan).values())
    return Explanation(stage_text(plan), engine.name, reason=_note(plan, inputs, engine), children=children)


def reads(plan: Plan) -> dict[str, Plan]:
    """The plans that a stage reads, by attribute; not the pipelines it runs on its own rows."""
    out = {}
    for item in fields(plan):
        if item.name in _READS and isinstance(value := getattr(plan, item.name), Plan):
            out[item.name] = value
    return out


_READS = ("input", "left", "right", "other")


def _note(plan: Plan, inputs: Inputs, engine: Engine) -> str | None:
    """What the engine says of this stage alone: operators that run in the interpreter."""
    notes = getattr(engine, "notes", None)
    if notes is None:
        return None
    below = sum(len(notes(child, inputs)) for child in reads(plan).values())
    return "; ".join(notes(plan, inputs)[below:]) or None


def _native(plan: Plan, inputs: Inputs, engine: Engine) -> str | None:
    native = getattr(engine, "native", None)
    return None if native is None else native(plan, inputs)


def _measured(plan: Plan, tree: Explanation, inputs: Inputs, engine: Engine) -> tuple[Explanation, Table]:
    """The stage run on the collected rows of the stages below it."""
    children, given, changed = [], dict(inputs), {}
    for (name, child), node in zip(reads(plan).items(), tree.children, strict=True):
        measured, table = _measured(child, node, inputs, engine)
        children.append(measured)
        given[f"\0{name}"] = table
        changed[name] = Scan(f"\0{name}")
    stage = replace(plan, **changed) if changed else plan
    start = time.perf_counter()
    table = engine.collect(stage, given)
    rows = len(table)
    spent = (time.perf_counter() - start) * 1e3
    return replace(tree, rows=rows, milliseconds=spent, children=tuple(children)), table
