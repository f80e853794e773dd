"""CacheManager: a repo's cache of results, and the namespace of live objects."""

from __future__ import annotations

from typing import Any, Protocol

from xrepo_nb.cache.memory import InMemoryRepo
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError, text
from xrepo_nb.core.settings import settings

_INDIRECT = "_indirect."
_BACKENDS = ("memory", "redis")


class Backend(Protocol):
    """Where a CacheManager keeps its values."""

    async def get(self, key: str, default: Any = None) -> Any: ...
    async def set(self, key: str, value: Any, ttl: float | None = None) -> None: ...
    async def delete(self, key: str) -> bool: ...
    async def keys(self, pattern: str = "*") -> list[str]: ...
    async def clear(self) -> None: ...
    async def close(self) -> None: ...


class CacheManager:
    """Two uses of one store.

    As a namespace (`CacheManager()` or `CacheManager(backend="redis")`): objects by dotted path,
    `ns.repos.*`, `ns.models.*`, `ns.resources.*`, `ns.settings.*`, `ns.fuzzy.<entity>.<id>`; found
    by path, by an indirect key, by pattern, or by text.

    `backend` is `"memory"`, `"redis"` or one of your own; by default the one that the settings name, and
    for the results of a repo, which are live objects, memory.

    As a repo's cache (`CacheManager(repo, ttl=300)`): results by plan and effective policy, for
    `ttl` seconds; `invalidate` forgets them at every write.

    >>> import asyncio
    >>> async def main():
    ...     names = CacheManager()
    ...     await names.register_ns("ns.fuzzy.users.u1", "John Doe john@example.com")
    ...     return await names.fuzzy_search("ns.fuzzy.users.*", "DOE")
    >>> asyncio.run(main())
    ['ns.fuzzy.users.u1']
    """

    def __init__(
        self,
        repo: Any = None,
        *,
        backend: str | Backend | None = None,
        ttl: float | None = None,
        url: str | None = None,
    ) -> None:
        if isinstance(repo, str):  # CacheManager("redis"), the specification's positional form
            repo, backend = None, repo
        if backend is None:
            backend = settings().cache_backend if repo is None else "memory"
        self._cache = _backend(backend, url, bounded=repo is not None)
        self.ttl = ttl
        self._generation = 0
        self.hits = 0
        self.misses = 0

    def __repr__(self) -> str:
        return f"<CacheManager over {type(self._cache).__name__}>"

    # The namespace.

    async def register_ns(self, namespace_path: str, value: Any) -> None:
        """Puts an object at a path; what was there is replaced."""
        await self._cache.set(text("a namespace path", namespace_path), value)

    async def unregister_ns(self, namespace_path: str) -> bool:
        """Takes a path back; whether it was there."""
        return await self._cache.delete(namespace_path)

    async def get_ns(self, namespace_path: str, default: Any = None) -> Any:
        """The object at a path, or `default`."""
        return await self._cache.get(namespace_path, default)

    async def require_ns(self, namespace_path: str) -> Any:
        """The object at a path; raises `XRepoNotFoundError` naming the paths that there are."""
        found = await self._cache.get(namespace_path)
        if found is None:
            siblings = await self.list_ns(namespace_path.rpartition(".")[0] + ".*")
            raise XRepoNotFoundError(
                f"nothing is registered at {namespace_path!r}", asked=namespace_path, exists=siblings
            )
        return found

    async def register_indirect(self, key: str, namespace_path: str) -> None:
        """Makes `key` another name of a path."""
        await self._cache.set(_INDIRECT + text("a key", key), text("a namespace path", namespace_path))

    async def get_ns_by_key(self, key: str) -> str | None:
        """The path behind an indirect key, or None."""
        found: str | None = await self._cache.get(_INDIRECT + key)
        return found

    async def list_ns(self, pattern: str) -> list[str]:
        """The paths that match a shell-style pattern, sorted; indirect keys are not paths."""
        found = await self._cache.keys(text("a pattern", pattern))
        return [key for key in found if not key.startswith(_INDIRECT)]

    async def fuzzy_search(self, pattern: str, search_term: str) -> list[str]:
        """The paths that match the pattern and whose value, as text, contains the term in any case.

        Values with a `get_fuzzy_text()` are searched by that text. Cost: one look-up a path.
        """
        wanted = text("a search term", search_term).casefold()
        found = []
        for key in await self.list_ns(pattern):
            if wanted in _text(await self.get_ns(key, "")).casefold():
                found.append(key)
        return found

    # A repo's results.

    @property
    def generation(self) -> int:
        """Grows at every `invalidate`; taken before a read, it keeps a stale result out."""
        return self._generation

    async def get(self, key: str, default: Any = None) -> Any:
        """The cached result, or `default`; counts hits and misses."""
        found = await self._cache.get(self._full(key), default)
        if found is default:
            self.misses += 1
        else:
            self.hits += 1
        return found

    async def put(self, key: str, value: Any, generation: int | None = None) -> None:
        """Caches a result, unless a write came after `generation`."""
        if generation is None or generation == self._generation:
            await self._cache.set(self._full(key), value, self.ttl)

    def invalidate(self) -> None:
        """Forgets every result at once."""
        self._generation += 1

    def _full(self, key: str) -> str:
        return f"result.{self._generation}.{key}"

    async def close(self) -> None:
        """Frees the backend's connections."""
        await self._cache.close()


def _backend(backend: str | Backend, url: str | None, *, bounded: bool) -> Backend:
    if not isinstance(backend, str):
        return backend
    if backend == "memory":
        return InMemoryRepo(settings().cache_entries if bounded else None)
    if backend == "redis":
        from xrepo_nb.cache.redis import RedisRepo

        return RedisRepo(url)
    raise XRepoConfigurationError(f"unknown cache backend {backend!r}", asked=backend, exists=_BACKENDS)


def _text(value: Any) -> str:
    searchable = getattr(value, "get_fuzzy_text", None)
    return str(searchable()) if callable(searchable) and not isinstance(value, type) else str(value)
