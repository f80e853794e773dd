"""Filters moved to the sides of a join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from xrepo_nb.query import plan as s
from xrepo_nb.query import predicates as p
from xrepo_nb.query.typing.stages import Walk, rows_of
from xrepo_nb.query.walk import WHOLE, paths_of
from xrepo_nb.schema.schema import Schema

Schemas = Mapping[str, Schema]
Place = Callable[[p.Predicate, s.Plan, Schemas], s.Plan]

_LEFT = {"inner", "left", "semi", "anti", "asof"}
"""Joins whose left rows may be filtered before: each result row is one of them, or follows from one."""
_RIGHT = {"inner", "right"}
_UNIQUE_LEFT = {"one_to_one", "one_to_many"}
_UNIQUE_RIGHT = {"one_to_one", "many_to_one"}


def push_join(condition: p.Predicate, join: s.Join, schemas: Schemas, place: Place) -> s.Plan | None:
    """The join with the condition on the side that alone decides it; None when neither does.

    A side whose keys are validated to be unique is not filtered first: that would hide what
    the validation is to find.
    """
    paths = paths_of(condition)
    if WHOLE in paths or not paths:
        return None
    names = {path[0] for path in paths}
    left, right = _columns(join.left, schemas), _columns(join.right, schemas)
    if left is None or right is None:
        return None
    shared = {a for a, b in join.on if a == b}
    from_left = join.how in _LEFT and join.validate not in _UNIQUE_LEFT
    from_right = join.how in _RIGHT and join.validate not in _UNIQUE_RIGHT
    if from_left and names <= left and not (names & right) - shared:
        return replace(join, left=place(condition, join.left, schemas))
    if from_right and names <= right and not (names & left) - shared:
        return replace(join, right=place(condition, join.right, schemas))
    return None


def _columns(plan: s.Plan, schemas: Schemas) -> set[str] | None:
    rows = rows_of(plan, Walk(schemas))
    return {f.name for f in rows.type.fields} if rows.kind == "object" else None
