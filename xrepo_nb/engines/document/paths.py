"""Field access: how expressions read a path, how it is written into a copy of a document.

Predicates walk paths by rules of their own (`predicates`): they look for any match.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.query.expressions import Path

Getter = Callable[[Any], Any]


def getter(path: Path) -> Getter:
    """Reads `path` as expressions do: arrays of documents give the array of their values,
    array positions are no names, what is not there is `MISSING`.

    >>> getter(("a", "b"))({"a": [{"b": 1}, {"c": 2}, 3]})
    [1]
    """
    name = path[0]
    if len(path) == 1:
        return lambda document: document.get(name, MISSING)
    rest = getter(path[1:])

    def read(document: Any) -> Any:
        value = document.get(name, MISSING)
        if isinstance(value, dict):
            return rest(value)
        return _each(value, rest) if isinstance(value, list) else MISSING

    return read


def _each(values: list[Any], rest: Getter) -> list[Any]:
    found = [rest(item) for item in values if isinstance(item, dict)]
    return [item for item in found if item is not MISSING]


def value_getter(path: Path) -> Getter:
    """Like `getter`, for a value that may be no document; an empty path is the value itself."""
    if not path:
        return lambda value: value
    read = getter(path)

    def read_value(value: Any) -> Any:
        if isinstance(value, dict):
            return read(value)
        return _each(value, read) if isinstance(value, list) else MISSING

    return read_value


def with_value(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of the document with `value` at `path`, as `$addFields` puts it there: into each
    element of an array on the way; scalars on the way give place to documents. The containers
    beside the path are shared. A `MISSING` value removes the field."""
    spend(len(document))
    out = dict(document)
    put(out, path, value)
    return out


def put(out: dict[str, Any], path: Path, value: Any) -> None:
    """Like `with_value`, into a document whose own keys may be changed."""
    name = path[0]
    if len(path) > 1:
        out[name] = _below(out.get(name), path[1:], value)
    elif value is MISSING:
        out.pop(name, None)
    else:
        out[name] = value


def _below(old: Any, path: Path, value: Any) -> Any:
    if isinstance(old, list):
        return [_below(item, path, value) for item in old]
    return with_value(old if isinstance(old, dict) else {}, path, value)


def without(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """A copy of the document without the field at `path`, also in each element of an array."""
    name = path[0]
    if name not in document:
        return document
    spend(len(document))
    out = dict(document)
    if len(path) == 1:
        del out[name]
    else:
        out[name] = _pruned(out[name], path[1:])
    return out


def _pruned(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return without(value, path)
    return [_pruned(item, path) for item in value] if isinstance(value, list) else value
