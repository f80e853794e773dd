"""Why a plan, or one of its operators, has no SQL form."""

from __future__ import annotations

from typing import NoReturn


class Unsupported(Exception):
    """No exact SQL exists; the reason is for people. Raised while rendering, never while running."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def decline(reason: str) -> NoReturn:
    """Declines to render, for that reason."""
    raise Unsupported(reason)
