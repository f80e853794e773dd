"""Progress bars: tqdm's, for work that takes longer than a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from importlib.util import find_spec
from typing import Any

from xrepo_nb.core import progress as core

DELAY = 1.0
"""Seconds of work before a bar appears: the first call of a process, which loads drivers, takes less."""


def install() -> None:
    """Shows the progress of every xrepo_nb call as bars from now on."""
    core.install(bars)


@contextmanager
def progress(total: int | None = None, label: str = "") -> Iterator[core.Step]:
    """A bar for work of your own, under the same rules; call what it gives with the amount done.

    >>> with progress(total=2, label="reading") as step:
    ...     step(2)
    """
    with core.progress(label, total) as step:
        yield step


@contextmanager
def bars(label: str, total: int | None = None) -> Iterator[core.Step]:
    """The reporter that shows bars, unless `XREPO_PROGRESS` is off or tqdm is not installed."""
    bar = _Bar(label, total)
    stop = _later(DELAY, bar.show)
    try:
        yield bar.step
    finally:
        stop()
        bar.close()


def _later(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    """Calls `act` later in a thread, as drawing may block; in this context, so that it goes to this cell."""
    import asyncio

    drawing = partial(copy_context().run, act)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        timer = threading.Timer(seconds, drawing)
        timer.daemon = True
        timer.start()
        return timer.cancel
    return loop.call_later(seconds, lambda: threading.Thread(target=drawing, daemon=True).start()).cancel


class _Bar:
    """Counts from the start, draws from the moment it is shown."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._drawn: Any = None
        self._closed = False
        self._lock = threading.Lock()

    def show(self) -> None:
        if not _wanted():
            return
        from tqdm.auto import tqdm

        with self._lock:
            if not self._closed:
                self._drawn = tqdm(
                    desc=self._label,
                    total=self._total,
                    initial=self._done,
                    unit_scale=True,
                    leave=False,
                    bar_format=None if self._total else "{desc} …",
                )

    def step(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            if self._drawn is not None:
                self._drawn.update(amount)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._drawn is not None:
                self._drawn.total = self._drawn.n  # else tqdm leaves an unfinished bar standing, in red
                self._drawn.close()


def _wanted() -> bool:
    from xrepo_nb.core.settings import settings

    return settings().progress and find_spec("tqdm") is not None
