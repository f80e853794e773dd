"""Progress of long work: what any layer may report, and the hook that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

Step = Callable[[int], None]
"""Tells that so many more units (rows, bytes, files) are done. May be called from any thread."""

Reporter = Callable[[str, int | None], AbstractContextManager[Step]]
"""Shows one piece of work: its label and, where known, its total."""


@contextmanager
def silent(label: str, total: int | None = None) -> Iterator[Step]:
    """The reporter that shows nothing."""
    yield lambda amount: None


_installed: Reporter = silent
_chosen: ContextVar[Reporter | None] = ContextVar("xrepo_nb_progress", default=None)


def progress(label: str, total: int | None = None) -> AbstractContextManager[Step]:
    """Reports the work of the block to whoever shows progress; costs a microsecond when nobody does.

    >>> with progress("reading", total=2) as step:
    ...     step(2)
    """
    return (_chosen.get() or _installed)(label, total)


def install(reporter: Reporter) -> None:
    """Makes `reporter` the one of the whole process; `silent` turns progress off."""
    global _installed
    _installed = reporter


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Within the block, in this task and the threads it offloads to, progress goes to `reporter`.

    >>> seen = []
    >>> @contextmanager
    ... def keep(label, total):
    ...     yield lambda amount: seen.append((label, amount, total))
    >>> with reporting(keep), progress("reading", total=3) as step:
    ...     step(3)
    >>> seen
    [('reading', 3, 3)]
    """
    token = _chosen.set(reporter)
    try:
        yield
    finally:
        _chosen.reset(token)
