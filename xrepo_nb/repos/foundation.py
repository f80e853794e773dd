"""What every repo is made of: its parts, and what a subclass supplies."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pydantic import ConfigDict

from xrepo_nb.cache import CacheManager
from xrepo_nb.core.bounded import Bounded
from xrepo_nb.core.errors import XRepoUnsupportedError, counted
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.governance.acl import ACLManager
from xrepo_nb.governance.audit import AuditEntry, AuditLogger
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.policy import OPEN, Policy
from xrepo_nb.governance.rules import Permission
from xrepo_nb.observe.events import Events
from xrepo_nb.observe.stats import StatsCollector
from xrepo_nb.query.plan import Plan
from xrepo_nb.query.predicates import Predicate
from xrepo_nb.repos import habits, narrowing
from xrepo_nb.repos.change import Change, Current
from xrepo_nb.repos.constraints import Constraints
from xrepo_nb.repos.deletion import DELETED_AT
from xrepo_nb.repos.documents import key_of, known_id
from xrepo_nb.repos.execution import Opened
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.visible import Seen
from xrepo_nb.resources.base import WriteResult, XResource
from xrepo_nb.schema.redescribing import Untyped
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType, Field

if TYPE_CHECKING:
    from xrepo_nb.engines.explain import Explanation

_MEASURED = 256
"""Effective policies for which the last counts are kept."""

_VISIBLE = 32
"""Effective policies for which the rows that they leave are kept, where those are kept apart."""

User = str | Identity | None
"""Who asks: a user id, an identity, or None for whoever `acting_as` names."""


class RepoFoundation(XObjPrototype, ABC):
    """The parts of a repo, and the methods by which subclasses differ."""

    model_config = ConfigDict(frozen=False, arbitrary_types_allowed=True, extra="forbid")

    kind: ClassVar[str] = "repo"
    metadata: RepoMetadata

    if TYPE_CHECKING:  # plain attributes: Pydantic's private ones are slow to read
        _resource: XResource | None
        _model_class: type[Any] | None
        _schema: Schema
        _audit_logger: AuditLogger | None
        _stats_collector: StatsCollector | None
        _cache: CacheManager | None
        _acl_manager: ACLManager | None
        _constraints: Constraints
        _events: Events
        _measured: Bounded[str, dict[str, Any]]
        _declared: frozenset[str]
        _key: tuple[str, ...]
        _report: InferenceReport | None
        _given: Schema | None
        _visible: Bounded[str, Seen]

    def __init__(
        self,
        resource: XResource | None,
        model_class: type[Any] | None,
        metadata: RepoMetadata,
        schema: Schema | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(metadata=metadata)
        self._resource = resource
        self._model_class = model_class
        self._audit_logger = None
        self._stats_collector = None
        self._cache = None
        self._acl_manager = None
        self._schema = Schema.of(schema) if schema is not None else Schema(())
        self._declared = frozenset(self._schema.names)
        self._key = self._schema.primary_key
        self._events = Events()
        self._measured = Bounded(_MEASURED)
        self._report = None
        self._given = None
        self._visible = Bounded(_VISIBLE)
        self._initialize_components()

    def _initialize_components(self) -> None:
        """Makes the constraints, audit log, statistics, cache and rules that the metadata asks for."""
        self._constraints = Constraints(self)
        if self.metadata.enable_audit:
            self._audit_logger = AuditLogger(self)
        if self.metadata.enable_statistics:
            self._stats_collector = StatsCollector(self)
        if self.metadata.cache_enabled:
            self._cache = CacheManager(self, ttl=self.metadata.cache_ttl)
        if self.metadata.acl_rules:
            self._acl_manager = ACLManager(self, self.metadata.acl_rules)

    # What it is. None of these does I/O.

    def get_ns(self) -> str:
        """The namespace path: `repos.<name>`."""
        return f"repos.{self.metadata.name}"

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """The fields and keys that whoever acts now may see."""
        return narrowing.visible_schema(self, resolve())

    @property
    def resource(self) -> XResource | None:
        """The source behind it, None for rows of its own."""
        return self._resource

    @property
    def model_class(self) -> type[Any] | None:
        """The class of its records, None for dicts."""
        return self._model_class

    @property
    def key(self) -> tuple[str, ...]:
        """The fields of the id that `read` takes; empty when records have none."""
        return self._key

    @property
    def report(self) -> InferenceReport | None:
        """What loading or inspecting saw, changed and refused, where that is known.

        It tells of all rows and fields: None for repos with access rules.
        """
        return self._report if self._acl_manager is None else None

    @property
    def events(self) -> Events:
        """Where to listen: `repo.events.on("created", handler)`."""
        return self._events

    # The specification's own hooks.

    async def _check_permission(
        self, permission: Permission, user_id: User, data: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether the caller may, and may leave `data` behind when given."""
        if self._acl_manager is None:
            return True
        return await self._acl_manager.check_permission(permission, user_id, data)

    async def _audit_operation(
        self, operation: str, user_id: User, entity_id: Any = None, changes: Mapping[str, Any] | None = None
    ) -> None:
        """Adds an audit entry."""
        if self._audit_logger is not None:
            changed = dict(changes) if changes is not None else None
            who = resolve(user_id).user_id
            entry = AuditEntry(user_id=who, operation=operation, entity_id=entity_id, changes=changed)
            await self._audit_logger.log(entry)

    async def _update_stats(self, operation: str, duration_ms: float) -> None:
        """Adds a call to the statistics."""
        if self._stats_collector is not None:
            await self._stats_collector.record_operation(operation, duration_ms)

    # What a subclass supplies.

    @abstractmethod
    async def _open(self, identity: Identity) -> Opened:
        """The collection as it stands, for one call of the identity."""

    async def _scan(self, plan: Plan) -> tuple[Plan, Table]:
        """Asks the source for the rows of a plan over its scan: what is left to do, and on what."""
        raise self._rows_at_hand()

    def _stream(self, plan: Plan, size: int) -> AsyncIterator[Table]:
        """As `_scan`, in batches, with everything of the plan done."""
        raise self._rows_at_hand()

    async def _explained(self, plan: Plan, analyze: bool) -> tuple[Plan, Explanation, Table]:
        """As `_scan`, but without rows unless `analyze`; and how the source runs its part."""
        raise self._rows_at_hand()

    def _rows_at_hand(self) -> XRepoUnsupportedError:
        return XRepoUnsupportedError(f"{self.metadata.name} opens with its rows at hand: it is not scanned")

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        """Within it no other task changes a record between a look at it and its change.

        Nothing to wait for where `_apply` tells of changes meanwhile (see `Stale`).
        """
        return nullcontext()

    @abstractmethod
    async def _current(self, ids: Sequence[Any], identity: Identity) -> builtins.list[Current | None]:
        """The records of those ids as they stand, rules aside."""

    @abstractmethod
    async def _apply(self, change: Change, partial: bool = False) -> WriteResult:
        """Applies a change: as a whole or not at all, where the source can, unless `partial`.

        Raises `Stale` when a record is no longer as the change supposes.
        """

    def _is_small(self) -> bool:
        """Whether it has so few rows that leaving some out saves nothing."""
        return False

    async def _size(self, identity: Identity) -> int | None:
        """The bytes that the rows take which the identity reads, where known."""
        return None

    async def _refreshed(self, identity: Identity) -> None:
        """Forgets what is kept of the source, and makes anew what the identity reads."""

    def _predicate(self, filters: Any, fields: Sequence[str], identity: Identity) -> Predicate:
        """What the filters ask of the rows, whose fields are those."""
        from xrepo_nb.query.parsing import parse_filter

        return parse_filter(filters, fields=fields)

    def _schema_for(self, identity: Identity) -> Schema:
        """The schema before this repo's own rules: of a view, what its sources show the identity."""
        return self._schema

    # Where the rows themselves tell the types (see `repos.visible`).

    @property
    def _infers(self) -> bool:
        """Whether the rows may tell the types, so that `_untyped` gives something."""
        return False

    @property
    def _reads_by_plan(self) -> bool:
        """Whether single records, as the source gives them, may tell of hidden rows: by their types, or
        as several have one id."""
        return False

    def _untyped(self, found: Opened) -> Untyped | None:
        """The opened rows before all of them decided on types; None where the source or a schema that
        was given states the types, whatever the rows hold."""
        return None

    def _as_stated(self, found: Opened) -> Opened:
        """Of stated types: the collection without what the rows tell of their absence."""
        return found

    def _stated(self, schema: Schema) -> Schema:
        """What is known of the fields before a row is read for the caller."""
        return schema

    def _at_hand(self, identity: Identity) -> Opened | None:
        """What `_open` gives, where that needs no waiting."""
        return None

    def _id_of(self, document: dict[str, Any]) -> Any:
        """The id of a new record; raises `XRepoValidationError` when it has none and needs one."""
        return known_id(key_of(document, self._key)) if self._key else None

    def _completed(self, document: dict[str, Any], schema: Schema) -> dict[str, Any]:
        """A new document with what the collection itself adds, in the types of its fields."""
        return document

    def _fitted(self, values: dict[str, Any], schema: Schema) -> dict[str, Any]:
        """Values in the types of the fields they are for, which `schema` has as the writer sees them."""
        return values

    def _known_fields(self) -> Schema | None:
        """The schema, when it has every field that rules may be about; None when it cannot tell."""
        schema = self._schema
        if schema.fields and self.metadata.soft_delete and schema.field(DELETED_AT) is None:
            mark = Field(DELETED_AT, DataType("datetime"))
            return schema.replace(fields=(*schema.fields, mark))
        return schema if schema.fields else None

    def _policy(self, identity: Identity) -> Policy:
        """What the rules leave to the identity."""
        return OPEN if self._acl_manager is None else self._acl_manager.policy(identity)

    def _policy_key(self, identity: Identity, policy: Policy | None = None) -> str:
        """Names what the identity may see, by that policy or the one of now: equal keys, equal rows."""
        return (policy or self._policy(identity)).version

    # Deletion and time.

    def _marks_deleted(self, schema: Schema | None = None) -> bool:
        """Whether rows may carry the mark of a soft deletion."""
        return self.metadata.soft_delete and (schema or self._schema).field(DELETED_AT) is not None

    def _hides_mark(self) -> bool:
        """Whether that mark is the repo's own, and no field of the collection."""
        return self.metadata.soft_delete and DELETED_AT not in self._declared

    def _must_take_writes(self) -> None:
        """Raises `XRepoUnsupportedError` when nothing can ever be written here."""

    def _deletes_softly(self, soft: bool) -> bool:
        """Whether a deletion asked as `soft` can be one here."""
        return soft and self._marks_deleted()

    def _moment(self, field: str, now: datetime) -> Any:
        """A point in time in the type of the field."""
        found = self._schema.field(field)
        kind = found.type.kind if found is not None else "datetime"
        if kind == "string":
            return now.isoformat()
        if kind == "date":
            return now.date()
        return round(now.timestamp() * 1000) if kind == "int" else now

    def _candidates(self) -> tuple[str, ...]:
        """Fields that could serve as an id."""
        plain = ("int", "string", "uuid", "objectid")
        return tuple(f.name for f in self.schema.fields if f.type.kind in plain)

    # An object, not a value, and no frame: what is tried all the same is told how to write it here.

    def __getitem__(self, asked: Any) -> NoReturn:
        raise habits.no_item(self, asked)

    def __iter__(self) -> NoReturn:
        raise habits.no_iteration(self)

    if not TYPE_CHECKING:  # a checker finds names that are not there by itself

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or hasattr(type(self), name):
                return super().__getattr__(name)
            raise habits.no_attribute(self, name)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refused: what is pickled holds all rows, and no rules."""
        raise XRepoUnsupportedError(
            f"{self.metadata.name} cannot be pickled or copied deeply: a repo is no value",
            asked=self.metadata.name,
            hint="hand on its rows: await repo.frame()",
        )

    def __deepcopy__(self, memo: Any = None) -> Any:
        return self.__reduce_ex__(None)

    def __dir__(self) -> builtins.list[str]:
        """Our own names, for completion: of Pydantic's, only the fields."""
        ours = (base for base in type(self).__mro__ if base.__module__.partition(".")[0] != "pydantic")
        return sorted(
            {*self.__dict__, *type(self).model_fields, *(name for base in ours for name in vars(base))}
        )

    def __repr__(self) -> str:
        model = f", model {self.model_class.__name__}" if self.model_class is not None else ""
        fields = counted(len(self.schema.fields), "field")
        return f"<{type(self).__name__} {self.metadata.name!r}: {fields}{model}>"

    __str__ = __repr__
