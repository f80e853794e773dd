"""Writes of many records: all computed before any is applied, every index accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoError,
    XRepoPermissionError,
    XRepoValidationError,
    chosen,
)
from xrepo_nb.repos.change import Change, Current, Item, Kind, Stale
from xrepo_nb.repos.documents import as_key, distinct
from xrepo_nb.repos.rows import BulkCount, BulkRows
from xrepo_nb.repos.writing import (
    ATTEMPTS,
    ON_ERROR,
    OnError,
    Writer,
    finish,
    refused,
    required_key,
    shown_record,
    stored_at,
)
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.resources.outcomes import spread, united

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


async def create(writer: Writer, data: Sequence[Any], on_error: OnError) -> BulkRows[Any]:
    """Creates the records that can be taken."""
    chosen("on_error", on_error, ON_ERROR)
    data = _several(data, "records", '[{"name": "Ann"}, ...]')
    items, errors = _each(data, lambda _, given: writer.created(given)[0], on_error)
    result = await _applied(writer, "create", len(data), items, errors, on_error)
    shown = [
        shown_record(writer, stored_at(result, index, item))
        for index, item in items.items()
        if result.outcomes[index] == "applied"
    ]
    return BulkRows(shown, result)


async def update(writer: Writer, updates: Sequence[tuple[Any, Any]], on_error: OnError) -> BulkCount:
    """Updates the records that there are; an id given twice sees its first update."""
    chosen("on_error", on_error, ON_ERROR)
    key = required_key(writer.repo, writer.operation.policy)
    updates = _pairs(updates)
    ids = [as_key(record_id, key, writer.repo._schema) for record_id, _ in updates]

    async def attempt() -> WriteResult:
        found = await _standing(writer, ids)

        def changed(index: int, given: Any) -> Item | None:
            current = found.get(distinct(ids[index]))
            if current is None:
                return None
            item = writer.changed(ids[index], current, given)
            found[distinct(ids[index])] = Current(item.document or {}, current.revision)
            return item if item.changed else None

        items, errors = _each([given for _, given in updates], changed, on_error)
        return await _applied(writer, "update", len(updates), items, errors, on_error)

    return BulkCount(await _tried(attempt))


async def delete(writer: Writer, ids: Sequence[Any], soft: bool) -> BulkCount:
    """Deletes the records that there are."""
    key = required_key(writer.repo, writer.operation.policy)
    ids = _several(ids, "ids", "[1, 2, ...]")
    wanted = [as_key(record_id, key, writer.repo._schema) for record_id in ids]
    soft = writer.repo._deletes_softly(soft)
    writer.operation.details["soft"] = soft

    async def attempt() -> WriteResult:
        found = await _standing(writer, wanted)

        def removed(index: int, record_id: Any) -> Item | None:
            current = found.pop(distinct(record_id), None)
            return None if current is None else writer.removed(record_id, current, soft)

        items, errors = _each(wanted, removed, "raise")
        return await _applied(writer, "update" if soft else "delete", len(ids), items, errors, "raise")

    return BulkCount(await _tried(attempt))


def _several(given: Any, what: str, example: str) -> list[Any]:
    """The items given; one item alone, a text or a mapping is refused, as it would be taken apart."""
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        return list(given)
    raise XRepoConfigurationError(
        f"{what} are given as a list, not as one {type(given).__name__}",
        asked=type(given).__name__,
        hint=f"write {example}",
    )


def _pairs(updates: Any) -> list[tuple[Any, Any]]:
    example = '[(1, {"name": "Ann"}), ...]'
    given = _several(updates, "updates", example)
    for index, pair in enumerate(given):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise XRepoConfigurationError(
                f"update {index} of {len(given)} is no pair of an id and its data", hint=f"write {example}"
            )
    return [(record_id, change) for record_id, change in given]


async def _standing(writer: Writer, ids: Sequence[Any]) -> dict[Any, Current]:
    """The records that the caller may touch, by their `distinct` ids."""
    wanted = {distinct(record_id): record_id for record_id in ids}
    found = await writer.repo._current(list(wanted.values()), writer.operation.identity)
    pairs = zip(wanted, found, strict=True)
    return {i: current for i, current in pairs if current is not None and writer.may_touch(current.document)}


def _each(
    data: Sequence[Any], compute: Callable[[int, Any], Item | None], on_error: OnError
) -> tuple[dict[int, Item], dict[int, str]]:
    """The item of each index that has one, and why the others have none. A denial stops all."""
    items: dict[int, Item] = {}
    errors: dict[int, str] = {}
    for index, given in enumerate(data):
        try:
            item = compute(index, given)
        except XRepoPermissionError:
            raise
        except XRepoError as error:
            if on_error == "raise":
                raise _at_index(error, index, len(data)) from error
            errors[index] = str(error)
        else:
            if item is not None:
                items[index] = item
    return items, errors


def _at_index(error: XRepoError, index: int, total: int) -> XRepoError:
    located = type(error)(
        f"record {index} of {total}: {error.message}", asked=error.asked, exists=error.exists, hint=error.hint
    )
    located.__notes__ = ["nothing was written"]
    return located


async def _applied(
    writer: Writer, kind: Kind, total: int, items: dict[int, Item], errors: dict[int, str], on_error: OnError
) -> WriteResult:
    """Applies the items; the outcome for each of `total` indexes."""
    result = WriteResult(())
    if items:
        change = Change(kind, tuple(items.values()))
        result = await writer.apply(change, partial=on_error == "skip")
    told = spread(result, list(items), total, errors)
    applied = [item.id for index, item in items.items() if told.outcomes[index] == "applied"]
    finish(writer, applied)
    writer.operation.details["outcomes"] = dict(Counter(told.outcomes))
    if on_error == "raise" and told.errors:
        raise _incomplete(writer.repo, told)
    return told


def _incomplete(repo: XRepo[Any], result: WriteResult) -> XRepoValidationError:
    index, reason = next(iter(result.errors.items()))
    applied = result.outcomes.count("applied")
    error = refused(reason)(
        f"{repo.metadata.name}: record {index} of {len(result.outcomes)}: {reason}; {applied} were written",
        hint='pass on_error="skip" to keep those that can be taken',
    )
    error.result = result
    return error


async def _tried(attempt: Callable[[], Awaitable[WriteResult]]) -> WriteResult:
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except Stale:
            continue
    raise XRepoConflictError("the records kept changing meanwhile", hint="try again")


async def skipping(write: Callable[[Change], Awaitable[WriteResult]], change: Change) -> WriteResult:
    """Writes the items that the source takes, where it takes all of a change or none of it.

    The error of one that it does not take tells which it was: those before it are written, and
    those after it tried.
    """
    done = WriteResult(())
    items = change.items
    while items:
        try:
            return united(done, await write(replace(change, items=items)))
        except XRepoValidationError as error:
            told: WriteResult | None = error.result
            if told is None or not told.errors:
                raise
        at, reason = next(iter(told.errors.items()))
        if at:
            done = united(done, await write(replace(change, items=items[:at])))
        done = united(done, WriteResult(("failed",), {0: reason}, (None,)))
        items = items[at + 1 :]
    return done
