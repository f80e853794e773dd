"""Array operators."""

from __future__ import annotations

import polars as pl

from xrepo_nb.engines.polars.reasons import decline
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.values import BOOL, INT, Value, unified, widened
from xrepo_nb.query.expressions import Call
from xrepo_nb.schema.types import DataType


def array_of(values: list[Value]) -> Value:
    """The array of those values; a missing one becomes null."""
    if not values:
        decline("an empty array literal")
    item = unified([v.type for v in values])
    # Each part as an array of one: the parts of `concat_list` that are arrays would be spliced in.
    parts = [pl.concat_list(widened(v, item)) for v in values]
    return Value(pl.concat_list(parts), DataType("array", item=item), "never")


@lowers("$isArray")
def _is_array(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind != "array":
        return Value(pl.lit(False), BOOL, "never", literal=False)
    present = value.is_present()
    return Value(pl.lit(True) if present is True else present, BOOL, "never")  # type: ignore[arg-type]


@lowers("$size")
def _size(call: Call, scope: Scope) -> Value:
    value = scope.typed(call.args[0])
    if value.kind != "array" or value.may_be_absent:
        decline("$size of what may be no array")
    return Value(value.expr.list.len().cast(pl.Int64), INT, "never")
