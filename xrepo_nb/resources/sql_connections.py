"""The connections of a SQL source: leased for one operation each, and interrupted when it is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from xrepo_nb.core.errors import XRepoTimeoutError
from xrepo_nb.core.offload import ended, offload

T = TypeVar("T")

_IDLE = 4
"""Connections kept for the next operation."""
_KNOCK = 0.05
"""Seconds between two interrupts of a driver that has not let go: one before its statement began is lost."""


class Connections:
    """Connections by lease: several operations have one each, and a few wait for the next.

    `new` makes one, and blocks; while `is_open` is False none is kept.
    """

    def __init__(self, new: Callable[[], Any]) -> None:
        self.is_open = False
        self._new = new
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[Any]:
        """A connection for the block, free again at its end; closed when the block fails, as an interrupt
        may have left it within a transaction."""
        connection = self._taken() or await self._opened()
        try:
            yield connection
        except BaseException:
            await offload(connection.close)
            raise
        if not self._kept(connection):
            await offload(connection.close)

    def close(self) -> None:
        """Closes those that wait; those under lease close at its end. Blocking."""
        with self._lock:
            self.is_open = False
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _taken(self) -> Any | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _kept(self, connection: Any) -> bool:
        with self._lock:
            keep = self.is_open and len(self._idle) < _IDLE
            if keep:
                self._idle.append(connection)
        return keep

    async def _opened(self) -> Any:
        """A new connection; closed again when the caller has left before it came."""
        opening = asyncio.ensure_future(offload(self._new))
        try:
            await ended(opening)
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:
                await offload(opening.result().close)
            raise
        return opening.result()


async def interruptible(connection: Any, work: Callable[[], T], patience: float, name: str) -> T:
    """Runs blocking `work` on the connection; leaves only when the driver is done with it.

    Raises `XRepoTimeoutError` after `patience` seconds, naming the source by `name`.
    """
    task = asyncio.ensure_future(offload(work))
    try:
        await asyncio.wait({task}, timeout=patience)
    except asyncio.CancelledError:
        await ended(task, connection.interrupt, _KNOCK)
        raise
    if not task.done():
        await ended(task, connection.interrupt, _KNOCK)
        raise XRepoTimeoutError(
            f"{name} gave no answer within {patience} s", hint="allow more time by timeout=, or ask for less"
        )
    return task.result()
