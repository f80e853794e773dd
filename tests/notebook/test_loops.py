"""Waiting for coroutines from synchronous code."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator

import pytest

from xrepo_nb.notebook.loops import iterate, run


async def _thread() -> int:
    return threading.get_ident()


def test_all_calls_of_a_script_share_one_loop_that_is_not_the_callers() -> None:
    assert run(_thread()) == run(_thread()) != threading.get_ident()


def test_an_error_arrives_as_it_was_raised() -> None:
    async def fail() -> None:
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        run(fail())


async def _count(closed: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(1000):
            yield number
    finally:
        closed.append("closed")


def test_iteration_fetches_one_item_at_a_time_and_closes_its_source() -> None:
    closed: list[str] = []
    items = iterate(_count(closed))
    assert (next(items), next(items)) == (0, 1)
    items.close()  # type: ignore[attr-defined]
    assert closed == ["closed"]


def _script(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_inside_a_running_loop_the_work_runs_on_that_loop() -> None:
    out = _script("""
        import asyncio, sys
        from xrepo_nb.notebook.loops import run

        async def which():
            return asyncio.get_running_loop()

        async def cell():
            assert "nest_asyncio2" not in sys.modules
            return run(which()) is asyncio.get_running_loop()

        print(asyncio.run(cell()))
    """)
    assert out == "True"


def test_a_script_ends_cleanly_while_work_is_left() -> None:
    out = _script("""
        import asyncio
        from xrepo_nb.notebook.loops import run

        async def start():
            asyncio.get_running_loop().call_later(60, print)
            return "started"

        print(run(start()))
    """)
    assert out == "started"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    out = _script("""
        import asyncio, os
        from xrepo_nb.notebook.loops import run

        run(asyncio.sleep(0))
        child = os.fork()
        if child == 0:
            run(asyncio.sleep(0))
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert out == "7"


def test_an_interrupt_cancels_the_work() -> None:
    out = _script("""
        import asyncio, signal, threading, os
        from xrepo_nb.notebook.loops import run

        ended = threading.Event()

        async def long():
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            run(long())
        except KeyboardInterrupt:
            print(ended.wait(5))
    """)
    assert out == "True"


async def test_running_it_in_a_thread_of_an_async_program_uses_the_shared_loop() -> None:
    assert await asyncio.to_thread(run, _thread()) != threading.get_ident()
