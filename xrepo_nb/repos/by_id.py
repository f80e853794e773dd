"""Records by their ids, where a source is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import XRepoConflictError
from xrepo_nb.query.predicates import And, Compare, In, Or, Predicate

if TYPE_CHECKING:
    from xrepo_nb.repos.foundation import RepoFoundation


def one_of(key: tuple[str, ...], ids: Sequence[Any]) -> Predicate:
    """What is true of the records with these ids."""
    if len(key) == 1:
        path = (key[0],)
        return Compare(path, "$eq", ids[0]) if len(ids) == 1 else In(path, tuple(ids))
    rows = [
        And(tuple(Compare((n,), "$eq", v) for n, v in zip(key, record_id, strict=True))) for record_id in ids
    ]
    return rows[0] if len(rows) == 1 else Or(tuple(rows))


def the_only(repo: RepoFoundation, found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The one record of an id; raises `XRepoConflictError` when there are several."""
    if len(found) > 1:
        named = ", ".join(repo.key)
        raise XRepoConflictError(
            f"{len(found)} records of {repo.metadata.name} have this {named}",
            asked=named,
            hint="name fields that tell records apart: primary_key=[...], or use find_one({...})",
        )
    return found[0] if found else None
