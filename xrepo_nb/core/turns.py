"""Taking turns: locks for tasks, of whatever event loop they run in."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary

from xrepo_nb.core.by_loop import ByLoop


class Turns:
    """Locks by key, one for each event loop, as two loops cannot share one.

    Tasks of one loop take turns; those of different loops do not wait for each other. A lock that
    nobody holds or waits for is forgotten, so that keys may come and go.

    >>> async def main():
    ...     turns = Turns()
    ...     async with turns.of("a"):
    ...         return turns.of("a").locked(), turns.of("b").locked()
    >>> asyncio.run(main())
    (True, False)
    """

    def __init__(self) -> None:
        self._locks: ByLoop[WeakValueDictionary[Hashable, asyncio.Lock]] = ByLoop(WeakValueDictionary)

    def of(self, key: Hashable = None) -> asyncio.Lock:
        """The lock of that key for tasks of the running loop."""
        return self._locks().setdefault(key, asyncio.Lock())
