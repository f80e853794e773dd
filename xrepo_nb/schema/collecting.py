"""Holding the garbage collector back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Holds the cyclic garbage collector back while many objects are made that all stay alive.

    Going over them again and again, finding none to free, takes longer than making them. At the
    end they are put among the old ones, unvisited: one pass over a million young objects would
    hold the interpreter, and an event loop with it, for a second. Not a lock: where two threads
    overlap, the one that ends first lets the collector go on.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else somebody froze objects on purpose
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()
