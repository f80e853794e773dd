"""Why a plan, or one of its operators, is not for an engine."""

from __future__ import annotations

from collections.abc import Sized
from typing import NoReturn

MOST_PARTS = 1_000
"""Beyond so many parts of one expression, condition or stage, engines take longer to plan them than the
interpreter to look at them."""


class Unsupported(Exception):
    """The engine has no exact form of it; the reason is for people.

    Raised while a plan is lowered or rendered, never while it runs.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def decline(reason: str) -> NoReturn:
    """Declines a plan, or one of its operators, for that reason."""
    raise Unsupported(reason)


def bounded(parts: Sized, what: str, most: int = MOST_PARTS) -> None:
    """Declines too many parts side by side."""
    if len(parts) > most:
        decline(f"more than {most:,} {what}")
