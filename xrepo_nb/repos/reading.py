"""The way of a read: from what is asked to the rows that the caller may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.offload import offload
from xrepo_nb.governance.identity import Identity, resolve
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
    from xrepo_nb.repos.foundation import RepoFoundation

DELETED_AT = "deleted_at"


def matching(repo: XRepo[Any], filters: Any, operation: Operation) -> Plan:
    """The repo's rows that match the filters."""
    scan = Scan(repo.metadata.name)
    if isinstance(filters, dict | None) and not filters:
        return scan
    from xrepo_nb.query.parsing import parse_filter

    schema = repo._schema_for(operation.identity)
    known = seen(repo, schema, operation.policy, _reading(operation)).names
    predicate = parse_filter(repo._translated(filters, operation.identity), fields=known)
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


@dataclass(frozen=True, slots=True)
class Window:
    """Which of the matching rows are wanted, in which order."""

    sort: Any = None
    skip: int = 0
    limit: int | None = None


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
    hide_id = () if ("_id",) in paths else ((("_id",), False),)
    return Project(plan, (*((path, True) for path in paths), *hide_id), inclusive=True)


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
    scope = await opened(reached, operation)
    plan = checked(plan, scope)
    governed, scope = await narrowed(plan, scope)
    cache = repo._cache if len(reached) == 1 else None
    if cache is None:
        return await run(governed, scope, engine)
    from xrepo_nb.query.fingerprint import fingerprint

    key, generation = f"{engine}:{repo._policy_key(scope.identity)}:{fingerprint(governed)}", cache.generation
    found = await cache.get(key)
    if found is not None:
        return Answer(found.table, found.engine, cached=True)
    made = await run(governed, scope, engine)
    await cache.put(key, made, generation)
    return made


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan reads, by the names of its scans, and for whom."""

    identity: Identity
    permission: Permission
    repos: Mapping[str, XRepo[Any]]
    opened: Mapping[str, Opened]
    policies: Mapping[str, Policy]


async def opened(reached: Mapping[str, XRepo[Any]], operation: Operation) -> Scope:
    """The scope over these repos, each opened once, for the operation's caller."""
    identity = operation.identity
    policies = {
        name: operation.policy if repo is operation.repo else policy_of(repo, identity)
        for name, repo in reached.items()
    }
    found = {name: await repo._open(identity) for name, repo in reached.items()}
    return Scope(identity, _reading(operation), reached, found, policies)


def policy_of(repo: RepoFoundation, identity: Identity) -> Policy:
    """What the repo's rules leave to the identity, which must be allowed to list it."""
    if repo._acl_manager is None:
        return OPEN
    repo._acl_manager.require(Permission.LIST, identity)
    return repo._acl_manager.policy(identity)


def checked(plan: Plan, scope: Scope) -> Plan:
    """The plan with constants as their fields ask; refused when it names fields that the caller cannot
    see, as ones that do not exist."""
    visible = {
        name: seen(repo, scope.opened[name].schema, scope.policies[name], scope.permission)
        for name, repo in scope.repos.items()
    }
    if isinstance(plan, Scan) or not all(schema.fields for schema in visible.values()):
        return plan
    from xrepo_nb.query.check import check_fields
    from xrepo_nb.query.typing.comparable import with_moments

    plan = with_moments(plan, visible)
    check_fields(plan, visible)
    return plan


async def narrowed(plan: Plan, scope: Scope) -> tuple[Plan, Scope]:
    """The plan with each scan cut down to what rules and deletions leave, down to the sources of views."""
    plan = _governed(plan, scope)
    defined = {name: found for name, found in scope.opened.items() if found.plan is not None}
    for name, found in defined.items():
        assert found.plan is not None
        inner, below = await _definition(name, found, scope)
        plan = replaced_scan(plan, name, inner)
        scope = Scope(
            scope.identity,
            scope.permission,
            {**{n: r for n, r in scope.repos.items() if n != name}, **below.repos},
            {**{n: o for n, o in scope.opened.items() if n != name}, **below.opened},
            {**{n: p for n, p in scope.policies.items() if n != name}, **below.policies},
        )
    return plan, scope


def replaced_scan(plan: Plan, name: str, other: Plan) -> Plan:
    """The plan with `other` in the place of the scan of that name."""
    return plan.transform(lambda node: other if node == Scan(name) else node)


async def _definition(name: str, found: Opened, scope: Scope) -> tuple[Plan, Scope]:
    """A view's own plan over its sources' governed scans, under labels that no other scan has."""
    label = {source: f"{name}/{source}" for source in found.sources}
    assert found.plan is not None
    plan = found.plan.transform(lambda node: Scan(label[node.source]) if isinstance(node, Scan) else node)
    repos = {label[source]: repo for source, repo in found.sources.items()}
    policies = {key: policy_of(repo, scope.identity) for key, repo in repos.items()}
    below = {key: await repo._open(scope.identity) for key, repo in repos.items()}
    return await narrowed(plan, Scope(scope.identity, Permission.LIST, repos, below, policies))


