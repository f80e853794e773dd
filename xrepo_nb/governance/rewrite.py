"""The one place where rules meet a query: every scan is rewritten by its policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xrepo_nb.core.errors import XRepoPermissionError
from xrepo_nb.governance.policy import OPEN, Grant, Policy
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.plan import AddFields, Match, Plan, Project, Scan, Unset
from xrepo_nb.query.predicates import EVERYTHING


def govern(
    plan: Plan,
    policies: Mapping[str, Policy],
    permission: Permission = Permission.LIST,
) -> Plan:
    """The plan with every scan narrowed to what its policy shows.

    A scan becomes Match(rows), then masks, then the visible fields only, so that nothing above it
    can tell a hidden field from one that does not exist. A scan without a policy is refused.
    """

    def narrow(node: Plan) -> Plan:
        if not isinstance(node, Scan):
            return node
        policy = policies.get(node.source)
        if policy is None:
            raise XRepoPermissionError(
                f"no policy for {node.source!r}", asked=node.source, exists=sorted(policies)
            )
        return node if policy is OPEN else governed(node, policy.grant(permission))

    return plan.transform(narrow)


def governed(scan: Plan, grant: Grant) -> Plan:
    """The scan as the grant shows it."""
    plan = scan
    if grant.rows != EVERYTHING:
        plan = Match(plan, grant.rows)
    if grant.masks:
        plan = AddFields(plan, grant.masks)
    if grant.fields.allow is not None:
        plan = Project.only(plan, _outermost(grant.fields.allow))
    if grant.fields.deny:
        plan = Unset(plan, _outermost(grant.fields.deny))
    return plan


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths, without those that lie below another one."""
    given = frozenset(paths)
    return tuple(sorted(p for p in given if not any(p[:n] in given for n in range(1, len(p)))))
