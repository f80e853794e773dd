"""Statistics of a repo: what is counted when asked, and what is known without asking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.offload import offload
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.policy import OPEN
from xrepo_nb.observe.stats import CHANGES, RepoStats
from xrepo_nb.query.plan import Scan
from xrepo_nb.repos import asking, narrowing, reading
from xrepo_nb.repos.auditing import visible_entries
from xrepo_nb.repos.operation import Operation
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


def known(repo: XRepo[Any]) -> RepoStats:
    """The statistics as of the last count for whoever acts now; rows at hand are counted now. No I/O."""
    identity = resolve()
    counted, height = repo._measured.get(repo._policy_key(identity), {}), repo.height
    at_hand = {} if height is None else {"total_count": height}
    return _snapshot(repo, {**counted, **at_hand}, identity)


async def measure(repo: XRepo[Any], operation: Operation) -> RepoStats:
    """Counts the rows, and the different values of each field, that the caller may see."""
    scan, seen = Scan(repo.metadata.name), repo._policy_key(operation.identity, operation.policy)
    operation.rows = await reading.count(repo, scan, operation)
    counted: dict[str, Any] = {"total_count": operation.rows}
    counted["field_cardinalities"] = await _cardinalities(repo, operation)
    shown = narrowing.visible_schema(repo, operation.identity)
    counted["index_stats"] = {i.name: {"fields": list(i.fields), "unique": i.unique} for i in shown.indexes}
    if operation.policy is OPEN:
        counted["storage_size_bytes"] = await repo._size(operation.identity)
    repo._measured[seen] = counted
    return _snapshot(repo, counted, operation.identity)


def _snapshot(repo: XRepo[Any], counted: Mapping[str, Any], identity: Identity) -> RepoStats:
    if repo._stats_collector is None:
        return RepoStats(**counted)
    changes = {} if repo._policy(identity).is_admin else _own_changes(repo, identity)
    return repo._stats_collector.snapshot(**{**counted, **changes})


def _own_changes(repo: XRepo[Any], identity: Identity) -> dict[str, int]:
    """Today's changes by the caller: those of others may be to rows that he cannot see."""
    found = dict.fromkeys(CHANGES.values(), 0)
    today = datetime.now(UTC).date()
    for entry in visible_entries(repo, identity):
        if entry.operation in CHANGES and entry.timestamp.date() == today:
            found[CHANGES[entry.operation]] += int(entry.metadata.get("rows", 0))
    return found


async def _cardinalities(repo: XRepo[Any], operation: Operation) -> dict[str, int]:
    governed = await reading.lazily(repo, operation)
    if governed is not None and governed.schema.is_typed:
        return await offload(_unique_values, governed)
    schema = await narrowing.current_schema(repo, operation)
    shown = narrowing.sight_of(operation).shown(schema)
    return {name: await _values(repo, schema, name, operation) for name in shown.names}


def _unique_values(table: Table) -> dict[str, int]:
    if not table.schema.names:  # a frame without columns holds a place for its number of rows
        return {}
    lazy = table.lazy
    row = lazy.select(pl.all().drop_nulls().n_unique()).collect(engine="streaming").row(0, named=True)
    return {name: int(count) for name, count in row.items()}


async def _values(repo: XRepo[Any], schema: Schema, name: str, operation: Operation) -> int:
    plan = asking.distinct(schema, Scan(repo.metadata.name), (name,))
    table = (await reading.answer(repo, plan, operation)).table
    return sum(row.get("_id") is not None for row in table.documents)
