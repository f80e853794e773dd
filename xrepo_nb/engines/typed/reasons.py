"""Why a plan, or one of its operators, is not for an engine."""

from __future__ import annotations

from typing import NoReturn


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
