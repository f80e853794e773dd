"""The mark of a soft deletion, and the rows without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xrepo_nb.query.plan import Match, Plan, Unset
from xrepo_nb.query.predicates import Compare

if TYPE_CHECKING:
    from xrepo_nb.repos.foundation import RepoFoundation

DELETED_AT = "deleted_at"
"""The field that marks a record as deleted."""


def living(repo: RepoFoundation, plan: Plan) -> Plan:
    """The plan's rows, of a repo that marks deleted ones, without those."""
    alive = Match(plan, Compare((DELETED_AT,), "$eq", None))
    return Unset(alive, ((DELETED_AT,),)) if repo._hides_mark() else alive
