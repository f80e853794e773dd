"""Why a plan, or one of its operators, is not lowered."""

from __future__ import annotations

from typing import NoReturn


class Unsupported(Exception):
    """No exact lowering exists; the reason is for people. Raised while lowering, never while running."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Inexact(Exception):
    """The rows hold what the lowered form cannot express exactly: an int sum past 64 bits, a zero divisor.

    Raised while running, by the guards that a lowering puts around such operations.
    """


def decline(reason: str) -> NoReturn:
    """Declines to lower, for that reason."""
    raise Unsupported(reason)
