"""The way of a write: from what is given to a Change that the rules and the model allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoConnectionError,
    XRepoPermissionError,
    XRepoValidationError,
)
from xrepo_nb.core.missing import MISSING
from xrepo_nb.governance.policy import OPEN, FieldSet, Grant, Policy
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.check import names_below
from xrepo_nb.query.naming import names_with_dots, path_of
from xrepo_nb.query.typing.values import root_of
from xrepo_nb.repos.change import Change, Current, Item, Kind, Stale
from xrepo_nb.repos.constraints import applied
from xrepo_nb.repos.deletion import DELETED_AT
from xrepo_nb.repos.documents import as_key, copied, key_of, same_id
from xrepo_nb.repos.holding import holds
from xrepo_nb.repos.narrowing import as_written
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.shaping import document_of, field_names, record_of
from xrepo_nb.repos.updates import computed_fields, given_values, merged, updated
from xrepo_nb.repos.visible import Sight
from xrepo_nb.resources.base import WriteResult

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo

OnError = Literal["raise", "skip"]
ON_ERROR = get_args(OnError)

ATTEMPTS = 20
"""How often a change is made anew because somebody else's came in between."""


class Writer:
    """Computes and applies the changes of one operation."""

    def __init__(self, repo: XRepo[Any], operation: Operation) -> None:
        self.repo = repo
        self.operation = operation
        self.grant = operation.grant
        self.now = datetime.now(UTC)
        self.schema = as_written(repo, operation.policy) or repo._schema
        repo._must_take_writes()

    async def apply(self, change: Change, partial: bool = False) -> WriteResult:
        """Has the repo apply a change, which may break no constraint."""
        if not self.repo._constraints.uniques:
            return await self.repo._apply(change, partial)
        with self._naming_nothing_hidden():
            return await applied(self.repo, change, self.operation.identity, partial)

    # What single records come to.

    def created(self, given: Any) -> tuple[Item, Any]:
        """A new record as an item, and as an instance of the model."""
        repo = self.repo
        if isinstance(given, Mapping):
            self._only_shown(given, self.grant.fields)
            self._must_be_known(given)
            given = {**given, **self._stamps(given, "created_at", "updated_at")}
        with self._naming_nothing_hidden():
            document, instance = document_of(given, self.operation.model)
        self._only_shown(document, self.grant.fields)
        added = self._stamps(document, "created_at", "updated_at")
        document.update(added)
        with self._naming_nothing_hidden():
            document = repo._completed(document, self.schema)
        record_id = repo._id_of(document)
        self._must_pass_check(document)
        return Item(record_id, document), (instance if not added and self.grant.is_open else None)

    def changed(self, record_id: Any, current: Current, given: Any, version: Any = None) -> Item:
        """An existing record under an update."""
        repo, old = self.repo, current.document
        fields = self._read_and_touched(old)
        shown = fields.part_of(old)
        self._must_be_current(record_id, shown, version)
        self._must_not_compute(given, fields)
        new = updated(shown, given, repo.metadata.name, names_with_dots(self.schema))
        difference = changes(shown, new)
        unread = [name for name in given_values(given) if name in difference and not fields.shows((name,))]
        if unread:  # a value may be given to a field that may be written, and not be read
            fields = fields | (self.grant.fields & FieldSet(frozenset((name,) for name in unread)))
        self._only_shown(difference, fields)
        if DELETED_AT in difference:
            self._must_be_allowed_to_delete(old)
        self._must_be_known(difference.keys() - shown.keys())
        with self._naming_nothing_hidden():
            difference = self._validated(old, difference, fields)
        difference = {f: v for f, v in difference.items() if f not in repo.key or not same_id(v, old.get(f))}
        if version is not None:
            difference["version"] = old["version"] + 1
        if difference:
            difference.update(self._stamps(difference, "updated_at"))
        document = merged(old, difference, fields)
        if repo.key and not same_id(key_of(document, repo.key), record_id):
            raise XRepoValidationError(
                "the id of a record cannot be changed",
                asked=", ".join(repo.key),
                hint="create a new record instead",
            )
        self._must_pass_check(document)
        own_id = self._own_id(record_id, current)
        changed = changes(old, document) | {name: document[name] for name in unread if name in document}
        return Item(own_id, document, changed, current.revision, version)

    def removed(self, record_id: Any, current: Current, soft: bool) -> Item:
        """An existing record, marked as deleted or gone."""
        record_id = self._own_id(record_id, current)
        if not soft:
            return Item(record_id, None, {}, current.revision)
        mark = {DELETED_AT: self.repo._moment(DELETED_AT, self.now)}
        return Item(record_id, current.document | mark, mark, current.revision)

    def restored(self, record_id: Any, current: Current) -> Item:
        """A record marked as deleted, without the mark."""
        mark = {DELETED_AT: MISSING if self.repo._hides_mark() else None}
        document = merged(current.document, mark, OPEN.grants[Permission.UPDATE].fields)
        return Item(self._own_id(record_id, current), document, mark, current.revision)

    def returned(self, document: dict[str, Any]) -> FieldSet:
        """The fields of a written record that the caller reads back: of one who may read nothing, those of
        a new record, which he has given, and the id of another."""
        reads = self.operation.policy.reads
        if reads:
            return (self._reading(document) or reads[0]).bare
        if self.operation.permission is Permission.CREATE:
            return self.grant.fields
        return FieldSet(frozenset((name,) for name in self.repo.key))

    def _own_id(self, record_id: Any, current: Current) -> Any:
        """The id as the record has it: 1 for one that was asked for as 1.0."""
        return key_of(current.document, self.repo.key) if self.repo.key else record_id

    # What the caller may do.

    async def current(self, record_id: Any, *, deleted: bool = False) -> Current | None:
        """The record as it stands, None when there is none that the caller may touch."""
        found = (await self.repo._current([record_id], self.operation.identity))[0]
        return found if found is not None and self.may_touch(found.document, deleted=deleted) else None

    def may_touch(self, document: dict[str, Any], *, deleted: bool = False) -> bool:
        """Whether the rules let the caller touch this row; `deleted`: rows marked so, and only them."""
        marked = self.repo.metadata.soft_delete and document.get(DELETED_AT) is not None
        if marked is not deleted or not holds(self.grant.rows, document):
            return False
        policy = self.operation.policy
        return policy is OPEN or not policy.reads or self._reading(document) is not None

    def _reading(self, document: dict[str, Any]) -> Grant | None:
        """The grant by which the caller sees the row; None when none does."""
        return next((grant for grant in self.operation.policy.reads if holds(grant.rows, document)), None)

    def _read_and_touched(self, document: dict[str, Any]) -> FieldSet:
        """The fields of a record that an update may compute with: those touched whose values are seen."""
        if self.operation.policy is OPEN:
            return self.grant.fields
        reading = self._reading(document)
        return FieldSet(frozenset()) if reading is None else self.grant.fields & reading.bare

    def _must_be_allowed_to_delete(self, document: dict[str, Any]) -> None:
        """Refuses to set the mark of a deletion as a field, where the caller may not delete the record."""
        if self.operation.policy is OPEN or not self.repo.metadata.soft_delete:
            return
        grant = self.operation.policy.grants.get(Permission.DELETE)
        if grant is None or not holds(grant.rows, document):
            raise XRepoPermissionError(
                f"{self.operation.identity.user_id or 'anonymous'} may not delete this record of "
                f"{self.repo.metadata.name}, as {DELETED_AT!r} would",
                asked=Permission.DELETE.value,
                hint="ask for a role that allows it",
            )

    @contextmanager
    def _naming_nothing_hidden(self) -> Iterator[None]:
        """A refusal whose reason lies in fields that the caller cannot see tells no more than that."""
        try:
            yield
        except XRepoValidationError as error:
            if not any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in self._hidden_names()):
                raise
            raise XRepoValidationError(
                f"{self.repo.metadata.name} does not take the record",
                asked=self.operation.name,
                hint="the reason lies in fields that you cannot see",
            ) from None

    def _hidden_names(self) -> Iterator[str]:
        fields = self.grant.fields
        if not fields.is_all:
            names = names_with_dots(self.repo._schema)
            for name in names_below(root_of(self.repo._schema)):
                if not fields.shows(path_of(name, names)):
                    yield name

    def _only_shown(self, given: Any, fields: FieldSet, above: tuple[str, ...] = ()) -> None:
        """Refuses hidden fields, at any depth, as ones that do not exist."""
        if fields.is_all:
            return
        if isinstance(given, list):
            for item in given:
                self._only_shown(item, fields, above)
            return
        for name, value in given.items() if isinstance(given, Mapping) else ():
            path = (*above, name)
            if not fields.shows(path):
                raise self._unknown(".".join(path))
            if not fields.reaches(path):
                self._only_shown(value, fields, path)

    def _must_not_compute(self, given: Any, fields: FieldSet) -> None:
        """Refuses operators on fields that may be written and not read, as masked ones: what they come to
        would tell of the value, or be made of its mask."""
        if fields is self.grant.fields:
            return
        names = names_with_dots(self.schema)
        for name in computed_fields(given):
            path = path_of(name, names)
            if self.grant.fields.shows(path) and not fields.shows(path):
                raise self._unknown(name)

    def _must_be_known(self, names: Iterable[str]) -> None:
        """Refuses fields that the model does not have, with the nearest one that it has."""
        model: type[BaseModel] | None = self.operation.model
        if model is None or model.model_config.get("extra", "ignore") == "allow":
            return
        known = field_names(model)
        for name in names:
            if name not in known:
                raise self._unknown(name)

    def _unknown(self, name: str) -> XRepoValidationError:
        sight = Sight(self.repo, self.operation.policy, self.operation.permission)
        known = sight.shown(self.schema).names
        path = path_of(name, names_with_dots(self.schema))
        if path[0] not in known or not self.grant.fields.shows(path):
            return XRepoValidationError(f"unknown field {name!r}", asked=name, exists=known)
        return XRepoValidationError(
            f"{name!r} cannot be computed with, as you do not see its value",
            asked=name,
            hint='give the whole field a value: {"$set": {...}}',
        )

    def _must_pass_check(self, document: dict[str, Any]) -> None:
        if self.repo._constraints.checks:
            with self._naming_nothing_hidden():
                self.repo._constraints.must_hold(document, self.repo.metadata.name)
        if not holds(self.grant.check, document):
            raise XRepoPermissionError(
                f"{self.operation.identity.user_id or 'anonymous'} may not leave such a record in "
                f"{self.repo.metadata.name}",
                asked=self.operation.name,
                hint="the rules' check does not hold for the record as it would be",
            )

    def _must_be_current(self, record_id: Any, old: Mapping[str, Any], version: Any) -> None:
        if version is None:
            return
        if not isinstance(old.get("version"), int):
            raise XRepoConfigurationError(
                f"{self.repo.metadata.name} keeps no versions",
                asked="version",
                hint="add an int field 'version'",
            )
        if old["version"] != version:
            raise XRepoConflictError(
                f"record {record_id!r} is at version {old['version']}, not {version}",
                asked=version,
                hint="read it again and repeat the change",
            )

    # What the model and the schema ask for.

    def _validated(self, old: dict[str, Any], difference: dict[str, Any], fields: FieldSet) -> dict[str, Any]:
        model = self.operation.model
        new = merged(old, difference, fields)
        if model is not self.repo.model_class:  # it has the visible fields only
            new = self.grant.fields.part_of(new)
        if model is not None:
            if self.repo._hides_mark():
                new.pop(DELETED_AT, None)
            document = self.grant.fields.part_of(document_of(new, model)[0])
            difference = {f: document.get(f, v) if v is not MISSING else v for f, v in difference.items()}
        return self.repo._fitted(difference, self.schema)

    def _stamps(self, document: Mapping[str, Any], *names: str) -> dict[str, Any]:
        if not self.repo.metadata.auto_timestamps:
            return {}
        known = self.repo._schema
        wanted = (n for n in names if document.get(n) is None and known.field(n) is not None)
        return {name: self.repo._moment(name, self.now) for name in wanted}


