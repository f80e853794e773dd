"""Running plans over tables off the loop: shared by the sources that hold their own rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from xrepo_nb.core.offload import offload
from xrepo_nb.engines.select import choose
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.schema.table import Table

T = TypeVar("T")
_END = object()


async def run(request: ScanRequest, table: Table) -> AsyncIterator[Table]:
    """The rows of the request's plan over `table`, in batches, each computed in a thread."""
    inputs = dict.fromkeys(request.plan.sources(), table)
    engine = await offload(choose, request.plan, inputs)
    stream = engine.stream(request.plan, inputs, request.batch_size)
    async for batch in in_threads(stream):
        yield batch


async def in_threads(items: Iterator[T]) -> AsyncIterator[T]:
    """A blocking iterator as an asynchronous one; each step runs in a thread.

    When the consumer stops early or is cancelled, a step under way ends before the iterator is
    closed, so that its files and locks are freed.
    """
    step: asyncio.Task[object] | None = None
    try:
        while True:
            step = asyncio.ensure_future(offload(next, items, _END))
            item = await asyncio.shield(step)
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        if step is not None and not step.done():
            await asyncio.wait([step])
        close = getattr(items, "close", None)
        if close is not None:
            await offload(close)
