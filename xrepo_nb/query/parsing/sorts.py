"""Sort orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xrepo_nb.query.parsing.values import as_float, document, fail, field_path, is_number, kind
from xrepo_nb.query.plan import NATURAL, SortKey

MAX_KEYS = 32
_HINT = 'write {"age": -1}, [("age", -1), ("name", 1)] or "-age"; 1 is ascending, -1 descending'


def sort_keys(given: Any, at: str) -> tuple[SortKey, ...]:
    """The keys of `{"a": 1}`, `[("a", 1)]`, `"a"` or `"-a"`."""
    return _checked(_pairs(given, at), at)


def stage_order(named: Mapping[str, Any], at: str) -> tuple[SortKey, ...]:
    """The keys of the option `sortBy` of a stage; none when it is not there."""
    order, here = named.get("sortBy"), f"{at}.sortBy"
    return () if order is None else sort_keys(document(order, "sortBy", here), here)


def find_order(given: Any, at: str) -> tuple[SortKey, ...]:
    """Sort keys, of which `$natural` may be the only one: no key for 1, `NATURAL` for -1."""
    pairs = list(_pairs(given, at))
    if len(pairs) != 1 or pairs[0][0] != NATURAL.path[0]:
        return _checked(pairs, at)
    return (NATURAL,) if direction(pairs[0][1], f"{at}.$natural") < 0 else ()


def _checked(pairs: Iterable[tuple[Any, Any]], at: str) -> tuple[SortKey, ...]:
    keys = tuple(_key(path, order, at) for path, order in pairs)
    if len(keys) > MAX_KEYS:
        fail(f"more than {MAX_KEYS} sort keys", at)
    if len({key.path for key in keys}) < len(keys):
        fail("a sort names each field once", at)
    return keys


def _pairs(given: Any, at: str) -> Iterable[tuple[Any, Any]]:
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return given.items()
    if isinstance(given, str | SortKey) or _named(given) is not given:
        given = [given]
    if not isinstance(given, Sequence):
        fail(f"a sort is a document or a list of pairs, not {kind(given)}", at, hint=_HINT)
    return [_pair(item, at) for item in given]


def _named(given: Any) -> Any:
    """The name of a field that `F` made; anything else as it is."""
    if isinstance(given, str | Sequence):
        return given
    from xrepo_nb.query.builder import FieldBuilder

    return ".".join(given._path) if isinstance(given, FieldBuilder) else given


def _pair(item: Any, at: str) -> tuple[Any, Any]:
    item = _named(item)
    if isinstance(item, SortKey):
        return ".".join(item.path), -1 if item.descending else 1
    if isinstance(item, str):
        return (item[1:], -1) if item.startswith("-") else (item, 1)
    if not isinstance(item, Sequence) or len(item) != 2:
        fail("a sort key is a pair (field, 1 or -1)", at, hint=_HINT)
    return _named(item[0]), item[1]


def _key(path: Any, order: Any, at: str) -> SortKey:
    if path == NATURAL.path[0]:
        fail("$natural is the only key of a find's sort", at, asked=path, hint="sort by a field")
    return SortKey(field_path(path, at), direction(order, f"{at}.{path}") < 0)


def direction(order: Any, at: str) -> int:
    """1 or -1."""
    if isinstance(order, Mapping):
        fail("a sort by $meta or an expression is not supported", at, hint="add the value as a field")
    if not is_number(order) or as_float(order) not in (1, -1):
        fail(f"a sort order is 1 or -1, not {order!r}", at, hint=_HINT)
    return int(as_float(order))


def element_order(given: Any, at: str) -> int | tuple[SortKey, ...]:
    """The order of array elements: 1 or -1 for whole ones, keys for documents."""
    if not isinstance(given, Mapping):
        return direction(given, at)
    if not given:
        fail("a sort needs at least one key", at)
    return sort_keys(given, at)
