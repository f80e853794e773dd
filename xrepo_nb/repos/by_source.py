"""Filters by source: `{"user_filters": {...}}` on a view, in the names of that source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as attributes
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.query.predicates import And, Predicate

SUFFIX = "_filters"


def parted(
    filters: Any, names: Mapping[str, Mapping[str, str]], *, at: str = "filter"
) -> tuple[Any, list[Predicate]]:
    """Splits `{source}_filters` off: the rest, and their predicates in the view's names.

    `names` gives, for each short source name, what its fields are called in the view.
    """
    if not isinstance(filters, Mapping):
        return filters, []
    from xrepo_nb.query.naming import named
    from xrepo_nb.query.parsing import parse_filter

    rest, predicates = {}, []
    for key, value in filters.items():
        source = _source_of(key, names)
        if source is None:
            rest[key] = value
            continue
        inner = parse_filter(value, at=f"{at}.{key}", fields=tuple(names[source]))
        predicates.append(translated(named(inner, _dotted(names[source])), names[source]))
    return rest, predicates


def _dotted(names: Mapping[str, str]) -> list[str]:
    return [name for name in names if "." in name and name.partition(".")[0] not in names]


def _source_of(key: str, names: Mapping[str, Any]) -> str | None:
    if not isinstance(key, str) or not key.endswith(SUFFIX):
        return None
    asked = key.removesuffix(SUFFIX)
    wanted = {asked, f"{asked}s", f"{asked}es", f"{asked[:-1]}ies"}
    found = [name for name in names if name in wanted or asked == f"{name}s"]
    if found:
        return found[0]
    raise XRepoConfigurationError(
        f"the view has no source {asked!r}", asked=key, exists=[name + SUFFIX for name in names]
    )


def translated(predicate: Predicate, names: Mapping[str, str]) -> Predicate:
    """The predicate with the first step of each path renamed."""
    changes = {
        item.name: _renamed_in(getattr(predicate, item.name), item.name, names)
        for item in attributes(predicate)
    }
    if isinstance(getattr(predicate, "on_values", None), bool):  # paths below an element are its own
        changes.pop("predicate", None)
    return replace(predicate, **changes)


def _renamed_in(value: Any, attribute: str, names: Mapping[str, str]) -> Any:
    if attribute == "path" and value:
        return (names.get(value[0], value[0]), *value[1:])
    if isinstance(value, Predicate):
        return translated(value, names)
    if isinstance(value, tuple) and value and all(isinstance(item, Predicate) for item in value):
        return tuple(translated(item, names) for item in value)
    return value


def combined(rest: Any, predicates: list[Predicate]) -> Any:
    """The filters of the view itself and those by source as one."""
    if not predicates:
        return rest
    from xrepo_nb.query.parsing import parse_filter

    own = [parse_filter(rest)] if rest else []
    return And((*own, *predicates))
