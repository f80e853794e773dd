"""Whether a predicate holds for one document."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from xrepo_nb.query.predicates import EVERYTHING, Predicate

Check = Callable[[dict[str, Any]], bool]


def holds(predicate: Predicate, document: dict[str, Any]) -> bool:
    """Whether the predicate holds for the document."""
    return predicate == EVERYTHING or _compiled(predicate)(document)


def _compiled(predicate: Predicate) -> Check:
    try:
        return _kept(predicate)
    except TypeError:  # a list or dict among its values
        return _compile(predicate)


def _compile(predicate: Predicate) -> Check:
    from xrepo_nb.engines.document import compile_predicate

    return compile_predicate(predicate)


_kept = lru_cache(maxsize=256)(_compile)
