"""Writes of SQL sources: what a column takes, one statement a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.outcomes import attach
from xrepo_nb.resources.sql_statements import Returned
from xrepo_nb.schema.types import HELD, NUMERIC

T = TypeVar("T")
Answers = list[list[tuple[Any, ...]]]
"""The rows that each statement of a bulk returned."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One write: its text, what it binds, the values by column, and what makes an insertion's text."""

    sql: str
    params: tuple[Any, ...]
    values: Mapping[str, Any]
    many: tuple[str, tuple[str, ...], tuple[Returned, ...], str] | None = None


class RecordError(Exception):
    """A statement of a bulk failed in the driver; `at` is its position."""

    def __init__(self, at: int, cause: Exception) -> None:
        super().__init__(at)
        self.at, self.cause = at, cause


ACCEPTED: Mapping[str, tuple[type, ...]] = {
    **HELD,
    "float": (float, int),
    "binary": (bytes, bytearray, memoryview, UUID),
}
"""What a column of each kind takes."""

_INTEGERS = range(-(2**63), 2**63)


def fits(value: Any, kind: str, accepted: Mapping[str, tuple[type, ...]] = ACCEPTED) -> bool:
    """Whether a column of the kind keeps the value as it is."""
    if isinstance(value, bool) and kind in NUMERIC:
        return False
    if isinstance(value, datetime) and kind == "date":
        return False
    if isinstance(value, int) and value not in _INTEGERS:
        return False
    return isinstance(value, accepted.get(kind, ()))


def misfit(name: str, value: Any, held: object) -> XRepoValidationError:
    """The error for a value that a column cannot keep, which it does not tell."""
    given = f"a value of type {type(value).__name__}"
    if isinstance(value, int) and value not in _INTEGERS:
        given = "an int beyond 64 bits"
    elif isinstance(value, float) and value != value:
        given = "NaN"
    return XRepoValidationError(f"column {name!r} cannot keep {given}: it holds {held}", asked=name)


def each(records: Sequence[T], build: Callable[[T], Statement]) -> list[Statement]:
    """A statement for each record; the error of a bad one tells which it was."""
    statements = []
    for at, record in enumerate(records):
        try:
            statements.append(build(record))
        except XRepoValidationError as error:
            raise attach(error, at, len(records)) from None
    return statements