async def create_one(writer: Writer, given: Any) -> Any:
    """Creates a record; gives it as the caller may see it."""
    item, instance = writer.created(given)
    result = await writer.apply(Change("create", (item,)))
    must_be_applied(result, writer.repo)
    stored = stored_at(result, 0, item)
    finish(writer, (item.id if item.id is not None else writer.repo._id_of(stored),))
    if instance is not None and stored is item.document:
        return instance
    return shown_record(writer, stored)


async def update_one(writer: Writer, record_id: Any, given: Any, version: Any = None) -> Any:
    """Updates a record; gives it as the caller may see it, None when there is none."""

    def change(record_id: Any, current: Current) -> Item:
        return writer.changed(record_id, current, given, version)

    stored = await _written(writer, record_id, "update", change)
    return None if stored is None else shown_record(writer, stored)


async def remove_one(writer: Writer, record_id: Any, soft: bool) -> bool:
    """Deletes a record; whether there was one."""
    soft = writer.repo._deletes_softly(soft)
    writer.operation.details["soft"] = soft

    def change(record_id: Any, current: Current) -> Item:
        return writer.removed(record_id, current, soft)

    return await _written(writer, record_id, "update" if soft else "delete", change) is not None


async def restore_one(writer: Writer, record_id: Any) -> bool:
    """Takes a soft deletion back; whether there was one."""
    return await _written(writer, record_id, "update", writer.restored, deleted=True) is not None


