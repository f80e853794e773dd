"""Arrays as sets: order and repetition do not count."""

from __future__ import annotations

from typing import Any

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.arrays import need_array
from xrepo_nb.engines.document.expressions.registry import nullable, values
from xrepo_nb.engines.document.statistics import by_key


def _in_order(found: dict[Any, Any]) -> list[Any]:
    return sorted(found.values(), key=v.key)


def _checked(op: str, sets: tuple[Any, ...]) -> bool:
    """Whether all are there; refuses what is neither null nor an array."""
    for given in sets:
        if v.is_absent(given):
            return False
        need_array(op, given)
    return True


@values("$setUnion")
def set_union(*sets: Any) -> Any:
    if not _checked("$setUnion", sets):
        return None
    return _in_order(by_key(item for given in sets for item in given))


@values("$setIntersection")
def set_intersection(*sets: Any) -> Any:
    if not _checked("$setIntersection", sets):
        return None
    if not sets:
        return []
    found = by_key(sets[0])
    for given in sets[1:]:
        kept = set(map(v.hash_key, given))
        found = {key: item for key, item in found.items() if key in kept}
    return _in_order(found)


@nullable("$setDifference")
def set_difference(left: Any, right: Any) -> Any:
    need_array("$setDifference", left)
    need_array("$setDifference", right)
    taken = set(map(v.hash_key, right))
    return [item for key, item in by_key(left).items() if key not in taken]


@values("$setEquals")
def set_equals(*sets: Any) -> bool:
    first: set[Any] | None = None
    for given in sets:
        need_array("$setEquals", given)
        found = set(map(v.hash_key, given))
        first = found if first is None else first
        if found != first:
            return False
    return True


@values("$setIsSubset")
def set_is_subset(left: Any, right: Any) -> bool:
    need_array("$setIsSubset", left)
    need_array("$setIsSubset", right)
    return set(map(v.hash_key, left)) <= set(map(v.hash_key, right))


@values("$allElementsTrue")
def all_elements_true(given: Any) -> bool:
    need_array("$allElementsTrue", given)
    return all(map(v.truth, given))


@values("$anyElementTrue")
def any_element_true(given: Any) -> bool:
    need_array("$anyElementTrue", given)
    return any(map(v.truth, given))
