"""What belongs to one event loop: locks and connections, which another loop cannot use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByLoop(Generic[T]):
    """One of its kind for each event loop, made when it is first asked for there.

    Those of closed loops are dropped when the next loop comes.

    >>> async def main(of):
    ...     return of() is of()
    >>> of = ByLoop(asyncio.Lock)
    >>> asyncio.run(main(of)), asyncio.run(main(of))
    (True, True)
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def __call__(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is None:
            for other in list(self._made):
                if other.is_closed():
                    self._made.pop(other, None)
            found = self._made[loop] = self._make()
        return found
