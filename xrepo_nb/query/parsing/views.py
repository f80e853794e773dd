"""Filters of views, given per source: `{"user_filters": {...}, "order_filters": {...}}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.parsing.entry import Filter, parse_filter
from xrepo_nb.query.parsing.filters import predicate_of
from xrepo_nb.query.parsing.values import document
from xrepo_nb.query.predicates import Predicate, conjunction
from xrepo_nb.query.renaming import mapped
from xrepo_nb.schema.naming import singular

_SUFFIX = "_filters"


class SourceFilters(NamedTuple):
    """A view's filters in parts: `by_source` on rows of single sources, `rest` on the view's own."""

    by_source: dict[str, Any]
    rest: dict[str, Any]


def parse_view_filter(
    given: Filter, names: Mapping[str, Mapping[str, str]], *, fields: Iterable[str] = ()
) -> Predicate:
    """As `parse_filter`, of a view's `fields` or, in `{source}_filters`, of a source's.

    `names` gives, for each source, what its fields are called in the view.
    """
    if not isinstance(given, Mapping):
        return parse_filter(given, fields=fields)
    from xrepo_nb.query.naming import named

    by_source, rest = split_view_filters(given, names, fields)
    parts = [parse_filter(rest, fields=fields)] if rest else []
    for source, filters in by_source.items():
        own = parse_filter(filters, at=f"filter.{source}{_SUFFIX}", fields=names[source])
        parts.append(in_view_names(named(own, _without_paths(names[source])), names[source]))
    return conjunction(parts)


def _without_paths(names: Iterable[str]) -> list[str]:
    """The names with dots that no path into another field spells."""
    known = frozenset(names)
    return [name for name in known if "." in name and name.partition(".")[0] not in known]


def split_view_filters(
    filters: Mapping[str, Any] | None, sources: Iterable[str], fields: Iterable[str] = ()
) -> SourceFilters:
    """Takes the keys `{source}_filters` out of a view's filters.

    A source answers to the last part of its name, as it is or in the other number: `users` and
    `mongo.users` to `users_filters` and `user_filters`, `categories` to `category_filters`. A key that
    is one of the view's own `fields` stays. Raises `XRepoQueryError` for a source that is not there,
    or that two names claim.

    >>> split_view_filters({"user_filters": {"status": "active"}, "total__gt": 5}, ["mongo.users"])
    SourceFilters(by_source={'mongo.users': {'status': 'active'}}, rest={'total__gt': 5})
    """
    known, own = list(sources), frozenset(fields)
    by_source: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in (filters or {}).items():
        if not str(key).endswith(_SUFFIX) or key in own:
            rest[key] = value
            continue
        source = _source(key, known)
        if source in by_source:
            raise XRepoQueryError(f"two filters for the source {source!r}", at=key, asked=key)
        by_source[source] = _checked(value, key)
    return SourceFilters(by_source, rest)


def _checked(value: Any, key: str) -> Any:
    return value if value is None or predicate_of(value) is not None else document(value, key, key)


def _source(key: str, sources: Sequence[str]) -> str:
    asked = key.removesuffix(_SUFFIX).casefold()
    named = [source for source in sources if asked in (source.casefold(), _last(source))]
    found = named or [source for source in sources if _is_plural(asked, _last(source))]
    if len(found) == 1:
        return found[0]
    if found:
        raise XRepoQueryError(f"{key!r} may mean several sources", asked=key, exists=found)
    names = dict.fromkeys(name for source in sources for name in (_last(source), singular(_last(source))))
    raise XRepoQueryError(
        f"{key!r} names no source of this view", asked=key, exists=[name + _SUFFIX for name in names]
    )


def _last(source: str) -> str:
    return source.rpartition(".")[2].casefold()


def _is_plural(asked: str, name: str) -> bool:
    """Whether one of the two is a plural of the other."""
    return singular(name) == asked or name in (f"{asked}s", f"{asked}es") or asked == f"{name}s"


def in_view_names(predicate: Predicate, names: Mapping[str, str]) -> Predicate:
    """A source's predicate on the view's rows: each top-level field under its name there.

    Raises `XRepoQueryError` for a `$jsonSchema` or `$$ROOT`, which mean the source's whole row.

    >>> in_view_names(parse_filter({"status": "active"}), {"status": "users_status"}).path
    ('users_status',)
    """
    try:
        return mapped(predicate, lambda path: (names.get(path[0], path[0]), *path[1:]))
    except LookupError as error:
        raise XRepoQueryError(f"a filter of one source in a view names its fields: {error}") from error
