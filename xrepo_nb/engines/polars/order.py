"""Orders: sort keys as Polars takes them. Nulls and missing come first, then NaN, then values."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from xrepo_nb.engines.polars.scope import Scope
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.kinds import SORTED
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.plan import SortKey


class Order:
    """The order of sort keys, to be applied to rows or to a column."""

    __slots__ = ("by", "descending")

    def __init__(self, keys: Sequence[SortKey], scope: Scope) -> None:
        self.by: list[pl.Expr] = []
        self.descending: list[bool] = []
        values = [scope.path(key.path) for key in keys]
        _check_arrays(keys, values, scope)
        for key, value in zip(keys, values, strict=True):
            for expr in _parts(value, key.descending):
                self.by.append(expr)
                self.descending.append(key.descending)

    def sorted(self, lazy: pl.LazyFrame) -> pl.LazyFrame:
        """The rows in this order; ties keep theirs. A limit above makes it a top-k."""
        if not self.by:
            return lazy
        return lazy.sort(self.by, descending=self.descending, nulls_last=self.descending, maintain_order=True)

    def applied(self, expr: pl.Expr) -> pl.Expr:
        """A column in this order."""
        if not self.by:
            return expr
        return expr.sort_by(
            self.by, descending=self.descending, nulls_last=self.descending, maintain_order=True
        )


def _check_arrays(keys: Sequence[SortKey], values: Sequence[Value], scope: Scope) -> None:
    """Declines keys that lead through arrays, whose elements are chosen for all keys together."""
    for key in keys:
        if len(key.path) > 1 and any(
            scope.path(key.path[:end]).kind == "array" for end in range(1, len(key.path))
        ):
            decline("a sort by a field within the elements of an array")
    if len(values) > 1 and [value.kind for value in values].count("array") > 1:
        decline("a sort by several arrays")


def _parts(value: Value, descending: bool) -> list[pl.Expr]:
    if value.kind == "null":
        return []
    if value.kind == "array":
        return _array_parts(value, descending)
    if value.kind not in SORTED:
        decline(f"a sort by a field of type {value.type}")
    if value.kind == "float" and value.facts.may_be_nan:
        return [value.expr.is_not_nan(), value.expr]
    return [value.expr]


def _array_parts(value: Value, descending: bool) -> list[pl.Expr]:
    """An array sorts by its least element, or its greatest when descending; an empty one before null."""
    item = value.type.item
    if item is None or item.kind not in SORTED or item.kind == "float":
        decline(f"a sort by a field of type {value.type}")
    array = value.expr
    has_null = array.list.agg(pl.element().is_null().any())
    least = pl.when(has_null).then(None).otherwise(array.list.min())
    filled = ~(array.list.len() == 0).fill_null(False)
    return [filled, array.list.max() if descending else least]
