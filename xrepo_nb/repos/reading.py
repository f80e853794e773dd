"""The way of a read: from what is asked to the rows that the caller may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.offload import offload
from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.policy import OPEN, Policy
from xrepo_nb.governance.rewrite import govern
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.expressions import FieldRef, Literal
from xrepo_nb.query.plan import (
    Accumulator,
    Group,
    Limit,
    Match,
    Plan,
    Project,
    Scan,
    Skip,
    Sort,
    SortKey,
    Unset,
    Unwind,
)
from xrepo_nb.query.predicates import EVERYTHING, Compare, Exists
from xrepo_nb.repos.execution import Answer, Opened, execute, gather, run_now, streamed
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.shaping import records_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo

DELETED_AT = "deleted_at"


def matching(repo: XRepo[Any], filters: Any, operation: Operation) -> Plan:
    """The repo's rows that match the filters."""
    scan = Scan(repo.metadata.name)
    if not filters and isinstance(filters, dict | None):
        return scan
    from xrepo_nb.query.parsing import parse_filter

    known = seen(repo, repo._schema, operation.policy, _reading(operation)).names
    predicate = parse_filter(repo._translated(filters), fields=known)
    return scan if predicate == EVERYTHING else Match(scan, predicate)


def pipeline(repo: XRepo[Any], stages: Sequence[Mapping[str, Any]], start: Plan | None = None) -> Plan:
    """The plan of a pipeline over the repo's rows, or those of `start`."""
    from xrepo_nb.query.parsing import parse_pipeline

    return parse_pipeline(stages, start or Scan(repo.metadata.name))


def distinct(repo: XRepo[Any], plan: Plan, field: str) -> Plan:
    """One row, sorted, for each value of the field; elements of arrays are values."""
    path = tuple(field.split("."))
    there = Match(plan, Exists(path, True))
    unwound: Plan = there
    for length in range(1, len(path) + 1):
        if _may_be_array(repo._schema, path[:length]):
            unwound = Unwind(unwound, path[:length], preserve_empty=True)
    if unwound is not there:
        unwound = Match(unwound, Exists(path, True))
    return Sort(Group(unwound, FieldRef(path), ()), (SortKey(("_id",)),))


def _may_be_array(schema: Schema, path: tuple[str, ...]) -> bool:
    kind = None
    for step in path:
        field = schema.field(step) if kind is None else (kind.item or kind).field(step)
        if field is None:
            return kind is not None and kind.kind == "mixed"
        kind = field.type
    return kind is not None and kind.kind in ("array", "mixed")


def windowed(plan: Plan, sort: Any, skip: int, limit: int | None) -> Plan:
    """The plan's rows in that order, from `skip` on, at most `limit` of them."""
    if sort:
        from xrepo_nb.query.parsing import parse_sort

        plan = Sort(plan, parse_sort(sort))
    if bounded(skip, "skip"):
        plan = Skip(plan, skip)
    if limit is not None:
        plan = Limit(plan, bounded(limit, "limit"))
    return plan


def bounded(value: int, name: str) -> int:
    """A count as the caller gave it, refused when it is none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise XRepoConfigurationError(
            f"{name} must be a whole number from 0 on", asked=name, hint="limit=None reads all rows"
        )
    return value


def projected(plan: Plan, fields: Sequence[str] | Mapping[str, Any] | None) -> Plan:
    """The plan's rows with only those fields: names, or a projection as MongoDB writes it."""
    if fields is None:
        return plan
    if isinstance(fields, Mapping):
        from xrepo_nb.query.parsing import parse_projection

        return Project(plan, *parse_projection(fields))
    paths = [tuple(name.split(".")) for name in fields]
    hide_id = [] if ("_id",) in paths else [(("_id",), False)]
    return Project(plan, tuple([*((path, True) for path in paths), *hide_id]), inclusive=True)


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
    opened = {name: await other._open(operation.identity) for name, other in reached.items()}
    governed = narrowed(plan, reached, opened, operation)
    cache = repo._cache if len(reached) == 1 else None
    if cache is None:
        return await _run(governed, reached, opened, engine)
    from xrepo_nb.query.fingerprint import fingerprint

    key, generation = f"{engine}:{operation.policy.version}:{fingerprint(governed)}", cache.generation
    found = await cache.get(key)
    if found is not None:
        return Answer(found.table, found.engine, cached=True)
    made = await _run(governed, reached, opened, engine)
    await cache.put(key, made, generation)
    return made


def narrowed(
    plan: Plan, reached: Mapping[str, XRepo[Any]], opened: Mapping[str, Opened], operation: Operation
) -> Plan:
    """The plan with each scan cut down to what its repo's rules and deletions leave."""
    policies = {name: _policy(repo, operation) for name, repo in reached.items()}
    permission = _reading(operation)
    visible = {
        name: seen(reached[name], found.schema, policies[name], permission) for name, found in opened.items()
    }
    if all(schema.fields for schema in visible.values()):
        from xrepo_nb.query.check import check_fields

        check_fields(plan, visible)
    if any(policy is not OPEN for policy in policies.values()):
        plan = govern(plan, policies, permission)
    marked = {name: repo for name, repo in reached.items() if repo._marks_deleted(opened[name].schema)}
    return plan.transform(lambda node: _alive(node, marked)) if marked else plan


def _reading(operation: Operation) -> Permission:
    """The permission that its reads need: a point read's own, else that to list."""
    return operation.permission if operation.permission is Permission.READ else Permission.LIST


