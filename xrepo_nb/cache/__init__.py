"""The cache of results and the namespace."""

from xrepo_nb.cache.manager import Backend, CacheManager

namespace = CacheManager(backend="memory")
"""The process's namespace: `open` and `join` register repos here as `ns.repos.<name>`."""

__all__ = ["Backend", "CacheManager", "namespace"]
