"""Taking turns: locks for tasks, of whatever event loop they run in."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from xrepo_nb.core.by_loop import ByLoop
from xrepo_nb.core.errors import XRepoTimeoutError
from xrepo_nb.core.settings import settings

_PAUSE = 0.001
"""Seconds between two looks whether a task of another loop is done."""


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


class SharedTurns:
    """As `Turns`, but tasks of all event loops of the process take turns.

    Those of one loop are woken in order; between loops each looks now and then.

    >>> async def main():
    ...     turns = SharedTurns()
    ...     async with turns.of("a"):
    ...         return await asyncio.to_thread(asyncio.run, other(turns))
    >>> async def other(turns):
    ...     async with turns.of("b"):
    ...         return "b is free"
    >>> asyncio.run(main())
    'b is free'
    """

    def __init__(self) -> None:
        self._turns = Turns()
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()
        self._known = threading.Lock()

    @asynccontextmanager
    async def of(self, key: Hashable = None) -> AsyncIterator[None]:
        """Within the block no other task is within one of the same key.

        Raises `XRepoTimeoutError` when another loop does not let go within `XSettings.timeout`.
        """
        async with self._turns.of(key):
            lock = self._lock(key)
            await _acquired(lock)
            try:
                yield
            finally:
                lock.release()

    def _lock(self, key: Hashable) -> threading.Lock:
        found = self._locks.get(key)
        if found is None:
            with self._known:
                found = self._locks.setdefault(key, threading.Lock())
        return found


async def _acquired(lock: threading.Lock) -> None:
    """Not in a thread: those that wait would take the threads that the holder needs to end."""
    deadline = time.monotonic() + settings().timeout
    while not lock.acquire(blocking=False):
        if time.monotonic() > deadline:
            raise XRepoTimeoutError(
                f"writes of another event loop took longer than {settings().timeout} s", hint="try again"
            )
        await asyncio.sleep(_PAUSE)