def seen(repo: XRepo[Any], schema: Schema, policy: Policy, permission: Permission = Permission.LIST) -> Schema:
    """The schema as the policy shows it, without the repo's own mark of deleted rows."""
    if repo._hides_mark(schema):
        schema = schema.select(name for name in schema.names if name != DELETED_AT)
    return schema if policy is OPEN else policy.visible(schema, permission)


def visible_schema(repo: XRepo[Any], identity: Identity) -> Schema:
    """The schema that the identity sees, for listing or reading; empty when it may do neither."""
    policy = OPEN if repo._acl_manager is None else repo._acl_manager.policy(identity)
    for permission in (Permission.LIST, Permission.READ):
        if permission in policy.grants:
            return seen(repo, repo._schema, policy, permission)
    return repo._schema.select(())


def _policy(repo: XRepo[Any], operation: Operation) -> Policy:
    if repo is operation.repo:
        return operation.policy
    if repo._acl_manager is None:
        return OPEN
    repo._acl_manager.require(Permission.LIST, operation.identity)
    return repo._acl_manager.policy(operation.identity)


def _alive(node: Plan, marked: Mapping[str, XRepo[Any]]) -> Plan:
    """A scan without the rows marked as deleted."""
    repo = marked.get(node.source) if isinstance(node, Scan) else None
    if repo is None:
        return node
    living = Match(node, Compare((DELETED_AT,), "$eq", None))
    return Unset(living, ((DELETED_AT,),)) if repo._hides_mark() else living


async def page(
    repo: XRepo[Any],
    matches: Plan,
    plan: Plan,
    skip: int,
    limit: int | None,
    operation: Operation,
    engine: str,
) -> tuple[Answer, int]:
    """The rows of a window, and how many match in all."""
    found = await answer(repo, plan, operation, engine=engine)
    rows = len(found.table)
    if limit is None or (rows < limit and (rows or not skip)):
        return found, skip + rows
    return found, await count(repo, matches, operation, engine)


async def count(repo: XRepo[Any], plan: Plan, operation: Operation, engine: str = "auto") -> int:
    """How many rows the plan gives, which are not made where that can be helped."""
    if isinstance(plan, Scan) and operation.policy is OPEN:
        table = (await repo._open(operation.identity)).table
        if table is not None and not table.is_lazy and not repo._marks_deleted(table.schema):
            return len(table)
    counted = Group(plan, Literal(None), (Accumulator("n", "$sum", (Literal(1),)),))
    found = await answer(repo, counted, operation, engine=engine)
    return next((int(row["n"]) for row in found.table.documents), 0)


async def stream(
    repo: XRepo[Any], filters: Any, sort: Any, batch_size: int, user: Any, engine: str
) -> AsyncIterator[Any]:
    """The matching records, a batch at a time in memory."""
    async with Operation(repo, "stream", Permission.LIST, user) as operation:
        plan = windowed(matching(repo, filters, operation), sort, 0, None)
        async for table in _batches(repo, plan, operation, batch_size, engine):
            for record in await records_of(table, repo.model_class, operation.grant):
                operation.rows += 1
                yield record


async def _batches(
    repo: XRepo[Any], plan: Plan, operation: Operation, size: int, engine: str
) -> AsyncIterator[Table]:
    opened = {repo.metadata.name: await repo._open(operation.identity)}
    reached = {repo.metadata.name: repo}
    plan = narrowed(plan, reached, opened, operation)
    if opened[repo.metadata.name].table is None:
        async for table in repo._stream(plan, size):
            yield table
        return
    rest, inputs = await gather(plan, opened, reached)
    async for table in streamed(rest, inputs, size, engine):
        yield table


async def frame_of(table: Table) -> pl.DataFrame:
    """The table's rows as an eager frame; made in a thread where that takes long."""
    if table.is_frame and not table.is_lazy:
        return table.frame
    return await offload(lambda: table.frame)


async def handed_on(frame: pl.DataFrame, method: str) -> Any:
    """The frame in another library's form."""
    return await offload(getattr(frame, method))


def glimpse(repo: Any, n: int | None) -> Table:
    """Up to `n` rows for whoever acts now, of a repo whose rows are in memory; not recorded."""
    operation = Operation(repo, "peek", Permission.LIST)
    if repo._acl_manager is not None:
        operation.policy = repo._acl_manager.policy(operation.identity)
        operation.grant = repo._acl_manager.require(Permission.LIST, operation.identity)
    name = repo.metadata.name
    opened = repo._opened(operation.identity)
    plan = narrowed(windowed(Scan(name), None, 0, n), {name: repo}, {name: opened}, operation)
    if isinstance(plan, Scan):
        return opened.table  # type: ignore[no-any-return]
    return run_now(plan, {name: opened.table})


async def lazily(
    repo: XRepo[Any], plan: Plan, operation: Operation, opened: Opened
) -> Table | None:
    """The governed rows of a plan over the repo, unread; None where Polars cannot run it."""
    from xrepo_nb.engines.polars import PolarsEngine, lower

    name = repo.metadata.name
    assert opened.table is not None
    inputs = {name: opened.table}
    governed = narrowed(plan, {name: repo}, {name: opened}, operation)
    if PolarsEngine().supports(governed, inputs) is not None:
        return None
    lazy, schema = lower(governed, inputs)
    return Table(lazy=lazy, schema=schema)


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
    return found  # type: ignore[no-any-return]


async def _run(
    plan: Plan, reached: Mapping[str, XRepo[Any]], opened: Mapping[str, Opened], engine: str
) -> Answer:
    from xrepo_nb.query.optimize import optimize

    if not isinstance(plan, Scan):
        plan = optimize(plan, {name: found.schema for name, found in opened.items()})
    rest, inputs = await gather(plan, opened, reached)
    return await execute(rest, inputs, engine)
