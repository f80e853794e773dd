"""Filters of views, given per source: `{"user_filters": {...}, "order_filters": {...}}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query.parsing.filters import predicate_of
from xrepo_nb.query.parsing.values import document
from xrepo_nb.query.predicates import Predicate
from xrepo_nb.query.renaming import mapped

_SUFFIX = "_filters"


class SourceFilters(NamedTuple):
    """A view's filters in parts: `by_source` on rows of single sources, `rest` on the view's own."""

    by_source: dict[str, Any]
    rest: dict[str, Any]


def split_view_filters(
    filters: Mapping[str, Any] | None, sources: Iterable[str], fields: Iterable[str] = ()
) -> SourceFilters:
    """Takes the keys `{source}_filters` out of a view's filters.

    A source answers to the last part of its name, as it is or in the singular: `users` and
    `mongo.users` to `users_filters` and `user_filters`, `categories` to `category_filters`. A key
    that is one of the view's own `fields` stays. Raises `XRepoQueryError` for a source that is
    not there, or that two names claim.

    >>> split_view_filters({"user_filters": {"status": "active"}, "total__gt": 5}, ["mongo.users"])
    SourceFilters(by_source={'mongo.users': {'status': 'active'}}, rest={'total__gt': 5})
    """
    names = _names(sources)
    own = frozenset(fields)
    by_source: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in (filters or {}).items():
        if not str(key).endswith(_SUFFIX) or key in own:
            rest[key] = value
            continue
        source = _source(key, names)
        if source in by_source:
            raise XRepoQueryError(f"two filters for the source {source!r}", at=key, asked=key)
        by_source[source] = _checked(value, key)
    return SourceFilters(by_source, rest)


def _checked(value: Any, key: str) -> Any:
    return value if value is None or predicate_of(value) is not None else document(value, key, key)


def _source(key: str, names: Mapping[str, list[str]]) -> str:
    found = names.get(key.removesuffix(_SUFFIX).casefold(), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise XRepoQueryError(f"{key!r} may mean several sources", asked=key, exists=found)
    raise XRepoQueryError(
        f"{key!r} names no source of this view",
        asked=key,
        exists=[name + _SUFFIX for name in names],
    )


def _names(sources: Iterable[str]) -> dict[str, list[str]]:
    """Every name that a source answers to."""
    found: dict[str, list[str]] = {}
    for source in sources:
        last = source.rpartition(".")[2].casefold()
        for name in dict.fromkeys((last, *singulars(last), source.casefold())):
            found.setdefault(name, []).append(source)
    return found


_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse"}


def singulars(name: str) -> tuple[str, ...]:
    """What a plural name may be the plural of, likeliest first.

    >>> singulars("categories"), singulars("boxes"), singulars("data")
    (('category', 'categorie'), ('box', 'boxe'), ())
    """
    before, _, word = name.rpartition("_")
    stem = f"{before}_" if before else ""
    if word in _IRREGULAR:
        return (stem + _IRREGULAR[word],)
    if not word.endswith("s") or word.endswith("ss"):
        return ()
    if word.endswith("ies"):
        return (stem + word[:-3] + "y", stem + word[:-1])
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return (stem + word[:-2], stem + word[:-1])
    return (stem + word[:-1],)


def in_view_names(predicate: Predicate, names: Mapping[str, str]) -> Predicate:
    """A source's predicate on the view's rows: each top-level field under its name there.

    Raises `XRepoQueryError` for a `$jsonSchema` or `$$ROOT`, which mean the source's whole row.

    >>> from xrepo_nb.query.parsing.entry import parse_filter
    >>> in_view_names(parse_filter({"status": "active"}), {"status": "users_status"}).path
    ('users_status',)
    """
    try:
        return mapped(predicate, lambda path: (names.get(path[0], path[0]), *path[1:]))
    except LookupError as error:
        raise XRepoQueryError(f"a filter of one source in a view names its fields: {error}") from error
