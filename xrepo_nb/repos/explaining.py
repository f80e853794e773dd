"""Explaining a query: the road it would take, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.offload import offload
from xrepo_nb.engines.explain import Explanation, explain_plan, stage_text
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.repos import narrowing, reading
from xrepo_nb.repos.execution import at_hand_inputs, free, independent, replaced, replaced_scan
from xrepo_nb.repos.operation import Operation
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


async def explain(
    repo: XRepo[Any],
    plan: Plan,
    operation: Operation,
    engine: str,
    analyze: bool,
    repos: Mapping[str, XRepo[Any]] | None,
) -> Explanation:
    """The tree of the governed, optimised plan; native parts hang below the scans they feed.

    Whom rules narrow sees the tree of his own plan, over scans that tell nothing of the rules.
    """
    scope = await narrowing.opened(await reading.reach(repo, plan, repos), operation)
    asked_for = narrowing.checked(plan, scope)
    plan, below = await narrowing.narrowed(asked_for, scope)
    if not all(policy.is_admin for policy in below.policies.values()):
        return await _above_the_rules(asked_for, scope, engine, analyze)
    scope = below
    plan = reading.optimized(plan, scope)
    inputs, asked = at_hand_inputs(scope.opened)
    native: dict[str, Explanation] = {}
    done: dict[int, Plan] = {}
    for number, part in enumerate(part for part in independent(plan) if part.sources()[0] in asked):
        name = part.sources()[0]
        rest, tree, table = await scope.repos[name]._explained(part, analyze)
        label = free(f"{name} #{number}", {*inputs, *scope.opened}) if name in inputs else name
        done[id(part)] = replaced_scan(rest, name, Scan(label))
        inputs[label], native[f"scan {label}"] = table, tree
    found = await offload(explain_plan, replaced(plan, done), inputs, engine, analyze=analyze)
    return _grafted(found, native)


async def _above_the_rules(plan: Plan, scope: narrowing.Scope, engine: str, analyze: bool) -> Explanation:
    """The caller's plan over the rows that he may see, which are read only to be measured."""
    inputs = {name: await _visible(name, scope, analyze) for name in scope.opened}
    plan = reading.optimized(plan, scope)
    found = await offload(explain_plan, plan, inputs, engine, analyze=analyze)
    return found.annotated({f"scan {name}": {"reason": "as the rules leave it"} for name in inputs})


async def _visible(name: str, scope: narrowing.Scope, analyze: bool) -> Table:
    if analyze:
        plan, below = await narrowing.narrowed(Scan(name), scope.only(name))
        return (await reading.run(plan, below)).table
    return Table.empty(scope.shown(name))


def _grafted(tree: Explanation, native: Mapping[str, Explanation]) -> Explanation:
    """The tree with what a source runs itself in the place of its scan."""
    below = native.get(tree.stage)
    if below is not None:
        return below
    return replace(tree, children=tuple(_grafted(child, native) for child in tree.children))


def pushed(plan: Plan, source: str, text: str | None, table: Table | None) -> Explanation:
    """The stages of a plan that a source runs; rows as measured."""
    children = tuple(pushed(child, source, None, None) for child in plan.children())
    rows = None if table is None else len(table)
    return Explanation(stage_text(plan), source, native=text, pushed=True, rows=rows, children=children)
