"""Joins of two plans, as views make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import polars.selectors as cs

from xrepo_nb.engines.polars.facts import Bounds, Facts
from xrepo_nb.engines.polars.fanout import most_rows
from xrepo_nb.engines.polars.frame import Column, Frame, column, physical_names
from xrepo_nb.engines.polars.numbers import as_float, exact_in_float
from xrepo_nb.engines.polars.placing import Others, found_by_place
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.kinds import KEYS
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import Join
from xrepo_nb.schema.types import Absence

_VALIDATE: dict[str, Any] = {
    "one_to_one": "1:1",
    "one_to_many": "1:m",
    "many_to_one": "m:1",
    "many_to_many": "m:m",
}
_ORDER: dict[str, Any] = {"left": "left", "inner": "left", "right": "right", "outer": "left_right"}


_RIGHT, _KEY = "\0right\0", "\0other"


@lowers_stage(Join)
def _join(stage: Join, lowering: Lowering) -> Frame:
    left, right = lowering.frame(stage.left), lowering.frame(stage.right)
    for pair in stage.on:
        _check_keys(left, right, pair)
    if stage.how in ("semi", "anti"):
        return left.over(_semi(stage, left, right, ordered=lowering.ordered))
    _check_names(stage, left, right)
    if stage.how == "asof":
        return _asof(stage, left, right)
    height = most_rows(stage, left, right, lowering)
    placed = _placed(stage, left, right, lowering)
    if placed is not None:
        return _named(stage, left, right, placed, height)
    same = all(a == b for a, b in stage.on)
    joined = left.lazy.join(
        right.lazy,
        left_on=[column(a) for a, _ in stage.on],
        right_on=[column(b) for _, b in stage.on],
        how="full" if stage.how == "outer" else stage.how,  # type: ignore[arg-type]
        validate=_VALIDATE[stage.validate],
        coalesce=same,
        maintain_order=_ORDER[stage.how] if lowering.ordered else "none",
        suffix=_RIGHT,
    )
    return _named(stage, left, right, joined, height)


def _placed(stage: Join, left: Frame, right: Frame, lowering: Lowering) -> pl.LazyFrame | None:
    """The rows joined by place, where few others can be found so."""
    if len(stage.on) > 1 or stage.how not in ("left", "inner") or not stage.repeats_left:
        return None
    ((key, other),) = stage.on
    names = [name for name in physical_names(right.columns) if name != other or name != key]
    others = right.lazy.select(right.columns[other].value(other).expr.alias(_KEY), *map(column, names))
    mine = left.columns[key].value(key)
    return found_by_place(left, mine, Others(others, [stage.right], _KEY), lowering, keep=stage.how == "left")


def _named(stage: Join, left: Frame, right: Frame, joined: pl.LazyFrame, height: int | None) -> Frame:
    """The result's columns: the left ones, then the right ones but for keys of equal names."""
    shared = [a for a, b in stage.on if a == b]
    if shared and len(shared) < len(stage.on):
        other = {"right": "right", "outer": "both"}.get(stage.how)
        if other is not None:
            joined = joined.with_columns(
                *(pl.coalesce(column(n), column(n + _RIGHT)).alias(n) for n in shared)
            )
    columns = {
        name: _after(col, nullable=stage.how in ("right", "outer") and name not in shared)
        for name, col in left.columns.items()
    }
    for name, col in right.columns.items():
        if name in shared:
            columns[name] = _shared(columns[name], col, stage.how)
        else:
            columns[name] = _after(col, nullable=stage.how in ("left", "outer", "asof"))
    return Frame(joined.select(*(column(n) for n in physical_names(columns))), columns, height)


def _after(col: Column, *, nullable: bool) -> Column:
    """What a column means where rows may be without a match: null there, as a relational join has
    it, but missing in a column that has missing fields already, for a typed one cannot hold both."""
    if not nullable:
        return col
    if col.type.kind == "mixed" or col.masked:
        decline("an unmatched row's field of mixed type")
    absence: Absence = "missing" if col.absence == "missing" else "null"
    return replace(col, absence=absence, facts=_Nullable(col.facts))


