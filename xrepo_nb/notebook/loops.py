"""Running coroutines from synchronous code: in a script, a thread, or a cell whose loop runs already."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import XRepoConfigurationError

R = TypeVar("R")


def run(work: Coroutine[Any, Any, R]) -> R:
    """The result of `work`, waited for here.

    Without a running loop it runs on one loop in a background thread, shared by all such calls
    and closed at exit, so that pools opened by one call serve the next. Inside a running loop (a
    notebook cell) it runs on that loop, which nest_asyncio2 makes re-entrant on first use.
    An interrupt cancels `work`.

    >>> async def double(number): return 2 * number
    >>> run(double(21))
    42
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _background().run(work)
    _allow_nesting(loop)
    return loop.run_until_complete(work)


def iterate(items: AsyncIterator[R]) -> Iterator[R]:
    """The items one by one, each fetched when asked for; stopping early closes the source."""

    async def following() -> tuple[R, ...]:
        try:
            return (await anext(items),)
        except StopAsyncIteration:
            return ()

    async def close() -> None:
        async with closing(items):
            pass

    try:
        while item := run(following()):
            yield item[0]
    finally:
        run(close())


class _Background:
    """A loop in a daemon thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="xrepo_nb", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()


@lru_cache(maxsize=1)
def _background() -> _Background:
    return _Background()


if hasattr(os, "register_at_fork"):  # a forked child has the loop, but not the thread that runs it
    os.register_at_fork(after_in_child=_background.cache_clear)


def _allow_nesting(loop: asyncio.AbstractEventLoop) -> None:
    import nest_asyncio2  # type: ignore[import-untyped]

    try:
        nest_asyncio2.apply(loop)
    except ValueError as error:
        raise XRepoConfigurationError(
            f"a running {type(loop).__name__} cannot be waited for from inside itself",
            asked=type(loop).__name__,
            hint="use the awaitable method: `await repo.list()`",
        ) from error
