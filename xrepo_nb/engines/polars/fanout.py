"""How many rows a join makes: told before, because Polars ends the process where memory runs out."""

from __future__ import annotations

import polars as pl

from xrepo_nb.engines.base import Inputs
from xrepo_nb.engines.document.variables import constants
from xrepo_nb.engines.growth import MAX_CELLS, TIMES
from xrepo_nb.engines.polars.facts import UNKNOWN, Facts
from xrepo_nb.engines.polars.frame import Frame, column, scan
from xrepo_nb.engines.polars.planning import Lowering
from xrepo_nb.engines.polars.running import REDUCING
from xrepo_nb.engines.typed.reasons import Unsupported, decline
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, FieldRef
from xrepo_nb.query.walk import paths_in

_Side = tuple[p.Plan, Frame, Frame, list[str]]

_MANY = 10 * MAX_CELLS
"""Cells beyond which a join must not multiply what it was given: some two gigabytes."""


STREAMED = 4_000_000_000
"""Rows that a join may give where each is reduced as soon as it is there: a minute of DuckDB on a core."""


def most_rows(
    stage: p.Join, left: Frame, right: Frame, lowering: Lowering, *, streamed: bool = False
) -> int | None:
    """The greatest number of rows that a join gives; None where nobody has counted the sides.

    Costs nothing where one side is small or has few equal keys, which is counted once for a table,
    and once for files as long as they stay the same; else the equal keys of both sides are counted.
    Declines what grows too large; `streamed` rows are held nowhere, so that only their time counts.
    """
    if left.height is None or right.height is None:
        return None
    unmatched = left.height + right.height
    least = left.height * right.height
    most = max(_enough(left, right), STREAMED if streamed else 0)
    for plan, frame, other, keys in _smaller_first(stage, left, right):
        if least > most:
            least = min(least, (other.height or 0) * _repeats(plan, keys, frame, lowering))
    if least > most:
        least = _pairs(stage, left, right)
    if least > most:
        decline(f"a join of {left.height:,} and {right.height:,} rows that gives too many")
    return least + unmatched


def multiplies(plan: p.Plan, inputs: Inputs) -> str | None:
    """Why a plan's joins give too many rows for DuckDB; None where they do not, or nobody can tell.

    It streams the rows of a join into the group that reduces them. Costs what `most_rows` does, which is
    nothing for a plan without joins.
    """
    joins = [node for node in plan.walk() if isinstance(node, p.Join)]
    if not joins:
        return None
    lowering = Lowering(lambda name: scan(inputs[name]), constants(None), [])
    groups = _groups_of_joins(plan)
    for stage in joins:
        sides = _sides(stage, lowering)
        if sides is None:
            continue
        try:
            group = groups.get(id(stage))
            streamed = group is not None and any(_is_key_of(group.key, side) for side in sides)
            most_rows(stage, *sides, lowering, streamed=streamed)
        except Unsupported as declined:
            return declined.reason
    return None


def reduces_a_join(plan: p.Plan) -> bool:
    """Whether a plan groups the rows of a join, keeping none of them."""
    return bool(_groups_of_joins(plan))


def _groups_of_joins(plan: p.Plan) -> dict[int, p.Group]:
    """The groups that reduce the rows of a join, by its identity."""
    found = {}
    for node in plan.walk():
        if isinstance(node, p.Group) and all(a.op in REDUCING for a in node.accumulators):
            below = node.input
            while isinstance(below, p.Match):
                below = below.input
            if isinstance(below, p.Join):
                found[id(below)] = node
    return found


def _is_key_of(key: Expr, side: Frame) -> bool:
    """Whether a key is made of fields of one side, so that there are no more groups than rows of that."""
    return all(path and path[0] in side.columns for path in paths_in(key))


def _sides(stage: p.Join, lowering: Lowering) -> tuple[Frame, Frame] | None:
    """What a join reads; None where that has no lowering, so that nobody counts it."""
    if stage.how in ("semi", "anti"):
        return None
    try:
        return lowering.frame(stage.left), lowering.frame(stage.right)
    except (Unsupported, RecursionError):
        return None


def _enough(left: Frame, right: Frame) -> int:
    """The rows that such a join may give."""
    assert left.height is not None and right.height is not None
    given = left.height * len(left.columns) + right.height * len(right.columns)
    return max(_MANY, TIMES * given) // max(1, len(left.columns) + len(right.columns))


def _smaller_first(stage: p.Join, left: Frame, right: Frame) -> list[_Side]:
    """Each side: its plan, its rows, those of the other one, and its keys."""
    sides = [
        (stage.left, left, right, [key for key, _ in stage.on]),
        (stage.right, right, left, [key for _, key in stage.on]),
    ]
    return sorted(sides, key=lambda side: side[1].height or 0)


def _repeats(plan: p.Plan, keys: list[str], frame: Frame, lowering: Lowering) -> int:
    """How many rows of a side have the same key, at most."""
    found = [frame.height or 0]
    for key in keys:
        repeated = _facts_of(plan, key, lowering).most_repeated
        if repeated is not None:
            found.append(repeated)
    return min(found)


def _facts_of(plan: p.Plan, name: str, lowering: Lowering) -> Facts:
    """The facts of the scanned column that a field is, where no stage repeats its rows."""
    while not isinstance(plan, p.Scan):
        if isinstance(plan, p.Project):
            given = next((value for path, value in plan.fields if path == (name,)), None)
            if isinstance(given, FieldRef) and len(given.path) == 1:
                name = given.path[0]
            elif given is not True:
                return UNKNOWN
        elif not isinstance(plan, (p.Match, p.Sort, p.Limit, p.Skip)):
            return UNKNOWN
        plan = plan.input
    found = lowering.scan(plan.source).columns.get(name)
    return UNKNOWN if found is None else found.facts


def _pairs(stage: p.Join, left: Frame, right: Frame) -> int:
    """How many pairs of rows have equal keys."""
    counts = [
        frame.lazy.select(column(pair[at]).alias(str(i)) for i, pair in enumerate(stage.on))
        .drop_nulls()
        .group_by(pl.all())
        .len(name)
        for at, (frame, name) in enumerate(((left, "left"), (right, "right")))
    ]
    keys = [str(i) for i in range(len(stage.on))]
    both = counts[0].join(counts[1], on=keys)
    pairs = pl.col("left").cast(pl.Int64) * pl.col("right").cast(pl.Int64)
    return int(both.select(pairs.sum()).collect(engine="streaming").item())
