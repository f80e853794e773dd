"""Change: what a write comes to, once it is permitted and validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a change: its id, its whole new document (None: removed), the fields that differ.

    In `changed` a removed field has the value `MISSING`. `revision` is the state it was computed
    from, where the repo counts revisions; `version` what the field `version` must still be.
    """

    id: Any
    document: dict[str, Any] | None
    changed: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a repo is to apply, in the caller's order."""

    kind: Kind
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Current:
    """A record as it stands: the whole document, and its revision."""

    document: dict[str, Any]
    revision: int = 0


class Stale(Exception):
    """A record was changed since the change was computed: compute it again."""
