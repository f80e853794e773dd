"""One operation of one caller: permitted or denied, timed, audited, told to the listeners."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoConnectionError, XRepoPermissionError
from xrepo_nb.governance.audit import AuditEntry, Outcome
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.policy import OPEN, Grant, Policy
from xrepo_nb.governance.rules import Permission
from xrepo_nb.observe.events import Event

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo

_EVENTS: Final = {
    "create": "created",
    "bulk_create": "created",
    "restore": "created",
    "update": "updated",
    "bulk_update": "updated",
    "delete": "deleted",
    "bulk_delete": "deleted",
    "refresh": "refreshed",
}
_WRITES: Final = frozenset({Permission.CREATE, Permission.UPDATE, Permission.DELETE})


class Operation:
    """What every method of a repo does around its work, as an asynchronous context manager.

    Entering resolves the caller, refuses it with `XRepoPermissionError` when the rules do, and
    notes the intent; leaving notes the outcome, the time, and tells the listeners. The work sets
    `rows`, `ids` and `details` on the way.
    """

    __slots__ = (
        "_entry", "_started", "changes", "details", "duration_ms", "grant", "id", "identity", "ids",
        "model", "name", "permission", "policy", "repo", "rows",
    )  # fmt: skip

    def __init__(
        self,
        repo: XRepo[Any],
        name: str,
        permission: Permission,
        user: str | Identity | None = None,
        record_id: Any = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.repo = repo
        self.name = name
        self.permission = permission
        self.identity = resolve(user)
        self.id = record_id
        self.changes = changes
        self.policy: Policy = OPEN
        self.grant: Grant = OPEN.grants[permission]
        self.model = repo._model_class
        self.rows = 0
        self.ids: tuple[Any, ...] = () if record_id is None else (record_id,)
        self.details: dict[str, Any] = {}
        self.duration_ms = 0.0
        self._entry: AuditEntry | None = None

    async def __aenter__(self) -> Operation:
        self._started = perf_counter()
        _check_names(self.changes)
        logger = self.repo._audit_logger
        if logger is not None:
            self._entry = logger.begin(self.name, self.identity, self.id, self.changes)
        acl = self.repo._acl_manager
        if acl is not None:
            try:
                self.policy = acl.policy(self.identity)
                self.grant = acl.require(self.permission, self.identity)
                if self.policy is not OPEN and self.repo._infers:
                    from xrepo_nb.repos.narrowing import prepare

                    await prepare(self)
            except BaseException as error:
                self._finish(error)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(error)
        if error is None:
            self._tell()
        elif self._outcome(error) == "unknown" or (self.rows and self.permission in _WRITES):
            self._forget()

    def _finish(self, error: BaseException | None) -> None:
        repo = self.repo
        self.duration_ms = (perf_counter() - self._started) * 1000
        if self._entry is not None and repo._audit_logger is not None:
            if self._entry.entity_id is None and len(self.ids) == 1:
                self._entry.entity_id = self.ids[0]
            failure = {"error": type(error).__name__} if error is not None else {}
            repo._audit_logger.end(
                self._entry, self._outcome(error), rows=self.rows, **self.details, **failure
            )
        if repo._stats_collector is not None:
            repo._stats_collector.record(self.name, self.duration_ms, self.rows)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if error is None:
            return "applied"
        if isinstance(error, XRepoPermissionError):
            return "denied"
        cut_off = isinstance(error, XRepoConnectionError) or not isinstance(error, Exception)
        return "unknown" if cut_off and self.permission in _WRITES else "failed"

    def _forget(self) -> None:
        """A write that was cut off, or failed when some rows were written, may have taken effect: nothing
        that was kept of the rows is trusted."""
        if self.repo._cache is not None:
            self.repo._cache.invalidate()
        self.repo.events.emit(Event("refreshed", self.repo.metadata.name))

    def _tell(self) -> None:
        repo, name = self.repo, _EVENTS.get(self.name, "read")
        if repo.events.wants(name) and (name in ("read", "refreshed") or self.rows):
            repo.events.emit(
                Event(name, repo.metadata.name, self.identity.user_id, self.ids, self.rows, self.duration_ms)
            )


def _check_names(changes: Any) -> None:
    """Refuses changes of fields whose names are not text."""
    if isinstance(changes, Mapping) and not all(isinstance(name, str) for name in changes):
        raise XRepoConfigurationError("the names of fields are text", hint="write them as strings")
