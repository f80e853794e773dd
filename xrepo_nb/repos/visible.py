"""What a caller whom rules narrow opens where the rows themselves tell the types: his rows alone, described
as if there were no others, so that no type, absence or field tells of rows and fields that he cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.offload import offload
from xrepo_nb.governance.policy import OPEN, Grant, Policy
from xrepo_nb.governance.rewrite import governed
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.plan import Match, Plan, Scan
from xrepo_nb.query.predicates import EVERYTHING
from xrepo_nb.repos.deletion import DELETED_AT, living
from xrepo_nb.repos.execution import Opened, execute, gather, lowered, run_now
from xrepo_nb.schema.redescribing import Untyped, redescribed
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo
    from xrepo_nb.repos.foundation import RepoFoundation

_AT_ONCE = 20_000
"""Cells up to which describing rows at hand takes less than a thread hop is worth."""


@dataclass(slots=True)
class Kept:
    """What one grant leaves of the rows `of` which it was made: None where nothing is at hand. `model`: of
    its records, once asked for."""

    of: Any
    found: Opened
    model: type[Any] | None = None


async def opened(repo: XRepo[Any], found: Opened, policy: Policy, permission: Permission) -> Opened:
    """The collection as the policy lets its caller see it, made once for each state of the rows."""
    untyped = _settled(repo, found, policy, permission)
    if isinstance(untyped, Opened):
        return untyped
    made = _at_once(repo, found, policy, permission)
    if made is None and found.table is None:
        name = repo.metadata.name
        rows = _rows(repo, policy.grants[permission], found)
        asked, inputs = await gather(rows, {name: found}, {name: repo})
        table = (await execute(asked, inputs)).table
        made = await offload(_finished, repo, found, untyped.typed(table), policy, permission)
    elif made is None and found.table is not None and _is_small(found.table):
        made = _made(repo, found, untyped, policy, permission)
    elif made is None:
        made = await offload(_made, repo, found, untyped, policy, permission)
    return _kept(repo, found, made, policy, permission)


def at_hand(repo: RepoFoundation, found: Opened, policy: Policy, permission: Permission) -> Opened:
    """As `opened`, of rows in memory, without waiting. Blocking."""
    untyped = _settled(repo, found, policy, permission)
    if isinstance(untyped, Opened):
        return untyped
    made = _at_once(repo, found, policy, permission)
    if made is None:
        made = _made(repo, found, untyped, policy, permission)
    return _kept(repo, found, made, policy, permission)


def _settled(repo: RepoFoundation, found: Opened, policy: Policy, permission: Permission) -> Opened | Untyped:
    """The collection, where no rule narrows it or its types are stated; else its rows without types."""
    if policy is OPEN or permission not in policy.grants:
        return found
    untyped = repo._untyped(found)
    return repo._as_stated(found) if untyped is None else untyped


def _at_once(repo: RepoFoundation, found: Opened, policy: Policy, permission: Permission) -> Opened | None:
    """What needs no look at the rows: it is known, or the same as for all."""
    if found.schema.is_typed and shows_all_rows(policy.grants[permission]):
        return found
    return _known(repo, found, policy, permission)


def _kept(
    repo: RepoFoundation, found: Opened, made: Opened, policy: Policy, permission: Permission
) -> Opened:
    """What was made, kept for as long as the rows are the same, and its model as long as the types are."""
    key = _key(policy, permission)
    before = repo._visible.get(key)
    if before is None or before.found is not made or before.of is not found.stamp:
        same = before is not None and _alike(before.found.schema, made.schema)
        repo._visible[key] = Kept(found.stamp, made, before.model if same and before is not None else None)
    return made


def shows_all_rows(grant: Grant) -> bool:
    """Whether the grant hides whole fields at most, of which the others tell nothing."""
    paths = (*(grant.fields.allow or ()), *grant.fields.deny)
    return grant.rows == EVERYTHING and not grant.masks and all(len(path) == 1 for path in paths)


def last(repo: RepoFoundation, policy: Policy, permission: Permission) -> Schema | None:
    """The schema of what `opened` gave last for the policy."""
    kept = repo._visible.get(_key(policy, permission))
    return None if kept is None else kept.found.schema


def model_of(repo: RepoFoundation, policy: Policy, permission: Permission) -> type[Any] | None:
    """The class of the records that `opened` gave last: of a model that was made from the rows, one made
    from the visible ones."""
    model, kept = repo._model_class, repo._visible.get(_key(policy, permission))
    if kept is None or not is_generated(model):
        return model
    if kept.model is None:
        from xrepo_nb.schema.models import build_model

        schema = _without_mark(repo, policy.visible(kept.found.schema, permission))
        kept.model = build_model(schema, model.__name__ if model is not None else "")
    return kept.model


def is_generated(model: type[Any] | None) -> bool:
    """Whether the model was made from a schema."""
    return model is not None and "__xrepo_schema__" in vars(model)


def _known(repo: RepoFoundation, found: Opened, policy: Policy, permission: Permission) -> Opened | None:
    kept = repo._visible.get(_key(policy, permission))
    return kept.found if kept is not None and found.stamp is not None and kept.of is found.stamp else None


def _key(policy: Policy, permission: Permission) -> str:
    return f"{permission.value} {policy.version}"


def _is_small(table: Table) -> bool:
    return not table.is_lazy and len(table) * max(1, len(table.schema.fields)) <= _AT_ONCE


def _made(
    repo: RepoFoundation, found: Opened, untyped: Untyped, policy: Policy, permission: Permission
) -> Opened:
    """What the policy leaves, unread where it can be; rows that only the interpreter can pick are read."""
    from xrepo_nb.engines.polars.engine import INEXACT

    plan, name, rows = _rows(repo, policy.grants[permission], found), repo.metadata.name, untyped.rows()
    try:
        picked = untyped.typed(_run(plan, name, rows))
    except INEXACT:
        picked = untyped.typed(run_now(plan, {name: rows}))
    return _finished(repo, found, picked, policy, permission)


def _finished(
    repo: RepoFoundation, found: Opened, rows: Table, policy: Policy, permission: Permission
) -> Opened:
    """The rows cut down to the fields that the grant shows; `found` itself where all that is hidden made
    no difference, so that queries go on being pushed down to it."""
    grant, name = policy.grants[permission], repo.metadata.name
    rest = governed(Scan(name), replace(grant, rows=EVERYTHING))
    shown = rows if isinstance(rest, Scan) else _run(rest, name, rows)
    if shown is not rows and found.table is not None:  # else the source states what it can
        shown = redescribed(shown)
    known = found.schema if found.table is not None else found.schema.replace(fields=rows.schema.fields)
    schema = _described(known, shown.schema)
    bare = not grant.masks and found.schema.is_typed
    if bare and _alike(schema, _without_mark(repo, policy.visible(found.schema, permission))):
        return found
    table = (
        Table(lazy=shown.lazy, schema=schema) if shown.is_lazy else Table(frame=shown.frame, schema=schema)
    )
    return replace(found, schema=schema, table=table, plan=None, narrowed=True)


def _rows(repo: RepoFoundation, grant: Grant, found: Opened) -> Plan:
    """The rows that the grant reaches, whole."""
    plan: Plan = Scan(repo.metadata.name)
    if repo._marks_deleted(found.schema):
        plan = living(repo, plan)
    return plan if grant.rows == EVERYTHING else Match(plan, grant.rows)


def _without_mark(repo: RepoFoundation, schema: Schema) -> Schema:
    return schema.select(n for n in schema.names if n != DELETED_AT) if repo._hides_mark() else schema


def _run(plan: Plan, name: str, table: Table) -> Table:
    """The plan's rows: unread where those of the table are and Polars can do it."""
    if isinstance(plan, Scan):
        return table
    found = lowered(plan, {name: table}) if table.is_lazy else None
    return run_now(plan, {name: table}) if found is None else found


def _described(known: Schema, found: Schema) -> Schema:
    """The fields that were found, with what is known of them that no row tells."""
    fields = []
    for field in found.fields:
        own = known.field(field.name)
        fields.append(field if own is None else replace(own, type=field.type, absence=field.absence))
    return known.select(found.names).replace(fields=tuple(fields))


def _alike(a: Schema, b: Schema) -> bool:
    """Whether fields, types and absence are the same."""

    def told(schema: Schema) -> Iterable[Any]:
        return [(field.name, field.type, field.absence) for field in schema.fields]

    return told(a) == told(b)
