"""What became of each record of a bulk write that a source applies as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
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
