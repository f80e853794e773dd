"""Running plans over tables off the loop: shared by the sources that hold their own rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import polars as pl

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import XRepoTimeoutError, XRepoValidationError
from xrepo_nb.core.offload import offload
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.schema.table import Table

T = TypeVar("T")
_END: Any = object()
_closing: set[asyncio.Task[None]] = set()


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns the failure of a scan under way (a damaged page, a file gone) into ours."""
    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        message = f"the rows of {name!r} cannot be read to their end"
        raise XRepoValidationError(message, asked=name) from error


async def run(request: ScanRequest, table: Table) -> AsyncIterator[Table]:
    """The rows of the request's plan over `table`, in batches, each computed in a thread.

    Raises `XRepoTimeoutError` when a batch takes longer than the request allows.
    """
    async with closing(in_threads(_batches(request, table), request.timeout)) as batches:
        async for batch in batches:
            yield batch


def _batches(request: ScanRequest, table: Table) -> Iterator[Table]:
    from xrepo_nb.engines.select import choose

    inputs = dict.fromkeys(request.plan.sources(), table)
    yield from choose(request.plan, inputs).stream(request.plan, inputs, request.batch_size)


async def in_threads(items: Iterator[T], patience: float | None = None) -> AsyncIterator[T]:
    """A blocking iterator as an asynchronous one; each step runs in a thread, at most `patience` s.

    A consumer that is cancelled or too late leaves at once; the iterator is closed as soon as the
    step under way has ended, so that its files and locks are freed.
    """
    step = None
    try:
        while True:
            step = asyncio.ensure_future(offload(next, items, _END))
            done, _ = await asyncio.wait([step], timeout=patience)
            if not done:
                raise XRepoTimeoutError(
                    f"no rows came within {patience} s", hint="allow more time, or ask for less"
                )
            item = step.result()
            if item is _END:
                return
            yield item
    finally:
        if step is None or step.done():
            await _close(items)
        else:
            closing = asyncio.ensure_future(_close(items, step))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)


async def _close(items: Iterator[Any], step: asyncio.Future[Any] | None = None) -> None:
    if step is not None:
        await asyncio.wait([step])
        if not step.cancelled():
            step.exception()  # looked at, so that asyncio does not complain
    close = getattr(items, "close", None)
    if close is not None:
        await offload(close)
