"""A dict that does not grow without end."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V]):
    """What was made for each key, to be made again when it is not there: at `most` entries, a new
    one puts out all others.

    >>> made = Bounded(2)
    >>> made["a"], made["b"], made["c"] = 1, 2, 3
    >>> made
    {'c': 3}
    """

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.most and key not in self:
            self.clear()
        super().__setitem__(key, value)
