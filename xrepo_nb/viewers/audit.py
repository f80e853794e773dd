"""The audit log: who did what, when, and how it ended; newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from xrepo_nb.core.errors import counted
from xrepo_nb.governance.audit import AuditEntry, AuditLog
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.parts import grid, heading, note
from xrepo_nb.viewers.values import show

ENTRIES = 25
DETAILS = 8
"""Changes and facts of an entry that are shown."""

_TONES = {"applied": "xr-good", "failed": "xr-bad", "denied": "xr-bad", "unknown": "xr-null"}


@dataclass(frozen=True, repr=False)
class AuditView(View):
    """The newest entries of a log, in the order they are shown."""

    entries: Sequence[AuditEntry]
    total: int
    name: str = ""
    dropped: int = 0

    @classmethod
    def of(cls, log: Sequence[AuditEntry], *, entries: int = ENTRIES) -> AuditView:
        """The last `entries` of a log that has its newest at the end."""
        newest = [log[index] for index in range(len(log) - 1, max(-1, len(log) - 1 - entries), -1)]
        if isinstance(log, AuditLog):
            return cls(newest, len(log), log.name, log.dropped)
        return cls(newest, len(log))

    @classmethod
    def of_entry(cls, entry: AuditEntry) -> AuditView:
        """One entry by itself."""
        return cls([entry], 1)

    def body(self) -> Html:
        headers = ["when (UTC)", "who", "operation", "outcome", "record", "details"]
        table = grid(headers, map(_row, self.entries), "audit log, newest first")
        facts = counted(self.total, "entry")
        return join([heading("audit log", self.name, facts), table, note(self.caption())])

    def caption(self) -> str:
        """Which entries are shown."""
        shown = len(self.entries)
        if not shown:
            return "nothing happened yet"
        text = f"newest {shown:,} of {self.total:,}, newest first" if shown < self.total else "newest first"
        return text + (f"; {self.dropped:,} older ones are no longer kept" if self.dropped else "")

    def to_text(self) -> str:
        lines = [f"audit log {self.name}".rstrip() + f": {counted(self.total, 'entry')}"]
        lines += [
            f"{_when(entry)}  {entry.user_id or 'anonymous'}  {entry.operation}  {entry.outcome}"
            for entry in self.entries
        ]
        return "\n".join(lines)


def _when(entry: AuditEntry) -> str:
    return entry.timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _row(entry: AuditEntry) -> tuple[Html, ...]:
    stamp = entry.timestamp.astimezone(UTC)
    return (
        tag("td", tag("time", _when(entry), datetime=stamp.isoformat(), title=show(stamp).text)),
        _named(entry.user_id, tag("span", "anonymous", class_="xr-null")),
        tag("td", show(entry.operation).text),
        tag("td", entry.outcome, class_=_TONES.get(entry.outcome)),
        _named(entry.entity_id, None),
        _details(entry),
    )


def _named(name: Any, absent: Html | None) -> Html:
    """Who or which record: a long name is cut, so that what happened stays in sight."""
    if name is None:
        return tag("td", absent)
    said = show(name)
    return tag("td", said.text, class_="xr-id", title=said.full or said.text)


def _details(entry: AuditEntry) -> Html:
    said = list((dict(entry.changes or {}) | dict(entry.metadata)).items())
    if not said:
        return tag("td")
    parts = [
        tag("span", tag("span", f"{name} ", class_="xr-null"), show(value).text)
        for name, value in said[:DETAILS]
    ]
    spaced = [part if index == 0 else join([", ", part]) for index, part in enumerate(parts)]
    more = f" and {len(said) - DETAILS} more" if len(said) > DETAILS else None
    return tag("td", spaced, more, class_="xr-wrap xr-wide")
