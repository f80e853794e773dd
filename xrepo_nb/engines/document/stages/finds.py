"""What only find projections have: `$slice`, `$elemMatch` and the positional `path.$`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.paths import with_value, without
from xrepo_nb.engines.document.positions import matched_position
from xrepo_nb.engines.document.predicates import element_test
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.plan import FirstMatch, SliceOf

Row = dict[str, Any]
Find = Callable[[Row, Row], Row]
"""Changes a projected document, given the whole one too."""


def find_field(value: Any) -> Find | None:
    """What a special field of a find projection does; None for other fields."""
    if isinstance(value, SliceOf):
        return lambda out, row: _sliced(out, value.path, value)
    if isinstance(value, FirstMatch):
        return _positional(value) if value.positional else _first_match(value)
    return None


def _sliced(value: Any, path: Path, by: SliceOf) -> Any:
    if not path:
        return _part(value, by) if isinstance(value, list) else value
    if isinstance(value, list):
        return [_sliced(item, path, by) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _sliced(value[path[0]], path[1:], by)}


def _part(array: list[Any], by: SliceOf) -> list[Any]:
    if by.skip is None:
        return array[: by.count] if by.count >= 0 else array[by.count :]
    start = max(0, len(array) + by.skip) if by.skip < 0 else by.skip
    return array[start : start + by.count]


def _first_match(value: FirstMatch) -> Find:
    test = element_test(value.predicate, value.on_values, {})

    def apply(out: Row, row: Row) -> Row:
        array = row.get(value.path[0])
        found = next((item for item in array if test(item)), MISSING) if isinstance(array, list) else MISSING
        if found is MISSING:
            return without(out, value.path)
        return with_value(out, value.path, [found])

    return apply


def _positional(value: FirstMatch) -> Find:
    find = matched_position(value.predicate, value.path)

    def apply(out: Row, row: Row) -> Row:
        array = _walk(out, value.path)
        if not isinstance(array, list):
            return out
        position = find(row)
        if position is None or position >= len(array):
            at = f"projection.{'.'.join(value.path)}.$"
            raise XRepoQueryError("the filter selects no element for the positional projection", at=at)
        return with_value(out, value.path, [array[position]])

    return apply


def _walk(value: Any, path: Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
