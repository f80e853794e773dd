"""Blocking iterators in threads: late and leaving consumers, and what they leave behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest

from xrepo_nb.core.errors import XRepoTimeoutError
from xrepo_nb.query.plan import Scan
from xrepo_nb.resources.base import ScanRequest
from xrepo_nb.resources.running import in_threads, run
from xrepo_nb.schema.table import Table


class Slow:
    """Numbers, each `pause` seconds after it is asked for; knows whether it was closed."""

    def __init__(self, pause: float = 0.0) -> None:
        self.closed, self.pause = threading.Event(), pause

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(100):
                time.sleep(self.pause)
                yield number
        finally:
            self.closed.set()


async def closed(slow: Slow) -> bool:
    return await asyncio.to_thread(slow.closed.wait, 5)


async def test_all_items_in_order_off_the_loop() -> None:
    slow = Slow()
    assert [item async for item in in_threads(slow())] == list(range(100))
    assert slow.closed.is_set()


async def test_a_consumer_that_stops_early_closes_the_iterator() -> None:
    slow = Slow()
    stream = in_threads(slow())
    assert await anext(stream) == 0
    await stream.aclose()  # type: ignore[attr-defined]
    assert slow.closed.is_set()


async def test_a_consumer_that_is_cancelled_does_not_wait_for_the_item() -> None:
    asked, given = threading.Event(), threading.Event()

    def waiting() -> Iterator[int]:
        asked.set()
        given.wait()
        yield 0

    async def consume() -> None:
        async for _ in in_threads(waiting()):
            pass

    task = asyncio.ensure_future(consume())
    await asyncio.to_thread(asked.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)
    given.set()


async def test_a_consumer_that_is_cancelled_closes_the_iterator() -> None:
    slow = Slow(0.1)
    stream = in_threads(slow())
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await closed(slow)


async def test_a_late_item_is_a_timeout() -> None:
    slow = Slow(0.3)
    with pytest.raises(XRepoTimeoutError, match=r"within 0\.05 s"):
        await anext(in_threads(slow(), 0.05))
    assert await closed(slow)


async def test_an_error_reaches_the_consumer() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        [item async for item in in_threads(failing())]


async def test_batches_of_a_plan() -> None:
    table = Table(frame=pl.DataFrame({"x": range(10)}))
    sizes = [len(batch) async for batch in run(ScanRequest(Scan("t"), batch_size=4), table)]
    assert sum(sizes) == 10 and len(sizes) > 1


def test_a_loop_may_end_with_a_stream_left_open() -> None:
    slow = Slow()

    async def main() -> None:
        async for _ in in_threads(slow()):
            break

    asyncio.run(main())
    assert slow.closed.is_set()
