"""The redis cache backend: values as JSON, shared between processes."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from xrepo_nb.core.by_loop import ByLoop
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoConnectionError, XRepoUnsupportedError, an
from xrepo_nb.core.settings import settings

_PLAIN = (str, int, float, bool, type(None), list, dict)


class RedisRepo:
    """Keys to JSON values in redis, below `prefix`. Never pickle.

    Takes what JSON has: text, numbers, booleans, None, lists and dicts of them. A live object (a
    repo, a resource, a class) is refused with `XRepoUnsupportedError`: it belongs into the memory
    backend. Raises `XRepoConnectionError` when redis does not answer. Each event loop has connections
    of its own; `close` closes those of the running one.
    """

    def __init__(self, url: str | None = None, prefix: str = "xrepo:") -> None:
        try:
            import redis
            from redis.asyncio import Redis
        except ImportError as error:
            raise XRepoConfigurationError(
                "the redis backend needs the package redis", hint="pip install 'xrepo_nb[redis]'"
            ) from error
        secret = settings().redis_url
        location = url or (secret.get_secret_value() if secret else "redis://localhost:6379/0")
        self._failures = (redis.RedisError, OSError)
        # Without the driver's introduction, which it would look up on disk at each connection.
        options: dict[str, Any] = {"socket_timeout": settings().timeout, "driver_info": None}
        self._redis: ByLoop[Any] = ByLoop(lambda: Redis.from_url(location, **options))
        self._prefix = prefix

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` when there is none or its time is over."""
        found = await self._ask("get", self._prefix + key)
        return default if found is None else from_json(found)

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Puts a value, for `ttl` seconds or until it is removed."""
        end = None if ttl is None else max(1, round(ttl * 1000))
        await self._ask("set", self._prefix + key, _encoded(key, value), px=end)

    async def delete(self, key: str) -> bool:
        """Removes a key; whether it was there."""
        return bool(await self._ask("delete", self._prefix + key))

    async def keys(self, pattern: str = "*") -> list[str]:
        """The keys that match a shell-style pattern, sorted. Scans; does not block the server."""
        start = len(self._prefix)
        try:
            found = [key async for key in self._redis().scan_iter(match=_escaped(self._prefix) + pattern)]
        except self._failures as error:
            raise _unreachable(error) from error
        return sorted(key.decode()[start:] for key in found)

    async def clear(self) -> None:
        """Removes every key below the prefix."""
        for key in await self.keys():
            await self.delete(key)

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis().aclose()

    async def _ask(self, command: str, *args: Any, **options: Any) -> Any:
        try:
            return await getattr(self._redis(), command)(*args, **options)
        except self._failures as error:
            raise _unreachable(error) from error


def _encoded(key: str, value: Any) -> bytes:
    if not _is_plain(value):
        raise XRepoUnsupportedError(
            f"{key!r} is {an(type(value).__name__)}, which the redis backend cannot keep",
            asked=key,
            hint='live objects belong into CacheManager(backend="memory")',
        )
    try:
        return to_json(value)
    except PydanticSerializationError as error:
        raise XRepoUnsupportedError(f"{key!r} is not JSON", asked=key) from error


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in text)


def _unreachable(error: Exception) -> XRepoConnectionError:
    return XRepoConnectionError(
        f"redis did not answer ({type(error).__name__})", hint="is the server up, and XREPO_REDIS_URL right?"
    )
