"""Keys of SQL tables that the database itself does not watch over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoConflictError, XRepoUnsupportedError, XRepoValidationError
from xrepo_nb.resources.outcomes import attach
from xrepo_nb.resources.sql_statements import repeats_sql
from xrepo_nb.resources.sql_writes import Answers
from xrepo_nb.schema.schema import Schema

Run = Callable[[str, Sequence[Any]], Sequence[tuple[Any, ...]]]
"""Runs a statement with what it binds, and gives its rows."""

_BOUND = 30_000
"""Values that one statement binds: SQLite takes 32,766."""


def key_of_table(schema: Schema, asked: Sequence[str]) -> tuple[str, ...]:
    """The fields that records are known by: those asked for, else the primary key."""
    for name in asked:
        if schema.field(name) is None:
            raise XRepoValidationError(
                f"{schema.name} has no field {name!r} for the key", asked=name, exists=schema.names
            )
    key = tuple(asked) or schema.primary_key
    if not key:
        raise XRepoUnsupportedError(
            f"{schema.name} has no primary key",
            asked="primary key",
            hint="declare one in the database, or name the fields that tell records apart: primary_key=...",
        )
    return key


def is_watched(schema: Schema, key: Sequence[str]) -> bool:
    """Whether the database itself refuses a second record of that key."""
    unique = [schema.primary_key, *(index.fields for index in schema.indexes if index.unique)]
    return any(fields and set(fields) <= set(key) for fields in unique)


def must_be_whole(record_id: Sequence[Any], key: Sequence[str]) -> None:
    """Raises `XRepoValidationError` for an id without a value for a field of the key."""
    if None in record_id:
        name = key[record_id.index(None)]
        raise XRepoValidationError(f"there is no value for the key {name!r}", asked=name, exists=key)


def must_have_ids(rows: Sequence[tuple[Any, ...]], places: Sequence[int], key: Sequence[str]) -> None:
    """Raises `XRepoValidationError` for the first of some rows without a value for the key."""
    for at, row in enumerate(rows):
        try:
            must_be_whole([row[place] for place in places], key)
        except XRepoValidationError as error:
            raise attach(error, at, len(rows)) from None


def must_hit_one(answers: Answers, table: str, key: Sequence[str]) -> None:
    """Raises `XRepoConflictError` for a write by id that hit several records."""
    for at, rows in enumerate(answers):
        if len(rows) > 1:
            error = XRepoConflictError(
                f"{len(rows)} records of {table} have this {', '.join(key)}",
                asked=", ".join(key),
                hint="name fields that tell records apart: primary_key=[...]",
            )
            raise attach(error, at, len(answers))


def must_be_new(
    run: Run, table: str, key: tuple[str, ...], ids: Sequence[tuple[Any, ...]], dialect: str
) -> None:
    """Raises `XRepoConflictError` for the first of some records, just added, whose id is taken."""
    at = _first_taken(run, table, key, ids, dialect)
    if at is not None:
        named = ", ".join(key)
        error = XRepoConflictError(f"a record with this {named} exists already", asked=named)
        raise attach(error, at, len(ids))


def _first_taken(
    run: Run, table: str, key: tuple[str, ...], ids: Sequence[tuple[Any, ...]], dialect: str
) -> int | None:
    found: dict[int, int] = {}
    size = _BOUND // (len(key) + 1)
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        params = [value for at, record_id in enumerate(part, start) for value in (at, *record_id)]
        found.update((at, times) for at, times in run(repeats_sql(table, key, len(part), dialect), params))
    alike = {at: tuple(v if isinstance(v, Hashable) else repr(v) for v in ids[at]) for at in sorted(found)}
    among = Counter(alike.values())
    seen: set[Any] = set()
    for at, record_id in alike.items():
        if found[at] > among[record_id] or record_id in seen:
            return at
        seen.add(record_id)
    return None
