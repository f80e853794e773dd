"""A collection held in memory: immutable tables to read, documents by key to write."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoConflictError, XRepoUnsupportedError, XRepoValidationError
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.resources.outcomes import attach, outcomes_of
from xrepo_nb.resources.tables import table_of
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

Document = dict[str, Any]
Stage = Callable[["Batch", Any], Document | None]
"""Stages one write of a batch: the record as it will be, or None when it was not there."""


class Collection:
    """Rows as they were given, until the first write; from then on documents by key.

    Each state is a table of its own, so that readers keep the one they began with. A write
    costs what its records cost, the next read a pass over all.
    """

    def __init__(self, given: Any, name: str, primary_key: tuple[str, ...]) -> None:
        self.report: InferenceReport | None = None
        self._given, self._name, self._wanted = given, name, primary_key
        self._table: Table | None = None
        self._schema = Schema(())
        self._documents: dict[Any, Document] | None = None
        self._lock = threading.RLock()

    def table(self) -> Table:
        """The state of now. Blocks."""
        with self._lock:
            if self._table is None:
                self._table = self._made()
            return self._table

    def write(self, stage: Stage, items: Sequence[Any], known_by: tuple[str, ...] = ()) -> WriteResult:
        """Applies a batch as a whole, or raises and applies nothing. Blocks.

        `known_by`: fields that records are known by in place of the primary key.
        """
        with self._lock:
            documents = self._keyed()
            _must_have(self._schema, known_by)
            batch = Batch(documents, self._schema.primary_key, known_by)
            results = []
            for at, item in enumerate(items):
                try:
                    results.append(stage(batch, item))
                except (XRepoConflictError, XRepoValidationError, XRepoUnsupportedError) as error:
                    raise attach(error, at, len(items)) from None
            batch.apply()
            self._table = None
            stored = [None if found is None else dict(found) for found in results]
            return outcomes_of([found is not None for found in stored], stored)

    def _made(self) -> Table:
        if self._documents is None:
            table, self.report = table_of(self._given)
            key = _key(table, self._wanted)
        else:
            documents = list(self._documents.values())
            if not documents:
                return Table.empty(self._schema)
            table, self.report = table_of(documents)
            key = self._schema.primary_key
        self._schema = table.schema.replace(name=self._name, primary_key=key)
        return table.described(self._schema)

    def _keyed(self) -> dict[Any, Document]:
        if self._documents is None:
            table = self.table()
            if table.untyped is not None:
                table = table.untyped.rows()
            key = self._schema.primary_key
            self._documents = {_identity(d, key) if key else object(): d for d in table.documents}
        return self._documents


class Batch:
    """The writes of one batch, over documents that stay as they are until `apply`.

    A document's identity is its primary key, or an object of its own where there is none. Records
    may be known by other fields, for which the batch keeps where each value of them stands.
    """

    def __init__(
        self, documents: dict[Any, Document], key: tuple[str, ...], known_by: tuple[str, ...] = ()
    ) -> None:
        self.key = key
        self.known_by = known_by or key
        self._documents = documents
        self._staged: dict[Any, Document | None] = {}
        self._places: dict[Any, set[Any]] | None = None
        if self.known_by != key:
            self._places = defaultdict(set)
            for identity, document in documents.items():
                self._place(identity, document, set.add)

    def named(self, given: Any) -> Any:
        """The identity of the record that the caller knows by `given`, None when there is none.

        Raises `XRepoConflictError` when several are.
        """
        asked = _asked(given, self.known_by)
        if self._places is None:
            return asked if self.find(asked) is not None else None
        found = self._places.get(asked) or ()
        if len(found) > 1:
            raise XRepoConflictError(
                f"{len(found)} records have this {', '.join(self.known_by)}",
                asked=", ".join(self.known_by),
                hint="name fields that tell records apart: primary_key=[...]",
            )
        return next(iter(found), None)

    def must_be_new(self, document: Document) -> None:
        """Raises `XRepoConflictError` when another record is known by the same."""
        if not self.known_by:
            return
        asked = _identity(document, self.known_by)
        if self.find(asked) if self._places is None else self._places.get(asked):
            raise XRepoConflictError(
                f"a record with this {', '.join(self.known_by)} exists", asked=_told(document, self.known_by)
            )

    def _place(self, identity: Any, document: Document | None, put: Callable[[set[Any], Any], None]) -> None:
        """Puts the identity where its document says, or takes it from there."""
        if self._places is None or document is None:
            return
        if all(document.get(name) is not None for name in self.known_by):
            put(self._places[_identity(document, self.known_by)], identity)

    def find(self, identity: Any) -> Document | None:
        """The record of that identity as the batch leaves it."""
        if identity in self._staged:
            return self._staged[identity]
        return self._documents.get(identity)

    def stage(self, identity: Any, document: Document | None) -> None:
        """What is to stand under that identity; None removes it."""
        self._place(identity, self.find(identity), set.discard)
        self._place(identity, document, set.add)
        self._staged[identity] = document

    def apply(self) -> None:
        """Makes it so."""
        for identity, document in self._staged.items():
            if document is None:
                self._documents.pop(identity, None)
            else:
                self._documents[identity] = document


def inserted(batch: Batch, record: Document) -> Document:
    """Stages a new record."""
    document = deepcopy(dict(record))
    batch.must_be_new(document)
    identity = _identity(document, batch.key) if batch.key else object()
    _must_be_free(batch, identity)
    batch.stage(identity, document)
    return document


def changed(batch: Batch, change: tuple[Any, Document]) -> Document | None:
    """Stages changed fields of a record; its key may change to one that is free."""
    given, fields = change
    identity = batch.named(given)
    old = batch.find(identity)
    if old is None:
        return None
    document = {**old, **deepcopy(fields)}
    new = _identity(document, batch.key) if batch.key else identity
    if new != identity:
        _must_be_free(batch, new)
        batch.stage(identity, None)
    batch.stage(new, document)
    return document


def removed(batch: Batch, given: Any) -> Document | None:
    """Stages the removal of a record."""
    identity = batch.named(given)
    old = batch.find(identity)
    if old is not None:
        batch.stage(identity, None)
    return old


def _must_be_free(batch: Batch, identity: Any) -> None:
    if batch.find(identity) is not None:
        named = ", ".join(batch.key)
        raise XRepoConflictError(f"a record with this {named} exists", asked=named)


def _must_have(schema: Schema, names: Sequence[str]) -> None:
    for name in names:
        if schema.field(name) is None and schema.fields:
            raise XRepoValidationError(
                f"there is no field {name!r} for the key", asked=name, exists=schema.names
            )


def _asked(given: Any, key: tuple[str, ...]) -> Any:
    if not key:
        raise XRepoUnsupportedError(
            "this collection has no primary key", asked="primary key", hint="name one: primary_key=..."
        )
    values = tuple(given) if len(key) > 1 else (given,)
    return _identity(dict(zip(key, values, strict=False)), key)


def _identity(document: Mapping[str, Any], key: tuple[str, ...]) -> Any:
    """What a record is known by: equal numbers are one, but True is not 1."""
    values = [document.get(name) for name in key]
    if any(value is None or isinstance(value, dict | list) for value in values):
        raise XRepoValidationError(
            f"a record needs a value for its key {', '.join(key)}", exists=list(document)
        )
    return tuple((isinstance(value, bool), value) for value in values)


def _told(document: Document, key: tuple[str, ...]) -> Any:
    return document[key[0]] if len(key) == 1 else tuple(document[name] for name in key)


def _key(table: Table, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The primary key: the one wanted, which must serve, or `_id` or `id` where it serves."""
    schema = table.schema
    _must_have(schema, wanted)
    if wanted:
        if not _serves(table, wanted):
            raise XRepoValidationError(
                f"{', '.join(wanted)} does not tell each record from the others", asked=wanted[0]
            )
        return wanted
    guessed = [(name,) for name in ("_id", "id") if schema.field(name) is not None]
    return next((key for key in guessed if _serves(table, key)), ())


def _serves(table: Table, key: tuple[str, ...]) -> bool:
    """Whether each record has a value of its own under the key."""
    if table.is_lazy:
        return _is_key(table.lazy.select(key).collect())
    columns = table.frame.select(key)
    if pl.Object not in columns.dtypes:
        return _is_key(columns)
    try:
        return len({_identity(d, key) for d in table.documents}) == columns.height
    except XRepoValidationError:
        return False


def _is_key(columns: pl.DataFrame) -> bool:
    return columns.null_count().sum_horizontal().sum() == 0 and columns.n_unique() == columns.height