async def _written(
    writer: Writer, given: Any, kind: Kind, change: Callable[[Any, Current], Item], *, deleted: bool = False
) -> dict[str, Any] | None:
    """Applies a change of one record; gives it as stored, None when there is none to change.

    A record that was changed or removed between the look at it and its change is looked at again.
    """
    record_id = as_key(given, required_key(writer.repo, writer.operation.policy), writer.repo._schema)
    for _ in range(ATTEMPTS):
        current = await writer.current(record_id, deleted=deleted)
        if current is None:
            return None
        item = change(record_id, current)
        if item.document is not None and not item.changed:
            return item.document
        try:
            result = await writer.apply(Change(kind, (item,)))
        except Stale:
            continue
        if result.outcomes[0] == "skipped":
            continue
        must_be_applied(result, writer.repo)
        finish(writer, (record_id,))
        return stored_at(result, 0, item)
    raise _contended(record_id)


def finish(writer: Writer, ids: Sequence[Any]) -> None:
    """Notes what was written, and forgets cached results."""
    writer.operation.rows = len(ids)
    writer.operation.ids = tuple(ids)
    if writer.repo._cache is not None:
        writer.repo._cache.invalidate()


def shown_record(writer: Writer, document: dict[str, Any]) -> Any:
    """The written record as the caller may read it back."""
    repo = writer.repo
    document = {
        name: copied(value)
        for name, value in document.items()
        if name != DELETED_AT or not repo._hides_mark()
    }
    narrow = Grant(fields=writer.grant.fields & writer.returned(document))
    return record_of(narrow.fields.part_of(document), writer.operation.model, narrow)


