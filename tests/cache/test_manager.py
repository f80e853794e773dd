"""CacheManager: the namespace, and a repo's results."""

import pytest

from xrepo_nb.cache import CacheManager, namespace
from xrepo_nb.cache.memory import InMemoryRepo
from xrepo_nb.cache.redis import RedisRepo
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.settings import XSettings


@pytest.fixture
def names():
    return CacheManager()


async def test_objects_come_back_as_they_were_registered(names):
    value = object()
    await names.register_ns("ns.repos.users", value)
    assert await names.get_ns("ns.repos.users") is value
    assert await names.get_ns("ns.repos.nobody", "default") == "default"


async def test_a_required_path_that_is_not_there_names_its_siblings(names):
    await names.register_ns("ns.repos.users", 1)
    with pytest.raises(
        XRepoNotFoundError, match=r"ns\.repos\.user'.*there are: ns\.repos\.users.*did you mean"
    ):
        await names.require_ns("ns.repos.user")


async def test_indirect_keys_lead_to_paths_and_are_not_listed(names):
    await names.register_ns("ns.models.User", int)
    await names.register_indirect("users", "ns.models.User")
    assert await names.get_ns_by_key("users") == "ns.models.User"
    assert await names.get_ns_by_key("orders") is None
    assert await names.list_ns("*") == ["ns.models.User"]


async def test_patterns_list_paths_sorted_and_by_case(names):
    for path in ("ns.repos.b", "ns.repos.a", "ns.models.A"):
        await names.register_ns(path, path)
    assert await names.list_ns("ns.repos.*") == ["ns.repos.a", "ns.repos.b"]
    assert await names.list_ns("NS.*") == []


async def test_fuzzy_search_finds_text_in_any_case(names):
    await names.register_ns("ns.fuzzy.users.u1", "John Doe john@example.com")
    await names.register_ns("ns.fuzzy.users.u2", "Jane Roe")
    assert await names.fuzzy_search("ns.fuzzy.users.*", "JOHN") == ["ns.fuzzy.users.u1"]
    assert await names.fuzzy_search("ns.fuzzy.orders.*", "john") == []


async def test_unregister_tells_whether_it_was_there(names):
    await names.register_ns("ns.x", 1)
    assert await names.unregister_ns("ns.x") is True
    assert await names.unregister_ns("ns.x") is False


def test_an_unknown_backend_is_refused_by_name():
    with pytest.raises(XRepoConfigurationError, match="unknown cache backend 'memry'.*did you mean 'memory'"):
        CacheManager("memry")
    with pytest.raises(ValueError):
        CacheManager(backend="disk")


async def test_results_are_kept_for_their_time_only():
    now = [0.0]
    store = InMemoryRepo(clock=lambda: now[0])
    cache = CacheManager(object(), backend=store, ttl=10)
    await cache.put("plan", "rows")
    now[0] = 9.9
    assert await cache.get("plan") == "rows"
    now[0] = 10.0
    assert await cache.get("plan") is None
    assert (cache.hits, cache.misses) == (1, 1)


async def test_a_write_forgets_every_result_and_keeps_a_late_one_out():
    cache = CacheManager(object(), ttl=60)
    generation = cache.generation
    await cache.put("plan", "old")
    cache.invalidate()
    assert await cache.get("plan") is None
    await cache.put("plan", "computed before the write", generation)
    assert await cache.get("plan") is None


async def test_the_least_recently_used_goes_first():
    store = InMemoryRepo(max_entries=2)
    await store.set("a", 1)
    await store.set("b", 2)
    await store.get("a")
    await store.set("c", 3)
    assert await store.keys() == ["a", "c"]


def test_the_settings_name_the_backend_where_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis")
    chosen = XSettings(cache_backend="redis")
    monkeypatch.setattr("xrepo_nb.cache.manager.settings", lambda: chosen)
    assert isinstance(CacheManager()._cache, RedisRepo)
    for memory in (CacheManager(backend="memory"), CacheManager(object()), namespace):
        assert isinstance(memory._cache, InMemoryRepo)
