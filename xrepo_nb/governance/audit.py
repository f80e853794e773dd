"""What happened: audit entries, and the log that keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, overload

from pydantic import BaseModel, Field

from xrepo_nb.core.errors import counted
from xrepo_nb.core.settings import settings
from xrepo_nb.governance.identity import Identity

Outcome = Literal["unknown", "applied", "failed", "denied"]


def _now() -> datetime:
    return datetime.now(UTC)


class AuditEntry(BaseModel):
    """One operation: who did what, when, and how it ended.

    `outcome` is `"unknown"` from the intent on until the operation ends. `changes` holds the
    names of changed fields with their new values for writes; `metadata` what an operation adds
    (`rows`, `fields`, `error`).
    """

    timestamp: datetime = Field(default_factory=_now)
    user_id: str | None = None
    operation: str
    entity_id: Any | None = None
    changes: dict[str, Any] | None = None
    outcome: Outcome = "applied"
    metadata: dict[str, Any] = Field(default_factory=dict)


class AuditLog(Sequence[AuditEntry]):
    """An immutable view of entries, oldest first; shows itself as a table in a notebook.

    Each entry that is taken from it is a copy: changing that leaves the log as it is.
    `dropped` counts older entries that the log no longer keeps in memory.
    """

    def __init__(self, entries: Sequence[AuditEntry], name: str = "", dropped: int = 0) -> None:
        self._entries = tuple(entries)
        self.name = name
        self.dropped = dropped

    @overload
    def __getitem__(self, index: int) -> AuditEntry: ...
    @overload
    def __getitem__(self, index: slice) -> AuditLog: ...
    def __getitem__(self, index: int | slice) -> AuditEntry | AuditLog:
        if isinstance(index, slice):
            return AuditLog(self._entries[index], self.name, self.dropped)
        return _handed_out(self._entries[index])

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AuditEntry]:
        return map(_handed_out, self._entries)

    def __repr__(self) -> str:
        more = f", {self.dropped} older dropped" if self.dropped else ""
        return f"AuditLog({self.name!r}, {counted(len(self), 'entry')}{more})"


def _handed_out(entry: AuditEntry) -> AuditEntry:
    return entry.model_copy(update={"changes": _own(entry.changes), "metadata": _own(entry.metadata)})


def _own(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A copy that shares no dict and no list with what may change later."""
    if given is None:
        return None
    try:
        return {name: _apart(value) for name, value in given.items()}
    except RecursionError:  # so deep that the operation itself will be refused
        return dict(given)


def _apart(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _apart(item) for name, item in value.items()}
    return [_apart(item) for item in value] if isinstance(value, list) else value


class AuditLogger:
    """Keeps the entries of one repo in memory, the newest `XSettings.audit_entries` of them."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self._entries: deque[AuditEntry] = deque(maxlen=settings().audit_entries)
        self._seen = 0

    def begin(
        self,
        operation: str,
        identity: Identity,
        entity_id: Any = None,
        changes: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Records the intent, before anything happens; `end` records how it went."""
        entry = AuditEntry(
            user_id=identity.user_id,
            operation=operation,
            entity_id=entity_id,
            changes=_own(changes),
            outcome="unknown",
        )
        self.record(entry)
        return entry

    def end(self, entry: AuditEntry, outcome: Outcome, **metadata: Any) -> None:
        """Records the outcome of what `begin` announced."""
        entry.outcome = outcome
        entry.metadata.update(metadata)

    def record(self, entry: AuditEntry) -> None:
        """Adds an entry."""
        self._seen += 1
        self._entries.append(entry)

    async def log(self, entry: AuditEntry) -> None:
        """Adds an entry; the specification's form of `record`."""
        self.record(entry)

    @property
    def entries(self) -> AuditLog:
        """All entries kept, oldest first."""
        name = getattr(getattr(self._repo, "metadata", None), "name", "")
        return AuditLog(tuple(self._entries), name, self._seen - len(self._entries))
