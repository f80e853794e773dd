"""The redis backend, against a real server on a free port."""

import asyncio
import shutil
import socket
import subprocess
import time

import pytest

from xrepo_nb.cache import CacheManager
from xrepo_nb.core.errors import XRepoConnectionError, XRepoUnsupportedError

pytest.importorskip("redis", reason="the redis extra is not installed")
SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    port = _free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()


@pytest.fixture
async def cache(url):
    manager = CacheManager(backend="redis", url=url)
    yield manager
    await manager._cache.clear()
    await manager.close()


async def test_values_are_shared_as_json(cache, url):
    await cache.register_ns("ns.settings.app", {"limit": 3, "names": ["a", None]})
    other = CacheManager(backend="redis", url=url)
    assert await other.get_ns("ns.settings.app") == {"limit": 3, "names": ["a", None]}
    await other.close()


async def test_paths_are_listed_and_searched_as_in_memory(cache):
    await cache.register_ns("ns.fuzzy.users.u1", "John Doe")
    await cache.register_indirect("u1", "ns.fuzzy.users.u1")
    assert await cache.list_ns("ns.*") == ["ns.fuzzy.users.u1"]
    assert await cache.fuzzy_search("ns.fuzzy.*", "doe") == ["ns.fuzzy.users.u1"]
    assert await cache.get_ns_by_key("u1") == "ns.fuzzy.users.u1"


@pytest.mark.parametrize("value", [object(), int, CacheManager(), {"nested": {1, 2}}, b"bytes"])
async def test_live_objects_are_refused_with_a_hint(cache, value):
    with pytest.raises(XRepoUnsupportedError, match="memory"):
        await cache.register_ns("ns.repos.users", value)


async def test_a_server_that_is_not_there_is_a_connection_error():
    manager = CacheManager(backend="redis", url=f"redis://:secret@127.0.0.1:{_free_port()}/0")
    with pytest.raises(XRepoConnectionError) as caught:
        await manager.get_ns("ns.x")
    assert "secret" not in str(caught.value)
    await manager.close()


def test_each_event_loop_has_connections_of_its_own(url):
    """As in a script that runs one `asyncio.run` after the other."""
    names = CacheManager(backend="redis", url=url)
    for number in range(3):
        asyncio.run(names.register_ns("ns.settings.n", number))
        assert asyncio.run(names.get_ns("ns.settings.n")) == number
    assert len(names._cache._redis._made) == 1
