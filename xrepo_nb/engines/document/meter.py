"""What a query costs while it runs: counted, and stopped at the settings' bounds on time and memory.

Values that a query multiplies (elements, rows, copies, keys) are counted by `spend`, which costs
some ten nanoseconds; every so many, the clock and the process's memory are looked at.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.core.settings import settings, size_of

P = ParamSpec("P")
R = TypeVar("R")

STEP = 100_000
"""Values between two looks at the clock."""


class _Running(threading.local):
    """The query that this thread runs: when it must end, and how far memory may grow."""

    left = STEP
    end = float("inf")
    allowed = 0.0
    most = 0


_running = _Running()


def spend(count: int) -> None:
    """Counts values that are about to be made or looked at.

    Raises `XRepoLimitError` when the query under way has passed its time or memory.
    """
    _running.left -= count
    if _running.left < 0:
        _look()


def counted(array: list[Any]) -> Iterable[Any]:
    """The elements, counted as a loop comes to them: a long one looks at the clock on its way."""
    if len(array) > _PIECE:
        return _in_pieces(array)
    spend(len(array))
    return array


_PIECE = 10_000


def _in_pieces(array: list[Any]) -> Iterator[Any]:
    for start in range(0, len(array), _PIECE):
        spend(_PIECE)
        yield from array[start : start + _PIECE]


def weighed(parts: Iterable[Any], evaluate: Callable[P, R]) -> Callable[P, R]:
    """A compiled expression or predicate of these parts, which are counted each time where they are many."""
    count = sum(1 for _ in islice(parts, _MANY))
    if count <= _FEW:
        return evaluate

    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        spend(count)
        return evaluate(*args, **kwargs)

    return counting


_FEW = 64
"""So many parts end with the documents or elements that they are evaluated for, which are counted."""
_MANY = 4_096
"""As many are counted at most."""


def _look() -> None:
    _running.left = STEP
    if time.monotonic() > _running.end:
        raise XRepoLimitError(
            f"the query ran longer than {_running.allowed:g} s",
            hint="raise XREPO_QUERY_TIMEOUT, or ask for less",
        )
    if _running.end == float("inf"):
        return
    held = resident()
    # Short queries never look: what was held before is asked for by the first that does.
    _running.most = _running.most or held + size_of(settings().memory_limit)
    if held > _running.most:
        raise XRepoLimitError(
            f"the query needs more than memory_limit allows ({settings().memory_limit})",
            hint="raise XREPO_MEMORY_LIMIT, or ask for less",
        )


@contextmanager
def metered(seconds: float | None = None, until: float | None = None) -> Iterator[None]:
    """Holds what runs inside, in this thread, to the bounds; inside another query to that one's.

    `seconds` takes the place of the settings' bound on time; `until` is what `deadline` told in another
    part of the same query.
    """
    if _running.end != float("inf"):
        yield
        return
    _running.left = STEP
    _running.allowed = settings().query_timeout if seconds is None else seconds
    _running.end = time.monotonic() + _running.allowed if until is None else until
    try:
        yield
    finally:
        _running.end, _running.most = float("inf"), 0


def deadline() -> float | None:
    """When the query under way in this thread must end, by the monotonic clock; None outside of any."""
    return None if _running.end == float("inf") else _running.end


def remaining() -> float:
    """The seconds that the query under way in this thread has left; outside of any, those of a whole one."""
    end = deadline()
    return settings().query_timeout if end is None else max(0.0, end - time.monotonic())


def resident() -> int:
    """The bytes of memory that the process holds; where the system tells only a peak, that; else 0.

    What the kernel tells is no file and does not block, so that the event loop's thread may ask.
    """
    if sys.platform == "win32":
        return 0
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return _peak()
    try:
        return int(os.read(statm, 100).split()[1]) * _PAGE
    finally:
        os.close(statm)


_PAGE = 4096 if sys.platform == "win32" else os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
