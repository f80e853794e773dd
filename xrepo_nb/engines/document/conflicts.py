"""Two changes of one update that meet: positions are known only where the update is applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query import updates as u
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.walk import is_position


def check_kinds(changes: Sequence[u.Change]) -> None:
    """Refuses paths that go on from one array both by `$[...]` and by a position or a name."""
    kinds: dict[Path, bool] = {}
    for change in changes:
        for end, name in enumerate(change.path):
            filtered = name.startswith("$[")
            if kinds.setdefault(change.path[:end], filtered) is not filtered:
                raise XRepoQueryError("the update changes one array in ways that conflict", at=change.at)


def may_meet(changes: Sequence[u.Change]) -> bool:
    """Whether two changes may turn out to be of one place, or one of a place within the other's."""
    return len(changes) > 1 and any(step[0] == "$" for change in changes for step in change.path)


class Touched:
    """The places in one document that an update has changed so far."""

    __slots__ = ("_tree",)

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def add(self, place: Path, at: str) -> None:
        """Enters a place; refuses it when it, or what it lies in, or what lies in it is there."""
        node = self._tree
        for step in place:
            if _END in node:
                _refuse(place, at)
            node = node.setdefault(step, {})
        if node:
            _refuse(place, at)
        node[_END] = True


_END = "\0"


def _refuse(place: Path, at: str) -> None:
    name = ".".join(place)
    raise XRepoQueryError(f"two changes of the update meet at {name!r}", at=at, asked=name)


def in_order(changes: Sequence[u.Change]) -> list[u.Change]:
    """The changes as they are applied: by the names on their paths, numbers as numbers."""
    return sorted(changes, key=lambda change: [_rank(step) for step in change.path])


def _rank(step: str) -> tuple[int, int, str]:
    return (0, int(step), "") if is_position(step) else (1, 0, step)
