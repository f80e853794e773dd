"""Constants of conditions, as the types of their fields ask for them."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.plain import moment_of
from xrepo_nb.query import predicates as p
from xrepo_nb.query.plan import Limit, Match, Plan, Scan, Skip, Sort
from xrepo_nb.query.typing.values import Value, constant, resolved, root_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import NUMERIC, DataType


def must_compare(node: p.Predicate, found: Value) -> None:
    """Refuses a comparison with a constant of a kind that the field never holds.

    It would select nothing, or everything, whatever the rows are: a slip, not a question.
    """
    if not isinstance(node, (p.Compare, p.In, p.Regex)):
        return
    held = _held(found.type)
    if not held.isdisjoint(_ANY):
        return
    for value in {type(value): value for value in _constants(node)}.values():
        kind = constant(value).kind
        if kind not in _ANY and kind not in held:
            field = ".".join(node.path)
            raise XRepoQueryError(
                f"{field!r} holds {found.type}, and is compared with {kind}",
                at=node.at,
                asked=field,
                hint=_operators(value) or _hint(held, kind),
            )


def with_moments(plan: Plan, schemas: Mapping[str, Schema]) -> Plan:
    """The plan, where conditions on scanned rows may give dates, times and UUIDs as ISO text."""

    def read(node: Plan) -> Plan:
        scan = _scanned(node) if isinstance(node, Match) else None
        schema = None if scan is None else schemas.get(scan.source)
        if schema is None or not isinstance(node, Match):
            return node
        predicate = moments_in(node.predicate, schema)
        return node if predicate is node.predicate else replace(node, predicate=predicate)

    return plan.transform(read)


def moments_in(predicate: p.Predicate, schema: Schema) -> p.Predicate:
    """The predicate on rows of the schema, with ISO text as the dates, times and UUIDs it tells."""
    return _read(predicate, root_of(schema))


def _scanned(node: Plan) -> Scan | None:
    """The scan whose rows come here as they are."""
    while isinstance(node, (Match, Sort, Skip, Limit)):
        node = node.input
    return node if isinstance(node, Scan) else None


def _read(predicate: p.Predicate, root: Value) -> p.Predicate:
    if isinstance(predicate, (p.And, p.Or, p.All)):
        items = tuple(_read(item, root) for item in predicate.items)
        same = all(a is b for a, b in zip(items, predicate.items, strict=True))
        return predicate if same else replace(predicate, items=items)
    if isinstance(predicate, p.Not):
        item = _read(predicate.item, root)
        return predicate if item is predicate.item else p.Not(item)
    if not isinstance(predicate, (p.Compare, p.In)):
        return predicate
    if not any(isinstance(value, str) for value in _constants(predicate)):
        return predicate
    found = resolved(root, predicate.path)
    reader = None if found is None else _READERS.get(_element(found.type).kind)
    if reader is None:
        return predicate
    if isinstance(predicate, p.In):
        return replace(predicate, values=tuple(_as(reader, value) for value in predicate.values))
    return replace(predicate, value=_as(reader, predicate.value))


def _as(reader: Callable[[str], Any], value: Any) -> Any:
    """What the text tells; text that tells nothing stays, and is refused as any of a wrong kind."""
    try:
        return reader(value) if isinstance(value, str) else value
    except ValueError:
        return value


def as_held(value: Any, kind: str) -> Any:
    """A value as fields of that kind hold it: ISO text as what it tells, midnight and its day as one.

    A value that no such field holds stays as it is.

    >>> as_held("2024-01-31", "datetime")
    datetime.datetime(2024, 1, 31, 0, 0, tzinfo=datetime.timezone.utc)
    """
    reader = _READERS.get(kind)
    found = value if reader is None else _as(reader, value)
    if kind == "datetime" and type(found) is datetime.date:
        return datetime.datetime(found.year, found.month, found.day, tzinfo=datetime.UTC)
    if kind == "date" and isinstance(found, datetime.datetime):
        return found.date() if as_held(found.date(), "datetime") == found else found
    return found


_READERS: dict[str, Callable[[str], Any]] = {
    "datetime": moment_of,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "uuid": uuid.UUID,
}


def _constants(node: p.Compare | p.In | p.Regex) -> tuple[Any, ...]:
    if isinstance(node, p.In):
        return node.values
    return (node.pattern,) if isinstance(node, p.Regex) else (node.value,)


def _held(kind: DataType) -> frozenset[str]:
    """The kinds of constants that a field of the type may be compared with."""
    if kind.kind == "array":
        return _held(kind.item or DataType("mixed")) | {"array"}
    return next((group for group in _ALIKE if kind.kind in group), frozenset({kind.kind}))


def _element(kind: DataType) -> DataType:
    """What an array holds, at any depth."""
    while kind.kind == "array" and kind.item is not None:
        kind = kind.item
    return kind


_ANY = frozenset({"mixed", "null"})

_ALIKE = (
    NUMERIC,
    frozenset({"datetime", "date"}),
    frozenset({"binary", "uuid"}),
)
"""Kinds whose values compare with each other; all others only with their own."""


def _operators(given: Any) -> str | None:
    """Operators written without their `$` read as a document."""
    if not (isinstance(given, Mapping) and given and _BARE.issuperset(given)):
        return None
    return "operators begin with $: " + ", ".join(f"${name}" for name in given)


_BARE = frozenset({"eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "regex", "exists", "not"})


def _hint(held: frozenset[str], given: str) -> str | None:
    if given == "array":
        return "for any of several values write $in, or field__in"
    if not held.isdisjoint(("datetime", "date")):
        return "give a datetime, or ISO text such as '2024-01-31'"
    if "bool" in held:
        return "give True or False"
    if "int" in held:
        return "give a number"
    return "give text" if "string" in held else None
