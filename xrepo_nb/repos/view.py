"""ViewRepo: the rows that a plan makes of other repos, kept for each way of seeing them."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakMethod, finalize

from xrepo_nb.core.bounded import Bounded
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoPermissionError, XRepoUnsupportedError
from xrepo_nb.core.progress import progress
from xrepo_nb.core.turns import Turns
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.policy import Policy
from xrepo_nb.governance.rules import Permission
from xrepo_nb.observe.events import Event, Events, Handler
from xrepo_nb.query.plan import Plan
from xrepo_nb.query.predicates import Predicate
from xrepo_nb.repos import narrowing, reading
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.change import Change, Current
from xrepo_nb.repos.execution import Opened
from xrepo_nb.repos.join import JoinReport
from xrepo_nb.repos.joining import Shape
from xrepo_nb.repos.loading import Loaded
from xrepo_nb.repos.materialized import MaterializedRepo
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.reporting import join_report
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

T = TypeVar("T")

Definition = Callable[[Mapping[str, Schema]], Shape]
"""What a view makes of its sources, given their schemas as the caller sees them."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """A view's rows under one effective policy."""

    table: Table
    report: JoinReport | None
    generation: int
    made: float


class ViewRepo(MaterializedRepo[T]):
    """What a plan makes of other repos: a join, a union, an aggregation.

    The rows are computed from the sources' governed scans when first asked for, once for each
    effective policy, and kept in memory; they are computed again after `refresh()`, after `ttl`
    seconds, and after a change to a source that this process saw. With `materialize=False`
    nothing is kept: every query runs down to the sources, which filters and columns are pushed to.

    A view is read-only: `XRepoUnsupportedError` tells to write into the sources.
    """

    kind = "view"

    if TYPE_CHECKING:  # plain attributes: Pydantic's private ones are slow to read
        _sources: dict[str, XRepo[Any]]
        _define: Definition
        _materialize: bool
        _ttl: float | None
        _shaped: tuple[tuple[Schema, ...], Shape] | None
        _kept: Bounded[str, _Computed]
        _computing: Turns
        _generation: int

    def __init__(
        self,
        name: str,
        sources: Mapping[str, XRepo[Any]],
        define: Definition,
        *,
        model_class: type[T] | None = None,
        metadata: RepoMetadata | None = None,
        materialize: bool = True,
        ttl: float | None = None,
    ) -> None:
        must_not_read_itself(name, sources)
        shape = define({source: repo._schema for source, repo in sources.items()})
        schema = shape.schema.replace(name=name)
        empty = Loaded(Table.empty(schema).frame, schema, (), declared=frozenset(schema.names))
        super().__init__(model_class=model_class, name=name, metadata=metadata, loaded=empty)
        self._sources = dict(sources)
        self._define = define
        self._materialize = materialize
        if ttl is not None and not (isinstance(ttl, int | float) and ttl > 0):
            raise XRepoConfigurationError("ttl is a number of seconds above 0", asked=repr(ttl))
        self._ttl = ttl
        self._shaped = None
        self._kept = Bounded(_KEPT)
        self._computing = Turns()
        self._generation = 0
        self._follow()
        if self._acl_manager is not None:
            self._acl_manager.must_name_fields()

    @property
    def sources(self) -> Mapping[str, XRepo[Any]]:
        """The repos it reads, by the names it knows them by."""
        return dict(self._sources)

    @property
    def plan(self) -> Plan:
        """The plan over the sources, as whoever acts now may see them."""
        return self._shape(resolve()).plan

    @property
    def join_report(self) -> JoinReport | None:
        """Rows in, matched, unmatched and fan-out of the rows kept for whoever acts now. No I/O.

        It counts rows of the sources: None for one to whom the view's own rules do not show them all.
        """
        identity = resolve()
        kept = self._kept.get(self._sources_key(identity))
        return kept.report if kept is not None and self._shows_all(identity) else None

    def _shows_all(self, identity: Identity) -> bool:
        grant = self._policy(identity).grants.get(Permission.LIST)
        return grant is not None and grant.is_open

    async def ready(self, identity: Identity | None = None) -> None:
        """Computes the rows for the identity, or whoever acts now, if that is not done.

        A caller whom a source refuses finds nothing computed, and is refused when reading.
        """
        try:
            await self._open(identity or resolve())
        except XRepoPermissionError:
            return

    # What XRepo asks of it.

    async def _open(self, identity: Identity) -> Opened:
        for repo in self._sources.values():
            await narrowing.prepared(repo, identity)
        shape = self._shape(identity)
        if not self._materialize:
            return Opened(shape.schema, plan=shape.plan, sources=self._sources)
        kept = await self._fresh(identity, shape)
        return Opened(kept.table.schema, kept.table, stamp=kept.table)

    def _at_hand(self, identity: Identity) -> Opened | None:
        kept = self._kept.get(self._sources_key(identity))
        return None if kept is None else Opened(kept.table.schema, kept.table, stamp=kept.table)

    async def _fresh(self, identity: Identity, shape: Shape) -> _Computed:
        key = self._sources_key(identity)
        async with self._computing.of(key):
            kept = self._kept.get(key)
            if kept is None or self._is_stale(kept):
                kept = self._kept[key] = await self._compute(identity, shape)
            return kept

    def _is_stale(self, kept: _Computed) -> bool:
        too_old = self._ttl is not None and time.monotonic() - kept.made > self._ttl
        return too_old or kept.generation != self._generation

    async def _compute(self, identity: Identity, shape: Shape) -> _Computed:
        generation = self._generation
        operation = Operation(self, "compute", Permission.LIST, identity)
        scope = await narrowing.opened(self._sources, operation)
        plan, scope = await narrowing.narrowed(shape.plan, scope)
        with progress(f"computing {self.metadata.name}"):
            answer = await reading.run(plan, scope)
            frame = await reading.frame_of(answer.table)
            report = await join_report(plan, scope, frame.height, self._sources)
        table = Table(frame=frame, schema=described(answer.table.schema, shape.schema))
        return _Computed(table, report, generation, time.monotonic())

    def _shape(self, identity: Identity) -> Shape:
        schemas = {name: narrowing.visible_schema(repo, identity) for name, repo in self._sources.items()}
        known = self._shaped
        if known is not None and all(a is b for a, b in zip(known[0], schemas.values(), strict=True)):
            return known[1]
        try:
            shape = self._define(schemas)
        except XRepoConfigurationError:
            if all(repo._acl_manager is None for repo in self._sources.values()):
                raise
            raise XRepoPermissionError(
                f"{identity.user_id or 'anonymous'} may not list in {self.metadata.name}",
                asked=Permission.LIST.value,
                hint="it is made of fields of its sources that the rules hide",
            ) from None
        self._shaped = tuple(schemas.values()), shape
        return shape

    def _sources_key(self, identity: Identity) -> str:
        return " ".join(repo._policy_key(identity) for repo in self._sources.values())

    def _policy_key(self, identity: Identity, policy: Policy | None = None) -> str:
        return f"{super()._policy_key(identity, policy)} {self._sources_key(identity)}"

    def _predicate(self, filters: Any, fields: Sequence[str], identity: Identity) -> Predicate:
        from xrepo_nb.query.parsing import parse_view_filter

        return parse_view_filter(filters, self._shape(identity).names, fields=fields)

    def _known_fields(self) -> Schema | None:
        sources = getattr(self, "_sources", None)  # not there yet while the view is being made
        if sources is None or any(repo._known_fields() is None for repo in sources.values()):
            return None
        return super()._known_fields()

    def _schema_for(self, identity: Identity) -> Schema:
        kept = self._kept.get(self._sources_key(identity))
        if kept is not None:
            return kept.table.schema
        try:
            return self._shape(identity).schema
        except XRepoPermissionError:  # what it needs of its sources is hidden
            return Schema((), name=self._schema.name)

    # Following its sources.

    def _follow(self) -> None:
        changed = WeakMethod(self._changed)

        def forget(event: Event) -> None:
            method = changed()
            if method is not None:
                method(event)

        followed = [repo.events for repo in self._sources.values()]
        for events in followed:
            for name in _CHANGES:
                events.on(name, forget)
        finalize(self, _unfollow, followed, forget).atexit = False

    def _changed(self, event: Event) -> None:
        self._generation += 1
        if self._cache is not None:
            self._cache.invalidate()
        self.events.emit(Event("refreshed", self.metadata.name))

    async def _refreshed(self, identity: Identity) -> None:
        self._generation += 1
        await self._open(identity)

    def _is_small(self) -> bool:
        return False

    async def _size(self, identity: Identity) -> int | None:
        found = self._at_hand(identity)
        return None if found is None or found.table is None else int(found.table.frame.estimated_size())

    # It takes no writes.

    def _must_take_writes(self) -> None:
        raise self._read_only()

    async def _current(self, ids: Sequence[Any], identity: Identity) -> builtins.list[Current | None]:
        raise self._read_only()

    async def _apply(self, change: Change, partial: bool = False) -> WriteResult:
        raise self._read_only()

    def _completed(self, document: dict[str, Any], schema: Schema) -> dict[str, Any]:
        raise self._read_only()

    async def _replace_all(self, *_: Any) -> None:
        raise self._read_only()

    def _read_only(self) -> XRepoUnsupportedError:
        return XRepoUnsupportedError(
            f"{self.metadata.name} is a view, and takes no writes",
            asked=self.metadata.name,
            hint=f"write into its sources: {', '.join(self._sources)}",
        )