class _Nullable(Facts):
    """The facts of a column to which nulls have come."""

    __slots__ = ("_of",)

    def __init__(self, of: Facts) -> None:
        super().__init__()
        self._of = of

    @property
    def bounds(self) -> Bounds:
        return self._of.bounds

    @property
    def may_be_nan(self) -> bool:
        return self._of.may_be_nan


def _shared(left: Column, right: Column, how: str) -> Column:
    if how == "right":
        return right
    if how == "outer":
        absent = {left.absence, right.absence} - {"never"}
        return Column(left.type, "never" if not absent else "missing" if absent == {"missing"} else "null")
    return left


def _check_names(stage: Join, left: Frame, right: Frame) -> None:
    shared = {a for a, b in stage.on if a == b}
    for name in right.columns:
        if name in left.columns and name not in shared:
            decline(f"two columns named {name!r} in a join")


def _check_keys(left: Frame, right: Frame, pair: tuple[str, str]) -> None:
    for frame, name in zip((left, right), pair, strict=True):
        if name not in frame.columns:
            decline(f"no join key {name!r}")
    mine, other = left.columns[pair[0]].type, right.columns[pair[1]].type
    if mine.kind != other.kind or mine.kind not in KEYS:
        decline(f"join keys of types {mine} and {other}")


def comparable_keys(left: Value, right: Value) -> tuple[pl.Expr, pl.Expr]:
    """Two values as keys that are equal in Polars where they are in MongoDB; null and missing are one."""
    kinds = {left.kind, right.kind}
    if len(kinds) == 1 and left.kind in KEYS:
        return left.expr, right.expr
    if kinds == {"int", "float"} or kinds == {"float"}:
        exact = [replace(v, expr=exact_in_float(v)) if v.kind == "int" else v for v in (left, right)]
        a, b = map(as_float, exact)
        nan = all(v.kind == "float" and v.facts.may_be_nan for v in exact)
        return (_bits(a), _bits(b)) if nan else (a, b)
    return decline(f"keys of types {left.type} and {right.type}")


def _bits(key: pl.Expr) -> pl.Expr:
    """A double as a whole number, equal for all NaNs and both zeros: of two single rows Polars compares
    the doubles themselves, and finds that NaN is no NaN."""
    one = pl.when(key.is_nan()).then(pl.lit(float("nan"))).when(key == 0).then(pl.lit(0.0)).otherwise(key)
    return one.reinterpret(dtype=pl.Int64)


def _semi(stage: Join, left: Frame, right: Frame, *, ordered: bool) -> pl.LazyFrame:
    return left.lazy.join(
        right.lazy,
        left_on=[column(a) for a, _ in stage.on],
        right_on=[column(b) for _, b in stage.on],
        how=stage.how,  # type: ignore[arg-type]
        maintain_order="left" if ordered else "none",
    )


def _asof(stage: Join, left: Frame, right: Frame) -> Frame:
    """Each left row with the last right row at or before it, among those of equal other keys."""
    *by, (left_key, right_key) = stage.on
    # Polars drops the keys of the right side: it is given copies.
    copies = {b: f"{_BY}{b}" for _, b in by}
    present = right.lazy.drop_nulls(cs.by_name([b for _, b in stage.on]))
    ordered = present.with_columns(column(b).alias(copy) for b, copy in copies.items()).sort(
        right_key, maintain_order=True
    )
    joined = (
        left.lazy.with_row_index(_ROW)
        .sort(left_key, maintain_order=True)
        .join_asof(
            ordered,
            left_on=left_key,
            right_on=right_key,
            by_left=[a for a, _ in by] or None,
            by_right=list(copies.values()) or None,
            strategy="backward",
            coalesce=False,
            suffix=_RIGHT,
            check_sortedness=False,
        )
    )
    return _named(stage, left, right, joined.sort(_ROW), left.height)


_ROW, _BY = "\0row\0", "\0by\0"
