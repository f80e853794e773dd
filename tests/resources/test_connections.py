"""Leases of connections: none is lost, whenever its operation is left."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from xrepo_nb.core.errors import XRepoConnectionError
from xrepo_nb.resources.sql_connections import Connections
from xrepo_nb.resources.sqlite import SQLiteResource


class Connection:
    """A connection of a driver, as far as a lease knows it."""

    def __init__(self, made: list[Connection]) -> None:
        self.is_closed = False
        made.append(self)

    def close(self) -> None:
        self.is_closed = True


async def test_a_few_are_kept_and_all_are_closed() -> None:
    made: list[Connection] = []
    connections = Connections(lambda: Connection(made))
    connections.is_open = True
    barrier = asyncio.Barrier(6)

    async def work() -> None:
        async with connections.leased():
            await barrier.wait()

    await asyncio.gather(*(work() for _ in range(6)))
    assert [one.is_closed for one in made].count(False) == 4
    async with connections.leased() as again:
        assert again in made
        connections.close()
        assert not again.is_closed
    assert all(one.is_closed for one in made) and len(made) == 6


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_one_whose_operation_failed_is_closed(error: type[BaseException]) -> None:
    made: list[Connection] = []
    connections = Connections(lambda: Connection(made))
    connections.is_open = True
    with pytest.raises(error):
        async with connections.leased():
            raise error
    async with connections.leased() as another:
        assert [one.is_closed for one in made] == [True, False] and another is made[1]


@pytest.mark.parametrize("times", [1, 3])
async def test_one_that_comes_when_its_caller_has_left_is_closed(times: int) -> None:
    made: list[Connection] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Connection:
        begun.set()
        go_on.wait(10)
        return Connection(made)

    connections = Connections(slow)
    connections.is_open = True

    async def lease() -> None:
        async with connections.leased():
            raise AssertionError

    leasing = asyncio.ensure_future(lease())
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(times):
        leasing.cancel()
        await asyncio.sleep(0.01)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await leasing
    assert [one.is_closed for one in made] == [True]


async def test_a_file_that_cannot_be_opened_again_is_told_of_in_our_words(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    source = SQLiteResource(path)
    await source.connect()
    async with source._leased():  # the one connection that waits is in use
        path.unlink()
        with pytest.raises(XRepoConnectionError, match=r"deleted or moved .* Hint: open it again"):
            await source.describe("t")
    await source.close()
