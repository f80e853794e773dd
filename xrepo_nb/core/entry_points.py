"""What is found by name and imported when it is asked for: ours, and what other packages bring."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


def loaded(target: str) -> Any:
    """The object that `module:attribute` names; its module is imported now.

    >>> loaded("fractions:Fraction.limit_denominator").__name__
    'limit_denominator'
    """
    module, _, path = target.partition(":")
    return reduce(getattr, path.split("."), import_module(module))


class EntryPoints:
    """The objects of one group of entry points, by name.

    `own` is what our own entry points say, so that the usual names need no scan of the installed
    packages; that takes a few milliseconds, once.
    """

    def __init__(self, group: str, own: Mapping[str, str]) -> None:
        self.group = group
        self.own = own
        self._others: dict[str, str] | None = None

    def names(self) -> tuple[str, ...]:
        """All names, ours first. Scans the installed packages."""
        return (*self.own, *self._scanned())

    def load(self, name: str) -> Any:
        """The object of that name, None when there is none."""
        target = self.own.get(name) or self._scanned().get(name)
        return None if target is None else loaded(target)

    def forget(self) -> None:
        """Has the next look scan the installed packages anew."""
        self._others = None

    def _scanned(self) -> dict[str, str]:
        if self._others is None:
            found = entry_points(group=self.group)
            self._others = {point.name: point.value for point in found if point.name not in self.own}
        return self._others
