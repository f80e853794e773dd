"""The way of a read: from a plan to the rows that the caller may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.offload import offload
from xrepo_nb.governance.identity import resolve
from xrepo_nb.governance.policy import OPEN
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.expressions import Literal
from xrepo_nb.query.plan import Accumulator, Group, Match, Plan, Scan
from xrepo_nb.repos.asking import Page, bounded, matching, paged
from xrepo_nb.repos.execution import (
    Answer,
    Opened,
    at_hand_inputs,
    execute,
    gather,
    lowered,
    run_now,
    streamed,
)
from xrepo_nb.repos.narrowing import Scope, checked, governed, narrowed, opened, policy_of
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.shaping import records_of
from xrepo_nb.repos.visible import Sight
from xrepo_nb.schema.table import Table

FEW = 10_000
"""Rows up to which a query for some of them may as well make all."""

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


async def answer(
    repo: XRepo[Any],
    plan: Plan,
    operation: Operation,
    *,
    engine: str = "auto",
    repos: Mapping[str, XRepo[Any]] | None = None,
) -> Answer:
    """Runs a plan for the operation's caller: checked, governed, optimised, split, collected."""
    reached = await reach(repo, plan, repos)
    cache = repo._cache if len(reached) == 1 else None
    if cache is not None:  # as of before a row is looked at: rules and rows may change meanwhile
        generation, seen = cache.generation, repo._policy_key(operation.identity, operation.policy)
    scope = await opened(reached, operation)
    plan = checked(plan, scope)
    plan, scope = await narrowed(plan, scope)
    if cache is None:
        return await run(plan, scope, engine)
    from xrepo_nb.query.fingerprint import fingerprint

    key = f"{engine}:{seen}:{fingerprint(plan)}"
    found = await cache.get(key)
    if found is not None:
        return Answer(found.table, found.engine, cached=True)
    made = await run(plan, scope, engine)
    await cache.put(key, made, generation)
    return made


async def page(
    repo: XRepo[Any], matches: Plan, wanted: Page, operation: Operation, engine: str
) -> tuple[Answer, int]:
    """The rows of a page, and how many match in all."""
    if repo._is_small():
        return await _cut(repo, matches, wanted, operation, engine)
    plan = paged(matches, wanted.sort, wanted.skip, wanted.limit)
    found = await answer(repo, plan, operation, engine=engine)
    rows = len(found.table)
    if wanted.limit is None or (rows < wanted.limit and (rows or not wanted.skip)):
        return found, bounded(wanted.skip, "skip") + rows
    return found, await count(repo, matches, operation, engine)


async def _cut(
    repo: XRepo[Any], matches: Plan, wanted: Page, operation: Operation, engine: str
) -> tuple[Answer, int]:
    """As `page`, in one query: where there are few rows, all matches cost no more than counting them."""
    found = await answer(repo, paged(matches, wanted.sort, 0, None), operation, engine=engine)
    table, total = found.table, len(found.table)
    start = bounded(wanted.skip, "skip")
    stop = total if wanted.limit is None else start + bounded(wanted.limit, "limit")
    if (start, stop) == (0, total):
        return found, total
    return Answer(table.slice(start, stop - start), found.engine, found.cached), total


async def count(repo: XRepo[Any], plan: Plan, operation: Operation, engine: str = "auto") -> int:
    """How many rows the plan gives, which are not made where that can be helped."""
    if engine == "auto" and isinstance(plan, Scan) and operation.policy is OPEN:
        table = (await repo._open(operation.identity)).table
        known = None if table is None else table.height
        if table is not None and known is not None and not repo._marks_deleted(table.schema):
            return known
    if repo._is_small():
        return len((await answer(repo, plan, operation, engine=engine)).table)
    counted = Group(plan, Literal(None), (Accumulator("n", "$sum", (Literal(1),)),))
    found = await answer(repo, counted, operation, engine=engine)
    return next((int(row["n"]) for row in found.table.documents), 0)


async def stream(
    repo: XRepo[Any], filters: Any, sort: Any, batch_size: int, user: Any, engine: str
) -> AsyncIterator[Any]:
    """The matching records, a batch at a time in memory."""
    if (size := bounded(batch_size, "batch_size")) == 0:
        raise XRepoConfigurationError("batch_size must be a whole number from 1 on", asked="batch_size")
    async with Operation(repo, "stream", Permission.LIST, user) as operation:
        plan = paged(matching(repo, filters, operation), sort, 0, None)
        async with closing(_batches(repo, plan, operation, size, engine)) as tables:
            async for table in tables:
                for record in await records_of(table, operation.model, operation.grant):
                    operation.rows += 1
                    yield record


