"""Joins by direct addressing: where the other rows are few, and have keys that are whole numbers, unique and
close to each other, a key is the place where its row is found.

The many rows are not hashed, stream, and keep their order, in half to three quarters of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars.selectors as cs

from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.polars.frame import Frame, column
from xrepo_nb.engines.polars.planning import Lowering
from xrepo_nb.engines.polars.reasons import Inexact
from xrepo_nb.engines.polars.running import MANY
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.query import plan as p

FEW = 100_000
"""Other rows up to which it takes little time to place them."""
TIMES = 4
"""Rows for each other one at least, and places for each of those at most."""
PLACES = 1_000
"""Places of which there may be that many more."""
_PLACE = "\0place"
_BY_ROW = (p.Scan, p.Input, p.Project, p.Match, p.Unset)


@frozen
class Others:
    """The other rows: what plans make them, each treating a row by itself, and their key, a column."""

    lazy: pl.LazyFrame
    plans: Sequence[p.Plan]
    key: str

    def pay(self, height: int, lowering: Lowering) -> bool:
        """Whether they are few and in memory, where so many rows look for theirs."""
        nodes = [node for plan in self.plans for node in plan.walk()]
        if height < MANY or lowering.files is None or not all(isinstance(node, _BY_ROW) for node in nodes):
            return False
        names = {node.source for node in nodes if isinstance(node, p.Scan)}
        heights = [lowering.scan(name).height or 0 for name in names - lowering.files]
        return len(heights) == 1 and heights[0] <= min(FEW, height // TIMES)

    def collected(self) -> pl.DataFrame | None:
        """Those that can be found."""
        try:
            # Of a series of several pieces rows are taken half as fast.
            return self.lazy.drop_nulls(cs.by_name(self.key)).collect().rechunk()
        except (Inexact, pl.exceptions.PolarsError):
            return None


def found_by_place(
    left: Frame, key: Value, others: Others, lowering: Lowering, *, keep: bool
) -> pl.LazyFrame | None:
    """The left rows with the columns of the row that is found for each, but for its key; `keep`: also left
    rows that find none, with nulls. None where this cannot be, or would not pay.

    Reads the other rows.
    """
    rows = others.collected() if key.kind == "int" and others.pay(left.height or 0, lowering) else None
    if rows is None:
        return None
    keys = rows[others.key]
    least, greatest = keys.min(), keys.max()
    if not isinstance(least, int) or not isinstance(greatest, int):
        return None
    places = _places(keys - least, greatest - least + 1)
    if places is None:
        return None
    lowering.placed.extend(others.plans[:1])
    within = pl.when(key.expr.is_between(least, greatest)).then(key.expr - least).cast(pl.UInt32)
    placed = left.lazy.with_columns(pl.lit(places).gather(within).alias(_PLACE))
    kept = placed if keep else placed.filter(column(_PLACE).is_not_null())
    found = [pl.lit(series).gather(column(_PLACE)).alias(series.name) for series in rows.drop(others.key)]
    return kept.with_columns(found).drop(_PLACE)


def _places(keys: pl.Series, size: int) -> pl.Series | None:
    """The row that has each key from 0 on; None where keys are not unique, or too far from each other."""
    if size > TIMES * len(keys) + PLACES:
        return None
    none = pl.Series([None], dtype=pl.UInt32).new_from_index(0, size)
    places = none.scatter(keys, pl.int_range(len(keys), dtype=pl.UInt32, eager=True))
    return places if size - places.null_count() == len(keys) else None
