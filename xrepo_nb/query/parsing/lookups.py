"""Django-style filters: `{"age__gte": 3, "address__city__in": [...]}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.parsing.patterns import listed, pattern_parts
from xrepo_nb.query.parsing.values import array, copied, fail, flag, string

Lookup = Callable[[Path, Any, str], p.Predicate]


def split_lookup(key: str, fields: Container[str] = ()) -> tuple[Path, str | None] | None:
    """The path and the lookup of `a__b__op`; no lookup means that the value decides.

    None when the underscores belong to the name itself: `__v`, `x__`, one of `fields`.
    """
    name, _, last = key.rpartition("__")
    if last in LOOKUPS and name in fields and key not in fields:
        return tuple(name.split(".")), last
    if key.partition(".")[0] in fields:
        return None
    if last in LOOKUPS and name.partition(".")[0] in fields:
        return tuple(name.split(".")), last
    parts = key.split("__")
    if not all(parts):
        return None
    lookup = parts.pop() if parts[-1] in LOOKUPS else None
    return tuple(step for part in parts for step in part.split(".")), lookup


def lookup_predicate(path: Path, name: str, value: Any, at: str) -> p.Predicate:
    """The predicate of one lookup. Its value is data: operators in it are refused."""
    return LOOKUPS[name](path, _plain(value, at), at)


def _plain(value: Any, at: str) -> Any:
    if isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
        fail("the value of a lookup is plain data, not operators", at)
    return value


def _compare(op: str) -> Lookup:
    return lambda path, value, at: p.Compare(path, op, copied(value, at), at=at)


def _values(path: Path, value: Any, at: str) -> p.Predicate:
    given = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else array(value, "in", at)
    return p.In(path, tuple(listed(_plain(item, at), at) for item in given), at=at)


def _not(lookup: Lookup) -> Lookup:
    return lambda path, value, at: p.Not(lookup(path, value, at))


def _text(before: str, after: str, options: str = "") -> Lookup:
    def parse(path: Path, value: Any, at: str) -> p.Predicate:
        pattern, _ = pattern_parts(before + re.escape(string(value, "this lookup", at)) + after, at)
        return p.Regex(path, pattern, options, at=at)

    return parse


def _regex(options: str) -> Lookup:
    def parse(path: Path, value: Any, at: str) -> p.Predicate:
        pattern, own = pattern_parts(string(value, "this lookup", at), at)
        return p.Regex(path, pattern, own or options, at=at)

    return parse


def _isnull(path: Path, value: Any, at: str) -> p.Predicate:
    null = p.Compare(path, "$eq", None, at=at)
    return null if flag(value, "isnull", at) else p.Not(null)


def _range(path: Path, value: Any, at: str) -> p.Predicate:
    given = array(value, "range", at)
    if len(given) != 2:
        fail(f"range takes [from, to], not {len(given)} values", at)
    low, high = (copied(_plain(item, at), at) for item in given)
    return p.And((p.Compare(path, "$gte", low, at=at), p.Compare(path, "$lte", high, at=at)))


LOOKUPS: dict[str, Lookup] = {
    "exact": _compare("$eq"),
    "iexact": lambda path, value, at: (
        _text("^", r"\z", "i")(path, value, at) if value is not None else _isnull(path, True, at)
    ),
    "ne": _not(_compare("$eq")),
    "gt": _compare("$gt"),
    "gte": _compare("$gte"),
    "lt": _compare("$lt"),
    "lte": _compare("$lte"),
    "in": _values,
    "nin": _not(_values),
    "contains": _text("", ""),
    "icontains": _text("", "", "i"),
    "startswith": _text("^", ""),
    "istartswith": _text("^", "", "i"),
    "endswith": _text("", r"\z"),
    "iendswith": _text("", r"\z", "i"),
    "regex": _regex(""),
    "iregex": _regex("i"),
    "isnull": _isnull,
    "exists": lambda path, value, at: p.Exists(path, flag(value, "exists", at)),
    "range": _range,
}