def _governed(plan: Plan, scope: Scope) -> Plan:
    if any(policy is not OPEN for policy in scope.policies.values()):
        plan = govern(plan, scope.policies, scope.permission)
    marked = {n: repo for n, repo in scope.repos.items() if repo._marks_deleted(scope.opened[n].schema)}
    return plan.transform(lambda node: _alive(node, marked)) if marked else plan


def _reading(operation: Operation) -> Permission:
    """The permission that its reads need: a point read's own, else that to list."""
    return operation.permission if operation.permission is Permission.READ else Permission.LIST


def seen(
    repo: RepoFoundation, schema: Schema, policy: Policy, permission: Permission = Permission.LIST
) -> Schema:
    """The schema as the policy shows it, without the repo's own mark of deleted rows."""
    if repo._hides_mark(schema):
        schema = schema.select(name for name in schema.names if name != DELETED_AT)
    return schema if policy is OPEN else policy.visible(schema, permission)


def visible_schema(repo: RepoFoundation, identity: Identity) -> Schema:
    """The schema that the identity sees, for listing or reading; empty when it may do neither."""
    policy = OPEN if repo._acl_manager is None else repo._acl_manager.policy(identity)
    for permission in (Permission.LIST, Permission.READ):
        if permission in policy.grants:
            return seen(repo, repo._schema_for(identity), policy, permission)
    return repo._schema.select(())


def _alive(node: Plan, marked: Mapping[str, XRepo[Any]]) -> Plan:
    """A scan without the rows marked as deleted."""
    repo = marked.get(node.source) if isinstance(node, Scan) else None
    if repo is None:
        return node
    living = Match(node, Compare((DELETED_AT,), "$eq", None))
    return Unset(living, ((DELETED_AT,),)) if repo._hides_mark() else living


async def page(
    repo: XRepo[Any], matches: Plan, window: Window, operation: Operation, engine: str
) -> tuple[Answer, int]:
    """The rows of a window, and how many match in all."""
    if repo._is_small():
        return await _cut(repo, matches, window, operation, engine)
    plan = windowed(matches, window.sort, window.skip, window.limit)
    found = await answer(repo, plan, operation, engine=engine)
    rows = len(found.table)
    if window.limit is None or (rows < window.limit and (rows or not window.skip)):
        return found, window.skip + rows
    return found, await count(repo, matches, operation, engine)


async def _cut(
    repo: XRepo[Any], matches: Plan, window: Window, operation: Operation, engine: str
) -> tuple[Answer, int]:
    """As `page`, in one query: where there are few rows, all matches cost no more than counting them."""
    found = await answer(repo, windowed(matches, window.sort, 0, None), operation, engine=engine)
    table, total = found.table, len(found.table)
    start = bounded(window.skip, "skip")
    stop = total if window.limit is None else start + bounded(window.limit, "limit")
    if (start, stop) == (0, total):
        return found, total
    if table.is_frame:
        cut = Table(frame=table.frame.slice(start, stop - start), schema=table.schema)
    else:
        cut = Table(documents=table.documents[start:stop])
    return Answer(cut, found.engine, found.cached), total


async def count(repo: XRepo[Any], plan: Plan, operation: Operation, engine: str = "auto") -> int:
    """How many rows the plan gives, which are not made where that can be helped."""
    if isinstance(plan, Scan) and operation.policy is OPEN:
        table = (await repo._open(operation.identity)).table
        if table is not None and not table.is_lazy and not repo._marks_deleted(table.schema):
            return len(table)
    if repo._is_small():
        return len((await answer(repo, plan, operation, engine=engine)).table)
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
    scope = await opened({repo.metadata.name: repo}, operation)
    plan = checked(plan, scope)
    plan, scope = await narrowed(plan, scope)
    if all(found.table is None for found in scope.opened.values()) and len(scope.repos) == 1:
        async for table in next(iter(scope.repos.values()))._stream(plan, size):
            yield table
        return
    rest, inputs = await gather(plan, scope.opened, scope.repos)
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


def glimpse(repo: XRepo[Any], found: Opened, n: int | None) -> Table:
    """Up to `n` rows, at hand as `found`, for whoever acts now; not recorded."""
    identity, name = resolve(), repo.metadata.name
    scope = Scope(identity, Permission.LIST, {name: repo}, {name: found}, {name: policy_of(repo, identity)})
    plan = _governed(windowed(Scan(name), None, 0, n), scope)
    assert found.table is not None
    return found.table if isinstance(plan, Scan) else run_now(plan, {name: found.table})


async def lazily(repo: XRepo[Any], operation: Operation) -> Table | None:
    """The rows that the caller may see, unread; None where Polars cannot run that."""
    from xrepo_nb.engines.polars import PolarsEngine, lower

    scope = await opened({repo.metadata.name: repo}, operation)
    plan, scope = await narrowed(Scan(repo.metadata.name), scope)
    inputs = {name: found.table for name, found in scope.opened.items() if found.table is not None}
    if len(inputs) < len(scope.opened) or PolarsEngine().supports(plan, inputs) is not None:
        return None
    lazy, schema = lower(plan, inputs)
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
