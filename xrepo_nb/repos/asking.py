"""From what a caller asks to a plan: filters, order, page, projection, pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex

from xrepo_nb.core.errors import XRepoConfigurationError, an
from xrepo_nb.query.expressions import FieldRef, Path
from xrepo_nb.query.plan import Group, Limit, Match, Plan, Project, Scan, Skip, Sort, SortKey, Unwind
from xrepo_nb.query.predicates import EVERYTHING, Exists
from xrepo_nb.repos.narrowing import sight_of
from xrepo_nb.repos.operation import Operation
from xrepo_nb.schema.schema import Schema

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


def matching(repo: XRepo[Any], filters: Any, operation: Operation) -> Plan:
    """The repo's rows that match the filters."""
    scan = Scan(repo.metadata.name)
    if isinstance(filters, dict | None) and not filters:
        return scan
    sight = sight_of(operation)
    known = sight.shown(sight.schema(operation.identity)).names
    predicate = repo._predicate(filters, known, operation.identity)
    return scan if predicate == EVERYTHING else Match(scan, predicate, at="filter")


def pipeline(repo: XRepo[Any], stages: Sequence[Mapping[str, Any]], start: Plan | None = None) -> Plan:
    """The plan of a pipeline over the repo's rows, or those of `start`."""
    from xrepo_nb.query.parsing import parse_pipeline

    return parse_pipeline(stages, start or Scan(repo.metadata.name))


def distinct(schema: Schema, plan: Plan, path: Path) -> Plan:
    """One row, sorted, for each value at the path; elements of arrays are values."""
    there = Match(plan, Exists(path, True))
    unwound: Plan = there
    for length in range(1, len(path) + 1):
        if _may_be_array(schema, path[:length]):
            unwound = Unwind(unwound, path[:length], preserve_empty=True)
    if unwound is not there:
        unwound = Match(unwound, Exists(path, True))
    return Sort(Group(unwound, FieldRef(path), ()), (SortKey(("_id",)),))


def _may_be_array(schema: Schema, path: tuple[str, ...]) -> bool:
    kind = None
    for step in path:
        field = schema.field(step) if kind is None else (kind.item or kind).field(step)
        if field is None:
            return kind is not None and kind.kind == "mixed"
        kind = field.type
    return kind is not None and kind.kind in ("array", "mixed")


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the matching rows are wanted, in which order."""

    sort: Any = None
    skip: int = 0
    limit: int | None = None


def paged(plan: Plan, sort: Any, skip: int, limit: int | None) -> Plan:
    """The plan's rows in that order, from `skip` on, at most `limit` of them."""
    if sort is not None and not (isinstance(sort, Sized) and not len(sort)):
        from xrepo_nb.query.parsing import parse_sort

        plan = Sort(plan, parse_sort(sort))
    if skip := bounded(skip, "skip"):
        plan = Skip(plan, skip)
    if limit is not None:
        plan = Limit(plan, bounded(limit, "limit"))
    return plan


def bounded(value: SupportsIndex, name: str) -> int:
    """A count as the caller gave it, of NumPy's integers too; refused when it is none."""
    try:
        count = -1 if isinstance(value, bool) else index(value)
    except TypeError:
        count = -1
    if count < 0:
        hint = "limit=None reads all rows" if name == "limit" else None
        raise XRepoConfigurationError(f"{name} must be a whole number from 0 on", asked=name, hint=hint)
    return min(count, _MOST)


_MOST = 2**63 - 1
"""Rows that any source has at most."""


def projected(plan: Plan, fields: str | Sequence[str] | Mapping[str, Any] | None) -> Plan:
    """The plan's rows with only those fields: a name, names, or a projection as MongoDB writes it."""
    if fields is None:
        return plan
    if isinstance(fields, Mapping):
        from xrepo_nb.query.parsing import parse_projection

        return Project(plan, *parse_projection(fields))
    names = [fields] if isinstance(fields, str) else fields
    return Project.only(plan, [tuple(field_name(name).split(".")) for name in names])


def whole(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan's rows with only the fields of these names, dots and all."""
    return Project.only(plan, [(name,) for name in names])


def field_name(given: Any) -> str:
    """The name of a field as the caller gave it, refused when it is none."""
    if isinstance(given, str):
        return given
    raise XRepoConfigurationError(
        f"the name of a field is text, not {an(type(given).__name__)}", asked=repr(given), hint='write "age"'
    )
