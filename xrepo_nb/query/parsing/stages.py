"""Stages of one input, into plan nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xrepo_nb.query.expressions import REDACT_VARIABLES, Expr, Literal, Path
from xrepo_nb.query.parsing.accumulators import accumulator
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.filters import filter_document, predicate_of
from xrepo_nb.query.parsing.projections import check_collisions, stage_projection
from xrepo_nb.query.parsing.sorts import sort_keys
from xrepo_nb.query.parsing.values import (
    array,
    document,
    fail,
    field_name,
    field_path,
    flag,
    kind,
    named_options,
    reference,
    string,
    whole,
)
from xrepo_nb.query.plan import (
    Accumulator,
    AddFields,
    Documents,
    Group,
    Limit,
    Match,
    Plan,
    Project,
    Redact,
    ReplaceRoot,
    Sample,
    Skip,
    Sort,
    SortKey,
    Unset,
    Unwind,
)


def match(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$match`."""
    if type(given) is dict:
        return Match(source, filter_document(given, at, scope), at=at)
    built = predicate_of(given)
    if built is None:
        built = filter_document(document(given, "$match", at), at, scope)
    return Match(source, built, at=at)


def project(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$project`."""
    return Project(source, *stage_projection(given, at, scope), at=at)


def add_fields(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$addFields` and `$set`."""
    named = document(given, at.rpartition(".")[2], at)
    if not named:
        fail("names at least one field", at)
    fields = tuple(_computed((), named, at, scope))
    check_collisions([path for path, _ in fields], at)
    return AddFields(source, fields, at=at)


def _computed(prefix: Path, named: Mapping[str, Any], at: str, scope: Scope) -> Iterator[tuple[Path, Expr]]:
    for name, value in named.items():
        here = f"{at}.{name}"
        path = prefix + field_path(name, here)
        if isinstance(value, (dict, Mapping)) and value and not any(str(key)[:1] == "$" for key in value):
            yield from _computed(path, value, here, scope)
        elif isinstance(value, (dict, Mapping)) and not value and prefix:
            fail("an empty document is no expression here", here, hint="use {'$literal': {}}")
        else:
            yield path, expression(value, here, scope)


def unset(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$unset`."""
    names = [given] if isinstance(given, str) else array(given, "$unset", at)
    if not names:
        fail("$unset names at least one field", at)
    paths = tuple(field_path(name, f"{at}[{i}]") for i, name in enumerate(names))
    check_collisions(paths, at)
    return Unset(source, paths, at=at)


def group(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$group`."""
    named = document(given, "$group", at)
    if "_id" not in named:
        fail("$group needs an _id", at, hint='group everything by {"_id": null}')
    outputs = tuple(
        accumulator(name, value, f"{at}.{name}", scope) for name, value in named.items() if name != "_id"
    )
    return Group(source, expression(named["_id"], f"{at}._id", scope), outputs, at=at)


def sort(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$sort`."""
    keys = sort_keys(document(given, "$sort", at), at)
    if not keys:
        fail("$sort needs at least one key", at)
    return Sort(source, keys, at=at)


def limit(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$limit`."""
    return Limit(source, whole(given, "$limit", at, least=1), at=at)


def skip(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$skip`."""
    return Skip(source, whole(given, "$skip", at, least=0), at=at)


def sample(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$sample`."""
    named = named_options(given, "$sample", ("size",), ("size",), at)
    return Sample(source, whole(named["size"], "size", f"{at}.size", least=1, truncate=True), at=at)


def unwind(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$unwind`, of a path or with options."""
    if isinstance(given, str):
        return Unwind(source, reference(given, "$unwind", at), at=at)
    known = ("path", "includeArrayIndex", "preserveNullAndEmptyArrays")
    named = named_options(given, "$unwind", known, ("path",), at)
    index = named.get("includeArrayIndex")
    keep = named.get("preserveNullAndEmptyArrays", False)
    return Unwind(
        source,
        reference(named["path"], "path", f"{at}.path"),
        None if index is None else field_path(index, f"{at}.includeArrayIndex"),
        flag(keep, "preserveNullAndEmptyArrays", at),
        at=at,
    )


def replace_root(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$replaceRoot`."""
    named = named_options(given, "$replaceRoot", ("newRoot",), ("newRoot",), at)
    return replace_with(named["newRoot"], source, f"{at}.newRoot", scope)


def replace_with(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$replaceWith`."""
    root = expression(given, at, scope)
    if isinstance(root, Literal) and not isinstance(root.value, Mapping):
        fail(f"the new root is a document, not {kind(root.value)}", at)
    return ReplaceRoot(source, root, at=at)


def redact(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$redact`."""
    expr = expression(given, at, scope.binding(*REDACT_VARIABLES))
    if isinstance(expr, Literal):
        fail("$redact takes an expression that gives $$KEEP, $$PRUNE or $$DESCEND", at)
    return Redact(source, expr, at=at)


def count(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$count`: a group of everything."""
    name = field_name(string(given, "$count", at), at)
    if name == "_id":
        fail("$count takes any name but '_id', which is the group's own", at, hint="rename it with $project")
    rows = Group(source, Literal(None), (Accumulator(name, "$sum", (Literal(1),), at=at),), at=at)
    return Project(rows, ((("_id",), False),), inclusive=False)


def sort_by_count(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$sortByCount`: a sorted group."""
    is_reference = isinstance(given, str) and given.startswith("$")
    is_operator = (
        isinstance(given, (dict, Mapping)) and len(given) == 1 and str(next(iter(given))).startswith("$")
    )
    if not (is_reference or is_operator):
        fail("$sortByCount takes a field path with '$' before it, or an operator", at)
    count = Accumulator("count", "$sum", (Literal(1),), at=at)
    return Sort(
        Group(source, expression(given, at, scope), (count,), at=at), (SortKey(("count",), True),), at=at
    )


def documents(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$documents`."""
    items = expression(given, at, scope)
    if isinstance(items, Literal):
        for i, item in enumerate(array(items.value, "$documents", at)):
            document(item, "each of $documents", f"{at}[{i}]")
    return Documents(items, at=at)
