"""Generators that were left half way, and the end of their event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from xrepo_nb.core.closing import closing


def test_a_loop_that_ends_closes_what_was_left_half_way() -> None:
    freed: list[str] = []
    errors: list[dict[str, Any]] = []

    async def inner() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.01)
            freed.append("inner")

    async def outer() -> AsyncIterator[int]:
        async with closing(inner()) as items:
            async for item in items:
                yield item
        freed.append("never")

    async def leave() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        left = outer()
        await anext(left)
        return left

    left = asyncio.run(leave())
    assert freed == ["inner"]
    assert not [error for error in errors if error["asyncgen"] is left]
