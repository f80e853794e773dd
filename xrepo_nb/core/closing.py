"""Ending asynchronous iterations where they are left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """At the end of the block the iterator has freed what it held, if it can be closed.

    An `async for` that is left early does not close a generator: its connection would be given
    back some time later, by a task of the garbage collector's.

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
    try:
        yield items
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
