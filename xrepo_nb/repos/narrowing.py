"""What a caller may see: each scan of a plan cut down to what rules and deletions leave."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.policy import OPEN, Policy
from xrepo_nb.governance.rewrite import govern
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.repos.deletion import living
from xrepo_nb.repos.execution import Opened, free, replaced_scan
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.visible import Sight, is_generated
from xrepo_nb.schema.schema import Schema

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo
    from xrepo_nb.repos.foundation import RepoFoundation


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan reads, by the names of its scans, and for whom."""

    identity: Identity
    permission: Permission
    repos: Mapping[str, XRepo[Any]]
    opened: Mapping[str, Opened]
    policies: Mapping[str, Policy]

    def shown(self, name: str) -> Schema:
        """The schema of that scan as the caller sees it."""
        sight = Sight(self.repos[name], self.policies[name], self.permission)
        return sight.shown(self.opened[name].schema)

    def only(self, name: str) -> Scope:
        """The scope of that one scan."""
        return Scope(
            self.identity,
            self.permission,
            {name: self.repos[name]},
            {name: self.opened[name]},
            {name: self.policies[name]},
        )


async def opened(reached: Mapping[str, XRepo[Any]], operation: Operation) -> Scope:
    """The scope over these repos, each opened once, for the operation's caller."""
    identity = operation.identity
    policies = {
        name: operation.policy if repo is operation.repo else policy_of(repo, identity)
        for name, repo in reached.items()
    }
    permission = reads_by(operation)
    found = await _all_opened(reached, policies, permission, identity)
    return Scope(identity, permission, reached, found, policies)


async def _all_opened(
    repos: Mapping[str, XRepo[Any]],
    policies: Mapping[str, Policy],
    permission: Permission,
    identity: Identity,
) -> dict[str, Opened]:
    """Each repo opened as its policy shows it, several side by side."""
    ways = [_opened(Sight(repo, policies[name], permission), identity) for name, repo in repos.items()]
    found = [await ways[0]] if len(ways) == 1 else await asyncio.gather(*ways)
    return dict(zip(repos, found, strict=True))


async def _opened(sight: Sight, identity: Identity) -> Opened:
    found = await sight.repo._open(identity)
    return found if sight.policy is OPEN else await sight.opened(found)


async def prepared(repo: XRepo[Any], identity: Identity) -> None:
    """Makes known what the identity sees of the repo, which it must be allowed to list."""
    policy = policy_of(repo, identity)
    if policy is not OPEN:
        await _opened(Sight(repo, policy), identity)


def policy_of(repo: RepoFoundation, identity: Identity) -> Policy:
    """What the repo's rules leave to the identity, which must be allowed to list it."""
    if repo._acl_manager is None:
        return OPEN
    repo._acl_manager.require(Permission.LIST, identity)
    return repo._acl_manager.policy(identity)


def checked(plan: Plan, scope: Scope) -> Plan:
    """The plan with names and constants as their fields ask; refused when it names fields that the
    caller cannot see, as ones that do not exist."""
    visible = {name: scope.shown(name) for name in scope.repos}
    if isinstance(plan, Scan) or not all(schema.fields for schema in visible.values()):
        return plan
    from xrepo_nb.query.check import check_fields
    from xrepo_nb.query.naming import names_with_dots_of_all, with_names
    from xrepo_nb.query.typing.comparable import with_moments

    plan = with_moments(with_names(plan, names_with_dots_of_all(visible.values())), visible)
    check_fields(plan, visible)
    return plan


async def narrowed(plan: Plan, scope: Scope, taken: Collection[str] = ()) -> tuple[Plan, Scope]:
    """The plan with each scan cut down to what rules and deletions leave, down to the sources of views.

    `taken`: the names of scans around the plan.
    """
    plan, taken = governed(plan, scope), {*taken, *scope.repos}
    defined = {name: found for name, found in scope.opened.items() if found.plan is not None}
    for name, found in defined.items():
        assert found.plan is not None
        inner, below = await _definition(name, found, scope, taken)
        taken = {*taken, *below.repos}
        plan = replaced_scan(plan, name, inner)
        scope = Scope(
            scope.identity,
            scope.permission,
            {**{n: r for n, r in scope.repos.items() if n != name}, **below.repos},
            {**{n: o for n, o in scope.opened.items() if n != name}, **below.opened},
            {**scope.policies, **below.policies},
        )
    return plan, scope


