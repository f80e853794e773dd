"""Projections: of `$project` and of find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xrepo_nb.query.expressions import Expr, Path
from xrepo_nb.query.parsing.expressions import NOTHING_KNOWN, Scope, expression
from xrepo_nb.query.parsing.filters import element_condition
from xrepo_nb.query.parsing.values import (
    document,
    fail,
    field_path,
    is_number,
    is_true,
    whole,
)
from xrepo_nb.query.plan import FirstMatch, SliceOf
from xrepo_nb.query.predicates import Predicate

Fields = tuple[tuple[Path, bool | Expr], ...]
_ID: Path = ("_id",)


def stage_projection(given: Any, at: str, scope: Scope) -> tuple[Fields, bool]:
    """The fields of `$project` and whether it is inclusive."""
    named = document(given, "$project", at)
    if not named:
        fail("$project names at least one field", at)
    return _resolved(list(_flattened((), named, at, scope, None)), at)


def find_projection(given: Any, predicate: Predicate | None, at: str, scope: Scope) -> tuple[Fields, bool]:
    """The fields of a find projection and whether it is inclusive.

    `predicate` is the filter beside it, which positional `path.$` repeats.
    """
    if not given:
        return (), False
    if isinstance(given, Sequence) and not isinstance(given, str):
        given = dict.fromkeys(given, 1)
    named = document(given, "a projection", at)
    return _resolved(list(_flattened((), named, at, scope, _Find(predicate))), at)


class _Find:
    """What only find projections know."""

    def __init__(self, predicate: Predicate | None) -> None:
        self.predicate = predicate


def _flattened(
    prefix: Path, given: Mapping[str, Any], at: str, scope: Scope, find: _Find | None
) -> Iterator[tuple[Path, bool | Expr]]:
    for name, value in given.items():
        here = f"{at}.{name}"
        if find is not None and isinstance(name, str) and name.endswith(".$"):
            yield _positional(prefix, name[:-2], value, here, find)
            continue
        path = prefix + field_path(name, here)
        if isinstance(value, bool) or is_number(value):
            yield path, is_true(value)
        elif isinstance(value, (dict, Mapping)) and not _is_operator(value):
            if not value:
                fail("an empty document is no projection", here, hint="use {'$literal': {}}")
            yield from _flattened(path, value, here, scope, find)
        else:
            yield path, _computed(path, value, here, scope, find)


def _is_operator(value: Mapping[str, Any]) -> bool:
    return any(isinstance(key, str) and key[:1] == "$" for key in value)


def _computed(path: Path, value: Any, at: str, scope: Scope, find: _Find | None) -> Expr:
    if find is not None and isinstance(value, (dict, Mapping)) and len(value) == 1:
        (op, argument), *_ = value.items()
        if op == "$elemMatch":
            condition = document(argument, op, f"{at}.{op}")
            if len(path) > 1:
                fail("$elemMatch projects a top-level field", at)
            return FirstMatch(path, *element_condition(condition, f"{at}.{op}", NOTHING_KNOWN))
        if op == "$slice" and _is_slice(argument):
            return _slice(path, argument, f"{at}.{op}")
    return expression(value, at, scope)


def _is_slice(argument: Any) -> bool:
    first = argument[0] if isinstance(argument, (list, tuple)) and argument else argument
    return is_number(first)


def _slice(path: Path, argument: Any, at: str) -> SliceOf:
    limit = 2**31 - 1
    if not isinstance(argument, (list, tuple)):
        count = whole(argument, "$slice", at, truncate=True)
        return SliceOf(path, None, max(-limit, min(limit, count)))
    if len(argument) != 2:
        fail("$slice takes a count or [skip, count]", at)
    skip = whole(argument[0], "$slice", at, truncate=True)
    return SliceOf(path, skip, whole(argument[1], "the count of $slice", at, least=1, truncate=True))


def _positional(prefix: Path, name: str, value: Any, at: str, find: _Find) -> tuple[Path, Expr]:
    if find.predicate is None:
        fail("a positional projection needs a filter", at)
    if not (isinstance(value, bool) or is_number(value)) or not is_true(value):
        fail("a positional projection is written 'path.$': 1", at)
    path = prefix + field_path(name, at)
    return path, FirstMatch(path, find.predicate, on_values=False, positional=True)


def _resolved(found: list[tuple[Path, bool | Expr]], at: str) -> tuple[Fields, bool]:
    check_collisions([path for path, _ in found], at)
    positional = [e for _, e in found if isinstance(e, FirstMatch) and e.positional]
    matching = [e for _, e in found if isinstance(e, FirstMatch)]
    if len(positional) > 1 or (positional and len(matching) > 1):
        fail("a projection has one positional field at most, and no $elemMatch beside it", at)
    inclusive = _is_inclusive(found)
    if inclusive:
        _refuse(found, lambda path, value: value is False and path != _ID, "excludes", "includes", at)
        return tuple(found), True
    _refuse(found, lambda path, value: value is True and path != _ID, "includes", "excludes", at)
    _refuse(found, lambda _, value: isinstance(value, Expr) and not _keeps_rule(value),
            "computes", "excludes", at)  # fmt: skip
    return tuple((path, value) for path, value in found if value is not True), False


def _is_inclusive(found: list[tuple[Path, bool | Expr]]) -> bool:
    """The first field that decides; `_id` and `$elemMatch` decide only alone, `$slice` never."""
    for path, value in found:
        if _keeps_rule(value):
            continue
        if path != _ID or isinstance(value, Expr):
            return value is not False
    return any((path == _ID and value is True) or isinstance(value, FirstMatch) for path, value in found)


def _keeps_rule(value: bool | Expr) -> bool:
    """Whether a field may stand in a projection that includes as in one that excludes."""
    return isinstance(value, SliceOf) or (isinstance(value, FirstMatch) and not value.positional)


def _refuse(found: list[tuple[Path, bool | Expr]], wrong: Any, verb: str, rule: str, at: str) -> None:
    for path, value in found:
        if wrong(path, value):
            name = ".".join(path)
            fail(f"{name!r} {verb} in a projection that {rule}", f"{at}.{name}", asked=name)


def check_collisions(paths: Sequence[Path], at: str) -> None:
    """Refuses the same path twice, and a path together with one below it."""
    seen: dict[Path, bool] = {}
    for path in paths:
        if path in seen:
            fail(f"{'.'.join(path)!r} collides with another field on its path", at, asked=".".join(path))
        for end in range(1, len(path)):
            if seen.get(path[:end]):
                fail(f"{'.'.join(path)!r} collides with {'.'.join(path[:end])!r}", at)
            seen[path[:end]] = False
        seen[path] = True
