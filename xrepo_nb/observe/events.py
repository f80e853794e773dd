"""Events: hooks that are told what happened in a repo."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from xrepo_nb.core.errors import chosen

logger = logging.getLogger(__name__)

ALL_EVENTS = "*"
NAMES = ("created", "updated", "deleted", "read", "refreshed", ALL_EVENTS)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: `name` as `created`, `updated`, `deleted`, `read`, `refreshed`; who; ids and rows."""

    name: str
    repo: str
    user_id: str | None = None
    entity_ids: tuple[Any, ...] = ()
    rows: int = 0
    duration_ms: float = 0.0
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))


Handler = Callable[[Event], Awaitable[None] | None]


class Events:
    """Handlers by event name. One that fails is logged and does not disturb the operation.

    >>> events, seen = Events(), []
    >>> handler = events.on("created", seen.append)
    >>> events.emit(Event("created", "users", rows=1))
    >>> seen[0].rows
    1
    """

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    def on(self, name: str, handler: Handler) -> Handler:
        """Calls `handler` for each event of that name, or of every name for `"*"`.

        Raises `XRepoConfigurationError` for a name that no event has.
        """
        chosen("the name of an event", name, NAMES)
        self._handlers.setdefault(name, []).append(handler)
        return handler

    def off(self, name: str, handler: Handler) -> None:
        """Takes a handler back; harmless when it is not there."""
        handlers = self._handlers.get(name, [])
        if handler in handlers:
            handlers.remove(handler)

    def wants(self, name: str) -> bool:
        """Whether anyone listens, so that an event need not be made for nobody."""
        return bool(self._handlers) and bool(self._handlers.get(name) or self._handlers.get(ALL_EVENTS))

    def emit(self, event: Event) -> None:
        """Calls the handlers; asynchronous ones run as tasks of the running loop."""
        for handler in [*self._handlers.get(event.name, ()), *self._handlers.get(ALL_EVENTS, ())]:
            try:
                outcome = handler(event)
                if inspect.isawaitable(outcome):
                    self._follow(asyncio.ensure_future(outcome))
            except Exception:
                logger.exception("a handler of %r failed", event.name)

    def _follow(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("an asynchronous handler failed", exc_info=task.exception())
