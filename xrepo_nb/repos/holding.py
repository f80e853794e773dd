"""Whether a predicate holds for one document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.bounded import Bounded
from xrepo_nb.query.predicates import EVERYTHING, Predicate

Check = Callable[[dict[str, Any]], bool]


def holds(predicate: Predicate, document: dict[str, Any]) -> bool:
    """Whether the predicate holds for the document."""
    return predicate == EVERYTHING or _compiled(predicate)(document)


def _compiled(predicate: Predicate) -> Check:
    """Kept by the object, not by what it equals: predicates on 1 and on True are equal in Python."""
    found = _kept.get(id(predicate))
    if found is None or found[0] is not predicate:
        from xrepo_nb.engines.document import compile_predicate

        found = _kept[id(predicate)] = (predicate, compile_predicate(predicate))
    return found[1]


_kept: Bounded[int, tuple[Predicate, Check]] = Bounded(256)
