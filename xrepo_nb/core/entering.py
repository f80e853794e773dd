"""Tables of functions, which their modules enter by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

K = TypeVar("K", contravariant=True)
V = TypeVar("V")


class Entering(Protocol[K, V]):
    """A decorator of the functions that stand in a table under the keys it is given."""

    def __call__(self, *keys: K) -> Callable[[V], V]:
        """Enters a function under these keys."""


def entering(table: dict[K, V]) -> Entering[K, V]:
    """What enters functions into the table.

    >>> table = {}
    >>> enters = entering(table)
    >>> @enters("$min", "$max")
    ... def extreme(): ...
    >>> sorted(table)
    ['$max', '$min']
    """

    def enter(*keys: K) -> Callable[[V], V]:
        def put(function: V) -> V:
            table.update(dict.fromkeys(keys, function))
            return function

        return put

    return enter
