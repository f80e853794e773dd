"""Blocking work in threads, and callers that leave before it has ended."""

from __future__ import annotations

import asyncio
import threading

import pytest

from xrepo_nb.core.offload import offload_whole


@pytest.mark.parametrize("times", [1, 3])
async def test_a_caller_leaves_when_the_work_is_whole_however_often_it_is_cancelled(times: int) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(10)
        done.set()

    task = asyncio.ensure_future(offload_whole(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_what_the_work_gives_or_raises_is_handed_on() -> None:
    assert await offload_whole(sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        await offload_whole(lambda: 1 / 0)
