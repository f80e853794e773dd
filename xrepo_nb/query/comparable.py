"""Constants of conditions, as the types of their fields ask for them."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.query import predicates as p
from xrepo_nb.query.plan import Match, Plan, Scan
from xrepo_nb.query.typing.values import Value, constant, resolved, root_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType

_NUMBERS = frozenset({"int", "float", "decimal"})
_MOMENTS = frozenset({"datetime", "date"})
_BYTES = frozenset({"binary", "uuid"})


def must_compare(node: p.Predicate, found: Value) -> None:
    """Refuses a comparison with a constant of a type that the field never holds.

    It would select nothing, or everything, whatever the rows are: a slip, not a question.
    """
    for value in _constants(node):
        kind = constant(value)
        if not any(_alike(kind.type, held) for held in _held(found.type)):
            field = ".".join(node.path)  # type: ignore[attr-defined]
            raise XRepoQueryError(
                f"{field!r} holds {found.type}, and is compared with {_named(kind.type)}",
                at=node.at,  # type: ignore[attr-defined]
                asked=field,
                hint=_HINTS.get(found.kind),
            )


def with_moments(plan: Plan, schema: Schema) -> Plan:
    """The plan, in whose conditions on the rows as scanned ISO text stands for the time it tells."""

    def read(node: Plan) -> Plan:
        if isinstance(node, Match) and isinstance(_below(node), Scan):
            return replace(node, predicate=moments_read(node.predicate, schema))
        return node

    return plan.transform(read) if isinstance(_below(plan), Scan) or plan.sources() else plan


def moments_read(predicate: p.Predicate, schema: Schema) -> p.Predicate:
    """The predicate with ISO text as the date, time or UUID that it is, where the field holds those."""
    if isinstance(predicate, (p.And, p.Or, p.All)):
        return replace(predicate, items=tuple(moments_read(item, schema) for item in predicate.items))
    if isinstance(predicate, p.Not):
        return replace(predicate, item=moments_read(predicate.item, schema))
    if not isinstance(predicate, (p.Compare, p.In)):
        return predicate
    if not any(isinstance(value, str) for value in _constants(predicate)):
        return predicate
    found = resolved(root_of(schema), predicate.path)
    reader = None if found is None else _reader(found.type)
    if reader is None:
        return predicate
    if isinstance(predicate, p.In):
        return replace(predicate, values=tuple(_read(reader, value) for value in predicate.values))
    return replace(predicate, value=_read(reader, predicate.value))
