"""Filters moved to the sides of a join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from xrepo_nb.query import plan as s
from xrepo_nb.query import predicates as p
from xrepo_nb.query.rules.predicates import rejects_absence
from xrepo_nb.query.typing.stages import Walk, rows_of
from xrepo_nb.query.walk import WHOLE, paths_of
from xrepo_nb.schema.schema import Schema

Schemas = Mapping[str, Schema]
Place = Callable[[p.Predicate, s.Plan, Schemas], s.Plan]


@dataclass(frozen=True)
class _Side:
    """When a condition on one side of a join may go there: the kinds of join each of whose rows is one of
    that side, or follows from one; what others become if it drops the rows without partner; and the
    validations that it would hide a repeated key from."""

    whole: frozenset[str]
    narrower: Mapping[str, str]
    unique: frozenset[str]

    def how(self, join: s.Join, condition: p.Predicate, *, shared: bool) -> str | None:
        """The kind of the join once the condition is on this side; None when it must stay above.

        `shared`: it reads a key that both sides have.
        """
        if join.validate in self.unique:
            return None
        if join.how in self.whole:
            return join.how
        return self.narrower.get(join.how) if not shared and rejects_absence(condition) else None


_LEFT = _Side(
    frozenset({"inner", "left", "semi", "anti", "asof"}),
    {"outer": "left"},
    frozenset({"one_to_one", "one_to_many"}),
)
_RIGHT = _Side(frozenset({"inner", "right"}), {"left": "inner"}, frozenset({"one_to_one", "many_to_one"}))


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
    keys = {a for a, b in join.on if a == b}
    shared = not names.isdisjoint(keys)
    if names <= left and not (names & right) - keys:
        how = _LEFT.how(join, condition, shared=shared)
        if how is not None:
            return replace(join, how=how, left=place(condition, join.left, schemas))
    if names <= right and not (names & left) - keys:
        how = _RIGHT.how(join, condition, shared=shared)
        if how is not None:
            return replace(join, how=how, right=place(condition, join.right, schemas))
    return None


def _columns(plan: s.Plan, schemas: Schemas) -> set[str] | None:
    rows = rows_of(plan, Walk(schemas))
    return {f.name for f in rows.type.fields} if rows.kind == "object" else None
