"""What a caller whom rules narrow opens where the rows themselves tell the types: his rows alone, described
as if there were no others, so that no type, absence or field tells of rows and fields that he cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.frozen import frozen
from xrepo_nb.core.offload import offload
from xrepo_nb.governance.identity import Identity
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
    from xrepo_nb.repos.foundation import RepoFoundation

_AT_ONCE = 20_000
"""Cells up to which describing rows at hand takes less than a thread hop is worth."""


@dataclass(slots=True)
class Seen:
    """What one grant leaves of the rows `of` which it was made: None where nothing is at hand. `model`: of
    its records, once asked for."""

    of: Any
    found: Opened
    model: type[Any] | None = None


@frozen
class Sight:
    """What a policy shows of a repo to a caller who uses one of its permissions."""

    repo: RepoFoundation
    policy: Policy
    permission: Permission = Permission.LIST

    # The schema.

    def shown(self, schema: Schema) -> Schema:
        """The schema without what is hidden, the repo's own mark of deleted rows, and the schemas of a view's
        sources, which tell of what the view's rules hide."""
        if self.repo._hides_mark() and schema.field(DELETED_AT) is not None:
            schema = schema.select(name for name in schema.names if name != DELETED_AT)
        if self.policy is OPEN:
            return schema
        shown = self.policy.visible(schema, self.permission)
        if self.policy.grant(self.permission).is_open:
            return shown
        return shown.replace(extra=tuple(item for item in shown.extra if item[0] != "source_schemas"))

    def schema(self, identity: Identity) -> Schema:
        """The schema as the caller's rows give it, as far as that is known without asking a source."""
        schema = self.repo._schema_for(identity)
        if self.policy is OPEN:
            return schema
        found = self.repo._at_hand(identity)
        if found is not None:
            return self.at_hand(found).schema
        known = self.last()
        if known is not None:
            return known
        return schema if _shows_all_rows(self.policy.grants[self.permission]) else self.repo._stated(schema)

    def last(self) -> Schema | None:
        """The schema of what was opened last."""
        seen = self._seen()
        return None if seen is None else seen.found.schema

    def model(self) -> type[Any] | None:
        """The class of the records that were opened last: of a model that was made from the rows, one made
        from the visible ones."""
        model, seen = self.repo._model_class, self._seen()
        if seen is None or not is_generated(model):
            return model
        if seen.model is None:
            from xrepo_nb.schema.models import build_model

            name = model.__name__ if model is not None else ""
            seen.model = build_model(self.shown(seen.found.schema), name)
        return seen.model

    # The rows.

    async def opened(self, found: Opened) -> Opened:
        """The collection as the caller may see it, made once for each state of the rows."""
        untyped = self._settled(found)
        if isinstance(untyped, Opened):
            return untyped
        made = self._at_once(found)
        if made is None and found.table is None:
            name = self.repo.metadata.name
            asked, inputs = await gather(self._rows(found), {name: found}, {name: self.repo})
            table = (await execute(asked, inputs)).table
            made = await offload(lambda: self._finished(found, untyped.typed(table)))
        elif made is None and found.table is not None and _is_small(found.table):
            made = self._made(found, untyped)
        elif made is None:
            made = await offload(self._made, found, untyped)
        return self._kept(found, made)

    def at_hand(self, found: Opened) -> Opened:
        """As `opened`, of rows in memory, without waiting. Blocking."""
        untyped = self._settled(found)
        if isinstance(untyped, Opened):
            return untyped
        return self._kept(found, self._at_once(found) or self._made(found, untyped))

    def _settled(self, found: Opened) -> Opened | Untyped:
        """The collection, where no rule narrows it or its types are stated; else its rows without types."""
        if self.policy is OPEN or self.permission not in self.policy.grants:
            return found
        untyped = self.repo._untyped(found)
        return self.repo._as_stated(found) if untyped is None else untyped

    def _at_once(self, found: Opened) -> Opened | None:
        """What needs no look at the rows: it is known, or the same as for all."""
        if found.schema.is_typed and _shows_all_rows(self.policy.grants[self.permission]):
            return found
        seen = self._seen()
        return seen.found if seen is not None and found.stamp is not None and seen.of is found.stamp else None

    def _kept(self, found: Opened, made: Opened) -> Opened:
        """What was made, kept as long as the rows are the same, and its model as long as the types are."""
        before = self._seen()
        if before is None or before.found is not made or before.of is not found.stamp:
            same = before is not None and _alike(before.found.schema, made.schema)
            model = before.model if same and before is not None else None
            self.repo._visible[self._key] = Seen(found.stamp, made, model)
        return made

    def _seen(self) -> Seen | None:
        return self.repo._visible.get(self._key)

    @property
    def _key(self) -> str:
        return f"{self.permission.value} {self.policy.version}"

    def _made(self, found: Opened, untyped: Untyped) -> Opened:
        """What the policy leaves, unread where it can be; what only the interpreter can pick is read."""
        from xrepo_nb.engines.polars.engine import INEXACT

        plan, name, rows = self._rows(found), self.repo.metadata.name, untyped.rows()
        try:
            picked = untyped.typed(_run(plan, name, rows))
        except INEXACT:
            picked = untyped.typed(run_now(plan, {name: rows}))
        return self._finished(found, picked)

    def _rows(self, found: Opened) -> Plan:
        """The rows that the grant reaches, whole."""
        plan: Plan = Scan(self.repo.metadata.name)
        if self.repo._marks_deleted(found.schema):
            plan = living(self.repo, plan)
        rows = self.policy.grants[self.permission].rows
        return plan if rows == EVERYTHING else Match(plan, rows)

    def _finished(self, found: Opened, rows: Table) -> Opened:
        """The rows cut down to the fields that the grant shows; `found` itself where all that is hidden made
        no difference, so that queries go on being pushed down to it."""
        grant, name = self.policy.grants[self.permission], self.repo.metadata.name
        rest = governed(Scan(name), replace(grant, rows=EVERYTHING))
        shown = rows if isinstance(rest, Scan) else _run(rest, name, rows)
        if shown is not rows and found.table is not None:  # else the source states what it can
            shown = redescribed(shown)
        known = found.schema if found.table is not None else found.schema.replace(fields=rows.schema.fields)
        schema = _described(known, shown.schema)
        bare = not grant.masks and found.schema.is_typed
        if bare and _alike(schema, self.shown(found.schema)):
            return found
        return replace(found, schema=schema, table=shown.described(schema), plan=None, narrowed=True)


def _shows_all_rows(grant: Grant) -> bool:
    """Whether the grant hides whole fields at most, of which the others tell nothing."""
    paths = (*(grant.fields.allow or ()), *grant.fields.deny)
    return grant.rows == EVERYTHING and not grant.masks and all(len(path) == 1 for path in paths)


def is_generated(model: type[Any] | None) -> bool:
    """Whether the model was made from a schema."""
    return model is not None and "__xrepo_schema__" in vars(model)


def _is_small(table: Table) -> bool:
    return not table.is_lazy and len(table) * max(1, len(table.schema.fields)) <= _AT_ONCE


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
