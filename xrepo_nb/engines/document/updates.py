"""Updates: the documents after a change, the old ones untouched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.changes import Changer, compile_changes
from xrepo_nb.engines.document.limits import MAX_DEPTH, exceeded
from xrepo_nb.engines.document.merging import keeping_id, with_id
from xrepo_nb.engines.document.meter import metered
from xrepo_nb.engines.document.paths import put
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.engines.document.stages import Context, compile_plan
from xrepo_nb.engines.document.variables import constants
from xrepo_nb.query import predicates as p
from xrepo_nb.query import updates as u
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.walk import overlap

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """All documents after an update, how many matched and changed, and the `_id` of an inserted one.

    Unchanged documents are the given objects; changed ones share no container with the old.
    """

    documents: list[Row]
    matched: int
    modified: int
    upserted_id: Any = None
    inserted: bool = False


def apply_update(
    documents: Iterable[Row],
    predicate: p.Predicate,
    update: u.Update,
    *,
    multi: bool,
    upsert: bool = False,
    variables: Mapping[str, Any] | None = None,
) -> UpdateResult:
    """The documents after the update of those that match: all, or the first unless `multi`.

    With `upsert` and no match a document is added, made of the predicate's equalities and the
    update. `variables` are what `$expr` and an update pipeline may name.

    Raises `XRepoQueryError` when the update does not fit a document, and changes none then.

    >>> from xrepo_nb.query.parsing import parse_filter, parse_update
    >>> change = parse_update({"$inc": {"n": 2}})
    >>> found = apply_update([{"_id": 1, "n": 1}], parse_filter({}), change, multi=True)
    >>> found.documents, found.modified
    ([{'_id': 1, 'n': 3}], 1)
    """
    try:
        with metered():
            return _updated(documents, predicate, update, multi, upsert, variables)
    except RecursionError:
        exceeded("the depth of an update or a document", MAX_DEPTH)


def _updated(
    documents: Iterable[Row],
    predicate: p.Predicate,
    update: u.Update,
    multi: bool,
    upsert: bool,
    variables: Mapping[str, Any] | None,
) -> UpdateResult:
    scope = constants(variables)
    if multi and isinstance(update, u.Replacement):
        raise XRepoQueryError("a replacement takes the place of one document, not of many", at="update")
    test = compile_predicate(predicate, scope)
    change = _compile(update, predicate, scope)
    out: list[Row] = []
    matched = modified = 0
    for document in documents:
        if (matched and not multi) or not test(document):
            out.append(document)
            continue
        matched += 1
        new = _with_same_id(document, change(document, False))
        modified += not v.identical(document, new)
        out.append(new)
    if matched or not upsert:
        return UpdateResult(out, matched, modified)
    new = _inserted(predicate, update, change)
    return UpdateResult([*out, new], 0, 0, new["_id"], inserted=True)


def _compile(update: u.Update, predicate: p.Predicate, scope: Mapping[str, Any]) -> Changer:
    if isinstance(update, u.Replacement):
        return lambda document, inserting: keeping_id(document, v.copied(update.document))
    if isinstance(update, u.PipelineUpdate):
        run = compile_plan(update.plan, Context(lambda source: (), scope))
        return lambda document, inserting: keeping_id(document, v.copied(next(iter(run([document])))))
    assert isinstance(update, u.FieldUpdate)
    return compile_changes(update, predicate, scope)


def _with_same_id(old: Row, new: Row) -> Row:
    if "_id" in old and not v.same(old["_id"], new.get("_id", MISSING)):
        raise XRepoQueryError(
            "an update does not change the _id of a document",
            at="update._id",
            asked="_id",
            hint="leave _id out of the update, or insert a new document",
        )
    return new


def _inserted(predicate: p.Predicate, update: u.Update, change: Changer) -> Row:
    fixed = dict(_checked(_equalities(predicate)))
    base: Row = {}
    for path, value in fixed.items():
        if path[0] == "_id" or not isinstance(update, u.Replacement):
            put(base, path, v.copied(value))
    new = change(base, True)
    if "_id" in base and "_id" in new and not v.same(base["_id"], new["_id"]):
        raise XRepoQueryError(
            "the filter and the update give different _id values", at="update._id", asked="_id"
        )
    return with_id(new)


def _checked(found: Iterable[tuple[Path, Any]]) -> Iterator[tuple[Path, Any]]:
    """The equalities; refuses two about one field, or about a field and one within it."""
    seen: list[Path] = []
    for path, value in found:
        for other in seen:
            if overlap(path, other):
                name = ".".join(path)
                raise XRepoQueryError(
                    f"the filter fixes the field {name!r} of the new document twice",
                    at="filter",
                    asked=name,
                    hint="name each field of an upsert's filter once",
                )
        seen.append(path)
        yield path, value


def _equalities(predicate: p.Predicate) -> Iterator[tuple[Path, Any]]:
    """The fields that a predicate fixes to one value."""
    if isinstance(predicate, (p.And, p.All)):
        for item in predicate.items:
            yield from _equalities(item)
    elif isinstance(predicate, p.Or) and len(predicate.items) == 1:
        yield from _equalities(predicate.items[0])
    elif isinstance(predicate, p.Compare) and predicate.op == "$eq" and predicate.path:
        yield predicate.path, predicate.value
    elif isinstance(predicate, p.In) and len(predicate.values) == 1:
        yield predicate.path, predicate.values[0]