async def _batches(
    repo: XRepo[Any], plan: Plan, operation: Operation, size: int, engine: str
) -> AsyncIterator[Table]:
    scope = await opened({repo.metadata.name: repo}, operation)
    plan = checked(plan, scope)
    plan, scope = await narrowed(plan, scope)
    if all(found.table is None for found in scope.opened.values()) and len(scope.repos) == 1:
        batches = next(iter(scope.repos.values()))._stream(plan, size)
    else:
        rest, inputs = await gather(plan, scope.opened, scope.repos)
        batches = streamed(rest, inputs, size, engine)
    async with closing(batches) as tables:
        async for table in tables:
            yield table


async def frame_of(table: Table) -> pl.DataFrame:
    """The table's rows as an eager frame; made in a thread where that takes long."""
    if table.is_frame and not table.is_lazy:
        return table.frame
    return await offload(lambda: table.frame)


def glimpse(repo: XRepo[Any], found: Opened, n: int | None) -> Table:
    """Up to `n` rows, at hand as `found`, for whoever acts now; not recorded."""
    scope, name = _own(repo, found), repo.metadata.name
    plan, table = governed(paged(Scan(name), None, 0, n), scope), scope.opened[name].table
    assert table is not None
    return table if isinstance(plan, Scan) else run_now(plan, {name: table})


def height(repo: XRepo[Any], found: Opened) -> int | None:
    """How many rows at hand whoever acts now may see; None where that takes going through many."""
    scope, name = _own(repo, found), repo.metadata.name
    plan, table = governed(Scan(name), scope), scope.opened[name].table
    assert table is not None
    if not any(isinstance(node, Match) for node in plan.walk()):
        return len(table)
    return len(run_now(plan, {name: table})) if len(table) <= FEW else None


def _own(repo: XRepo[Any], found: Opened) -> Scope:
    """What whoever acts now reads of the repo's rows at hand."""
    identity, name = resolve(), repo.metadata.name
    policy = policy_of(repo, identity)
    found = Sight(repo, policy).at_hand(found)
    return Scope(identity, Permission.LIST, {name: repo}, {name: found}, {name: policy})


async def lazily(repo: XRepo[Any], operation: Operation) -> Table | None:
    """The rows that the caller may see, unread; None where Polars cannot run that."""
    scope = await opened({repo.metadata.name: repo}, operation)
    plan, scope = await narrowed(Scan(repo.metadata.name), scope)
    inputs, asked = at_hand_inputs(scope.opened)
    return None if asked else lowered(plan, inputs)


async def reach(
    repo: XRepo[Any], plan: Plan, repos: Mapping[str, XRepo[Any]] | None = None
) -> dict[str, XRepo[Any]]:
    """The repos behind the plan's scans: itself, those given, those in the namespace."""
    reached: dict[str, XRepo[Any]] = {}
    for name in plan.sources():
        reached[name] = repo if name == repo.metadata.name else await repo_named(name, repos)
    return reached


async def repo_named(name: str, repos: Mapping[str, XRepo[Any]] | None = None) -> XRepo[Any]:
    """The repo of that name, among those given or in the namespace."""
    from xrepo_nb.cache import namespace

    found = (repos or {}).get(name) or await namespace.get_ns(f"ns.repos.{name}")
    if found is None:
        known = [path.removeprefix("ns.repos.") for path in await namespace.list_ns("ns.repos.*")]
        raise XRepoNotFoundError(
            f"there is no repo {name!r}", asked=name, exists=sorted({*(repos or {}), *known})
        )
    return found


def optimized(plan: Plan, scope: Scope) -> Plan:
    """The plan as it costs least; documents at hand are not worth narrowing."""
    from xrepo_nb.query.optimize import optimize

    schemas = {name: found.schema for name, found in scope.opened.items()}
    narrow = [name for name, found in scope.opened.items() if found.table is None or found.table.is_frame]
    return optimize(plan, schemas, narrow=narrow)


async def run(plan: Plan, scope: Scope, engine: str = "auto") -> Answer:
    """Optimises a governed plan, splits it by what its sources take, and runs it."""
    if not isinstance(plan, Scan):
        plan = optimized(plan, scope)
    rest, inputs = await gather(plan, scope.opened, scope.repos)
    return await execute(rest, inputs, engine)
