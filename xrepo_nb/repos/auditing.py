"""Who may read the log of what happened, and change the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from xrepo_nb.core.errors import XRepoPermissionError, XRepoQueryError
from xrepo_nb.governance.acl import ACLManager
from xrepo_nb.governance.audit import AuditEntry, AuditLog, Outcome
from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.rules import ACLRule, Permission, parsed_rules
from xrepo_nb.repos.asking import bounded

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


def as_changes(data: Any) -> dict[str, Any] | None:
    """What a write was asked to do, as an audit entry keeps it."""
    if isinstance(data, Mapping):
        return dict(data)
    if isinstance(data, BaseModel):
        return data.model_dump(exclude_unset=True)
    return {"pipeline": list(data)} if isinstance(data, list | tuple) else None


def visible_entries(repo: XRepo[Any], identity: Identity) -> AuditLog:
    """The entries that the identity may read: all of them for an administrator, else its own."""
    if repo._audit_logger is None:
        return AuditLog((), repo.metadata.name)
    log = repo._audit_logger.entries
    if repo._policy(identity).is_admin:
        return log
    return AuditLog([entry for entry in log if entry.user_id == identity.user_id], log.name)


def matching_entries(
    repo: XRepo[Any], filters: Any, limit: int | None, identity: Identity
) -> list[AuditEntry]:
    """The newest `limit` visible entries that match, newest last."""
    entries = list(visible_entries(repo, identity))
    if filters:
        from xrepo_nb.engines.document import compile_predicate
        from xrepo_nb.query.parsing import parse_filter
        from xrepo_nb.query.walk import paths_of

        known = tuple(AuditEntry.model_fields)
        predicate = parse_filter(filters, fields=known)
        unknown = next((path[0] for path in paths_of(predicate) if path and path[0] not in known), None)
        if unknown is not None:
            raise XRepoQueryError(f"unknown field {unknown!r} of an audit entry", asked=unknown, exists=known)
        matches = compile_predicate(predicate)
        entries = [entry for entry in entries if matches(entry.model_dump())]
    kept = len(entries) if limit is None else min(bounded(limit, "limit"), len(entries))
    return entries[len(entries) - kept :]


def replace_rules(repo: XRepo[Any], rules: Sequence[Any], identity: Identity) -> None:
    """Puts other access rules in force; needs ADMIN once there are any. An entry of the log, as all else."""
    with _noted(repo, "set_rules", identity) as details:
        if repo._acl_manager is not None and repo._acl_manager.rules:
            repo._acl_manager.require(Permission.ADMIN, identity)
        parsed = parsed_rules(rules)
        _put(repo, parsed)
        details["rules"] = len(parsed)


@contextmanager
def _noted(repo: XRepo[Any], operation: str, identity: Identity) -> Iterator[dict[str, Any]]:
    """Records the intent, and at the end of the block the outcome with the details it gave."""
    logger, details = repo._audit_logger, dict[str, Any]()
    entry = None if logger is None else logger.begin(operation, identity)
    outcome: Outcome = "failed"
    try:
        yield details
        outcome = "applied"
    except XRepoPermissionError:
        outcome = "denied"
        raise
    finally:
        if logger is not None and entry is not None:
            logger.end(entry, outcome, **details)


def _put(repo: XRepo[Any], parsed: list[ACLRule]) -> None:
    if repo._acl_manager is None:
        repo._acl_manager = ACLManager(repo, parsed)
    else:
        repo._acl_manager.rules = tuple(parsed)
    repo.metadata.acl_rules = parsed
    if repo._cache is not None:
        repo._cache.invalidate()