async def _definition(name: str, found: Opened, scope: Scope, taken: Collection[str]) -> tuple[Plan, Scope]:
    """A view's own plan over its sources' governed scans, under labels that no other scan has."""
    label = {source: free(f"{name}/{source}", taken) for source in found.sources}
    assert found.plan is not None
    plan = found.plan.transform(lambda node: Scan(label[node.source]) if isinstance(node, Scan) else node)
    repos = {label[source]: repo for source, repo in found.sources.items()}
    policies = {key: policy_of(repo, scope.identity) for key, repo in repos.items()}
    below = await _all_opened(repos, policies, Permission.LIST, scope.identity)
    return await narrowed(plan, Scope(scope.identity, Permission.LIST, repos, below, policies), taken)


def governed(plan: Plan, scope: Scope) -> Plan:
    """The plan with each scan as its repo's own rules and deletions leave it."""
    left = {name: OPEN if scope.opened[name].narrowed else p for name, p in scope.policies.items()}
    if any(policy is not OPEN for policy in left.values()):
        plan = govern(plan, left, scope.permission)
    whole = {n: repo for n, repo in scope.repos.items() if not scope.opened[n].narrowed}
    marked = {n: repo for n, repo in whole.items() if repo._marks_deleted(scope.opened[n].schema)}
    return plan.transform(lambda node: _alive(node, marked)) if marked else plan


def reads_by(operation: Operation) -> Permission:
    """The permission that its reads need: a point read's own, else that to list."""
    return operation.permission if operation.permission is Permission.READ else Permission.LIST


def sight_of(operation: Operation) -> Sight:
    """What the operation's reads show of its own repo."""
    return Sight(operation.repo, operation.policy, reads_by(operation))


def visible_schema(repo: RepoFoundation, identity: Identity) -> Schema:
    """The schema that the identity sees, for listing or reading; empty when it may do neither."""
    policy = repo._policy(identity)
    for permission in _READS:
        if permission in policy.grants:
            sight = Sight(repo, policy, permission)
            return sight.shown(_indexed(repo, sight.schema(identity)))
    return Schema((), name=repo._schema.name)


def as_written(repo: RepoFoundation, policy: Policy) -> Schema | None:
    """The fields as a writer last saw them, where the rows tell their types; None where those are stated."""
    known = (Sight(repo, policy, permission).last() for permission in _READS)
    return next((schema for schema in known if schema is not None), None)


async def prepare(operation: Operation) -> None:
    """Makes known, before the operation begins, what its caller sees where the rows tell the types, and
    the class of his records."""
    repo, policy = operation.repo, operation.policy
    permission = next((p for p in (reads_by(operation), *_READS) if p in policy.grants), None)
    if permission is None or not repo._infers:
        return
    sight, listing = Sight(repo, policy, permission), operation.permission is Permission.LIST
    if listing or is_generated(repo._model_class) or sight.last() is None:
        await _opened(sight, operation.identity)
    operation.model = sight.model()


_READS = (Permission.LIST, Permission.READ)
"""What shows a caller rows, that of many first."""


async def current_schema(repo: XRepo[Any], operation: Operation) -> Schema:
    """The schema as the operation's caller sees it now."""
    if operation.policy is OPEN:
        return repo._schema
    sight = sight_of(operation)
    return sight.shown((await _opened(sight, operation.identity)).schema)


def _indexed(repo: RepoFoundation, schema: Schema) -> Schema:
    """The schema with the indexes that the repo's metadata declares besides those of its source."""
    declared = repo._constraints.indexes
    return schema.replace(indexes=(*schema.indexes, *declared)) if declared else schema


def _alive(node: Plan, marked: Mapping[str, XRepo[Any]]) -> Plan:
    """A scan without the rows marked as deleted."""
    repo = marked.get(node.source) if isinstance(node, Scan) else None
    return node if repo is None else living(repo, node)
