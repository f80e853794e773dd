"""Ending asynchronous iterations where they are left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class closing(Generic[T]):
    """At the end of the block the iterator has freed what it held, if it can be closed.

    An `async for` that is left early does not close a generator: its connection would be given
    back some time later, by a task of the garbage collector's. No generator itself: a loop that ends
    closes all of those at once, this one before what it is to close.

    >>> import asyncio
    >>> async def numbers():
    ...     try:
    ...         yield 1
    ...     finally:
    ...         print("closed")
    >>> async def first():
    ...     async with closing(numbers()) as items:
    ...         return await anext(items)
    >>> asyncio.run(first())
    closed
    1
    """

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._items

    async def __aexit__(self, *error: object) -> None:
        close = getattr(self._items, "aclose", None)
        if close is not None and not getattr(self._items, "ag_running", False):  # else a loop that ends does
            await close()
