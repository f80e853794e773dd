"""What became of each record of a bulk write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.resources.base import WriteResult


def attach(error: XRepoError, at: int, total: int) -> XRepoError:
    """The error of one record with the `result` of all: nothing was applied."""
    outcomes = tuple("failed" if i == at else "skipped" for i in range(total))
    error.result = WriteResult(outcomes, {at: error.message})
    return error


def outcomes_of(found: Sequence[bool], documents: Sequence[dict[str, Any] | None]) -> WriteResult:
    """Applied where there was a record of that id, else skipped."""
    missing = {at: "no record with this id" for at, there in enumerate(found) if not there}
    outcomes = tuple("applied" if there else "skipped" for there in found)
    return WriteResult(outcomes, missing, tuple(documents))


def spread(result: WriteResult, places: Sequence[int], total: int, errors: Mapping[int, str]) -> WriteResult:
    """The outcome for each of `total` records, of which only those at `places` were written: of the others
    those in `errors` failed, and there was nothing to do for the rest."""
    outcomes = ["failed" if at in errors else "skipped" for at in range(total)]
    documents: list[dict[str, Any] | None] = [None] * total
    reasons = dict(errors) | {places[position]: reason for position, reason in result.errors.items()}
    for position, at in enumerate(places):
        outcomes[at] = result.outcomes[position]
        if position < len(result.documents):
            documents[at] = result.documents[position]
    return WriteResult(tuple(outcomes), dict(sorted(reasons.items())), tuple(documents))


def united(first: WriteResult, second: WriteResult) -> WriteResult:
    """The outcomes of one write after those of another."""
    before = len(first.outcomes)
    padded = (*first.documents, *[None] * (before - len(first.documents)))
    errors = {**first.errors, **{before + at: reason for at, reason in second.errors.items()}}
    return WriteResult(first.outcomes + second.outcomes, errors, (*padded, *second.documents))
