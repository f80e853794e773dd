"""Documents as structs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from xrepo_nb.engines.sql.syntax import name
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.nesting import MAX_FIELDS
from xrepo_nb.schema.types import DataType, Field


def struct(items: Sequence[tuple[str, Value]]) -> Value:
    """A document of these fields, those that are always missing left out."""
    if any(not v.type.is_typed for _, v in items):
        decline("a constant without SQL form within a document")
    kept = [(k, v.settled(f"the field {k!r}")) for k, v in items if not v.is_never_there]
    if not kept:
        decline("a document without fields")
    if len({k.casefold() for k, _ in kept}) < len(kept) or any(not k or "\0" in k for k, _ in kept):
        decline("a document whose field names a struct cannot hold")
    if len(kept) > MAX_FIELDS:
        decline(f"a document of more than {MAX_FIELDS:,} fields")
    parts = [exp.PropertyEQ(this=name(k), expression=v.sql) for k, v in kept]
    fields = tuple(Field(k, v.type, v.absence) for k, v in kept)
    return Value(exp.Struct(expressions=parts), DataType("object", fields), "never")