def must_be_applied(result: WriteResult, repo: XRepo[Any]) -> None:
    """Raises when the single record of a result was not applied."""
    outcome = result.outcomes[0]
    if outcome == "failed":
        reason = result.errors.get(0, "the source refused it")
        raise refused(reason)(f"{repo.metadata.name}: {reason}")
    if outcome == "unknown":
        raise XRepoConnectionError(
            "the source was lost before it answered", hint="read the record to see whether it changed"
        )


def refused(reason: str) -> type[XRepoValidationError]:
    """The kind of error that a source's reason for not taking a record tells of."""
    taken = "exists" in reason or "duplicate" in reason.lower()
    return XRepoConflictError if taken else XRepoValidationError


def stored_at(result: WriteResult, index: int, item: Item) -> dict[str, Any]:
    """The record as the source stored it, if it says so, else as it was sent."""
    told = result.documents[index] if index < len(result.documents) else None
    return told if told is not None else item.document or {}


def required_key(repo: XRepo[Any], policy: Policy) -> tuple[str, ...]:
    """The fields of the id; raises `XRepoConfigurationError` when records have none, or none that the
    caller sees as it is: an id that is hidden or masked finds nothing, as in a filter."""
    if not repo.key or not (policy is OPEN or all(policy.knows((name,)) for name in repo.key)):
        raise XRepoConfigurationError(
            f"the records of {repo.metadata.name} have no id",
            asked="id",
            exists=repo._candidates(),
            hint='name the key: primary_key="...", or use find_one({...})',
        )
    return repo.key


def _differs(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> bool:
    a, b = old.get(name, MISSING), new.get(name, MISSING)
    return a is not b and (type(a) is not type(b) or bool(a != b))


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in which the new document differs, `MISSING` for those that are gone."""
    return {name: new.get(name, MISSING) for name in {**old, **new} if _differs(old, new, name)}


def _contended(record_id: Any) -> XRepoConflictError:
    return XRepoConflictError(f"record {record_id!r} kept changing meanwhile", hint="try again")
