"""The in-process cache backend."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from fnmatch import translate
from re import compile as compile_pattern
from typing import Any


class InMemoryRepo:
    """Keys to live objects, with an optional time to live; beyond `max_entries` the least recently
    used goes. Nothing is copied: what is put in is what comes out.

    >>> import asyncio
    >>> async def main():
    ...     store = InMemoryRepo()
    ...     await store.set("ns.models.User", int)
    ...     return await store.get("ns.models.User"), await store.keys("ns.*")
    >>> asyncio.run(main())
    (<class 'int'>, ['ns.models.User'])
    """

    def __init__(self, max_entries: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._values: OrderedDict[str, tuple[Any, float | None]] = OrderedDict()
        self._max_entries = max_entries
        self._clock = clock

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` when there is none or its time is over."""
        found = self._values.get(key)
        if found is None or self._expired(key, found[1]):
            return default
        self._values.move_to_end(key)
        return found[0]

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Puts a value, for `ttl` seconds or until it is removed."""
        self._values[key] = (value, None if ttl is None else self._clock() + ttl)
        self._values.move_to_end(key)
        while self._max_entries is not None and len(self._values) > self._max_entries:
            self._values.popitem(last=False)

    async def delete(self, key: str) -> bool:
        """Removes a key; whether it was there."""
        return self._values.pop(key, None) is not None

    async def keys(self, pattern: str = "*") -> list[str]:
        """The keys that match a shell-style pattern, sorted; case counts."""
        matches = compile_pattern(translate(pattern)).match
        live = [key for key, (_, end) in list(self._values.items()) if not self._expired(key, end)]
        return sorted(key for key in live if matches(key))

    async def clear(self) -> None:
        """Removes everything."""
        self._values.clear()

    async def close(self) -> None:
        """Nothing to free."""

    def _expired(self, key: str, end: float | None) -> bool:
        if end is None or self._clock() < end:
            return False
        self._values.pop(key, None)
        return True
