"""`$merge`: rows into a target collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoConflictError, XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.paths import getter
from xrepo_nb.engines.document.stages import Context, compile_plan
from xrepo_nb.engines.document.values import copied, hash_key, is_absent
from xrepo_nb.query.plan import Merge, Plan

Row = dict[str, Any]
Combine = Callable[[Row, Row], Row]
"""The row that stays, from the old one and the new one."""


def merge_documents(
    target: Sequence[Row], rows: Iterable[Row], node: Merge, variables: Mapping[str, Any] | None = None
) -> list[Row]:
    """The target collection after `rows` were merged into it as `node` says.

    Rows without `_id` get a new ObjectId when they are inserted, or when `on` names it. Raises
    `XRepoQueryError` when a row lacks a key field, `XRepoConflictError` when a match or its absence
    is to fail.

    >>> merge_documents([{"_id": 1, "a": 1}], [{"_id": 1, "b": 2}], Merge(Plan(), "t"))
    [{'_id': 1, 'a': 1, 'b': 2}]
    """
    reads = [getter(tuple(name.split("."))) for name in node.on]
    combine = _combiner(node, variables or {})
    out = list(target)
    places = {_key(row, reads): i for i, row in enumerate(out)}
    for given in rows:
        row = with_id(given) if "_id" in node.on else given
        key = _checked_key(row, reads, node)
        place = places.get(key)
        if place is not None:
            out[place] = _same_id(out[place], combine(out[place], row), node)
        elif node.when_not_matched == "insert":
            places[key] = len(out)
            out.append(copied(with_id(row)))
        elif node.when_not_matched == "fail":
            raise XRepoConflictError("$merge found no document to match, and whenNotMatched is 'fail'")
    return out


def with_id(row: Row) -> Row:
    """The row with an `_id` in front, a new ObjectId if it has none."""
    if "_id" in row:
        return row
    from bson.objectid import ObjectId

    return {"_id": ObjectId(), **row}


def keeping_id(old: Row, new: Row) -> Row:
    """The new row with the `_id` of the old one, unless it has its own."""
    return {"_id": old["_id"], **new} if "_id" in old and "_id" not in new else new


def _key(row: Row, reads: Sequence[Callable[[Any], Any]]) -> tuple[Any, ...]:
    return tuple([hash_key(read(row)) for read in reads])


def _checked_key(row: Row, reads: Sequence[Callable[[Any], Any]], node: Merge) -> tuple[Any, ...]:
    for name, read in zip(node.on, reads, strict=True):
        value = read(row)
        if is_absent(value) or isinstance(value, list):
            raise XRepoQueryError(
                f"$merge needs a value that is no array in {name!r}", asked=name, at=node.at
            )
    return _key(row, reads)


def _same_id(old: Row, new: Row, node: Merge) -> Row:
    if "_id" in old and hash_key(old["_id"]) != hash_key(new.get("_id", MISSING)):
        raise XRepoQueryError("$merge would change the _id of a document", at=node.at)
    return new


def _combiner(node: Merge, variables: Mapping[str, Any]) -> Combine:
    if isinstance(node.when_matched, Plan):
        return _by_pipeline(node, node.when_matched, variables)
    return _CHOICES[node.when_matched]


def _by_pipeline(node: Merge, plan: Plan, variables: Mapping[str, Any]) -> Combine:
    context = Context(lambda source: (), variables)
    run = compile_plan(plan, context)
    bindings = [(name, compile_expression(value)) for name, value in node.let]

    def combine(old: Row, new: Row) -> Row:
        context.variables["new"] = new
        for name, evaluate in bindings:
            context.variables[name] = evaluate(new, variables)
        return keeping_id(old, copied(next(iter(run([old])))))

    return combine


def _fail(old: Row, new: Row) -> Row:
    raise XRepoConflictError("$merge found a document that matches, and whenMatched is 'fail'")


_CHOICES: dict[str, Combine] = {
    "merge": lambda old, new: {**old, **copied(new)},
    "replace": lambda old, new: keeping_id(old, copied(new)),
    "keepExisting": lambda old, new: old,
    "fail": _fail,
}