_CHANGES = ("created", "updated", "deleted", "refreshed")
"""Events of a source after which a view's rows are stale."""

_KEPT = 32
"""Effective policies for which a view keeps its rows at once."""


def _unfollow(followed: Sequence[Events], handler: Handler) -> None:
    for events in followed:
        for name in _CHANGES:
            events.off(name, handler)


def must_not_read_itself(name: str, sources: Mapping[str, XRepo[Any]]) -> None:
    """Raises `XRepoConfigurationError` when a source of the view reads the view's own name."""
    waiting: list[tuple[XRepo[Any], tuple[str, ...]]]
    waiting = [(repo, (name, repo.metadata.name)) for repo in sources.values()]
    while waiting:
        repo, path = waiting.pop()
        if repo.metadata.name == name:
            raise XRepoConfigurationError(
                f"the view would read itself: {' reads '.join(path)}", asked=name, hint="give it another name"
            )
        if isinstance(repo, ViewRepo):
            waiting += [(inner, (*path, inner.metadata.name)) for inner in repo._sources.values()]


def described(found: Schema, known: Schema) -> Schema:
    """The schema of computed rows, with the lineage and the rest that the view's own has."""
    fields = []
    for field in found.fields:
        own = known.field(field.name)
        if own is None:
            fields.append(field)
        else:
            fields.append(replace(field, source=own.source, lineage=own.lineage, extra=own.extra))
    return known.replace(fields=tuple(fields))
