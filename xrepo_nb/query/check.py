"""Checks of a plan against the schemas of its scans: unknown fields are refused."""

from __future__ import annotations

from collections.abc import Mapping

from xrepo_nb.core.errors import XRepoQueryError, closest
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.parsing.lookups import LOOKUPS
from xrepo_nb.query.plan import Plan
from xrepo_nb.query.typing.stages import Walk, rows_of
from xrepo_nb.query.typing.values import Value
from xrepo_nb.schema.schema import Schema


def check_fields(plan: Plan, schemas: Mapping[str, Schema]) -> None:
    """Refuses every field that is not there where the plan names it.

    Looks at top-level and nested names through all stages: a field may come from a scan's schema
    or from an earlier stage. Scans without a schema, and `mixed` fields, may hold any name.
    Raises `XRepoQueryError` with the nearest field and the place in the query. Reads no rows.
    """
    rows_of(plan, Walk(schemas, lost=_refuse))


def _refuse(path: Path, root: Value, at: str) -> None:
    name = ".".join(path)
    existing = names_below(root)
    raise XRepoQueryError(
        f"unknown field {name!r}", at=at, asked=name, exists=existing, hint=_hint(path, existing, at)
    )


def _hint(path: Path, existing: tuple[str, ...], at: str) -> str | None:
    """A lookup misspelt at the end of a Django-style filter reads as a nested field."""
    field, asked = ".".join(path[:-1]), path[-1]
    if field not in existing:
        return None
    lookup = _CALLED.get(asked) or closest(asked, LOOKUPS)
    if lookup:
        return f"did you mean {'__'.join((*path[:-1], lookup))!r}?"
    plain = not any(name.startswith(f"{field}.") for name in existing)
    return f"after {field}__ there may stand {', '.join(LOOKUPS)}" if plain and "__" in at else None


_CALLED = {
    "between": "range",
    "eq": "exact",
    "equals": "exact",
    "like": "contains",
    "ilike": "icontains",
    "matches": "regex",
    "neq": "ne",
    "not": "ne",
    "not_in": "nin",
    "null": "isnull",
}
"""Lookups by the names that others have for them."""


def names_below(root: Value, prefix: str = "", depth: int = 3) -> tuple[str, ...]:
    """The paths of all fields below, nested ones too, outer ones first."""
    kind = root.type
    while kind.kind == "array" and kind.item is not None:
        kind = kind.item
    own = tuple(prefix + f.name for f in kind.fields)
    if depth == 1:
        return own
    return own + tuple(
        name for f in kind.fields for name in names_below(Value(f.type), f"{prefix}{f.name}.", depth - 1)
    )
