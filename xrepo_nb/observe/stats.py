"""Statistics: how much a repo holds, how much it changed today, how fast it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel, Field


class RepoStats(BaseModel):
    """Statistics of a repo. Days are UTC; `query_performance` is operation -> mean milliseconds.

    Counts are of this process's operations; `total_count` and `field_cardinalities` are of the
    rows and fields visible to whoever asked, as of the last `get_statistics`; rows in memory are
    counted at once. `total_count` is not among `model_fields_set` where nobody has counted.
    """

    total_count: int = 0
    created_today: int = 0
    updated_today: int = 0
    deleted_today: int = 0
    field_cardinalities: dict[str, int] = Field(default_factory=dict)
    storage_size_bytes: int | None = None
    index_stats: dict[str, Any] = Field(default_factory=dict)
    query_performance: dict[str, float] = Field(default_factory=dict)


@dataclass(slots=True)
class Timing:
    """Calls of one operation: how many, and their milliseconds in all."""

    calls: int = 0
    total_ms: float = 0.0

    @property
    def mean_ms(self) -> float:
        """The mean, 0.0 before the first call."""
        return self.total_ms / self.calls if self.calls else 0.0


@dataclass(slots=True)
class _Today:
    day: date
    counts: dict[str, int] = field(default_factory=dict)


CHANGES = {
    "create": "created_today",
    "bulk_create": "created_today",
    "update": "updated_today",
    "bulk_update": "updated_today",
    "delete": "deleted_today",
    "bulk_delete": "deleted_today",
}
"""The operations that change rows, and what each counts as."""


class StatsCollector:
    """Counts and times the operations of one repo; a record costs about a microsecond."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self.timings: dict[str, Timing] = {}
        self._today = _Today(datetime.now(UTC).date())

    def record(self, operation: str, duration_ms: float, changed: int = 0) -> None:
        """Adds one call; `changed` rows count towards today's changes."""
        timing = self.timings.get(operation)
        if timing is None:
            timing = self.timings[operation] = Timing()
        timing.calls += 1
        timing.total_ms += duration_ms
        if changed and operation in CHANGES:
            counts = self._counts()
            name = CHANGES[operation]
            counts[name] = counts.get(name, 0) + changed

    async def record_operation(self, operation: str, duration_ms: float) -> None:
        """Adds one call; the specification's form of `record`."""
        self.record(operation, duration_ms, changed=1 if operation in CHANGES else 0)

    def _counts(self) -> dict[str, int]:
        today = datetime.now(UTC).date()
        if today != self._today.day:
            self._today = _Today(today)
        return self._today.counts

    def snapshot(self, **known: Any) -> RepoStats:
        """The statistics so far, with what the repo knows besides. No I/O."""
        performance = {name: timing.mean_ms for name, timing in self.timings.items()}
        return RepoStats(query_performance=performance, **(self._counts() | known))
