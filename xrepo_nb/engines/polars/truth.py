"""Truth of a value by MongoDB's rule: all but false, null, missing and zero."""

from __future__ import annotations

from xrepo_nb.engines.polars.logic import Condition
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.schema.types import NUMERIC


def truth(value: Value) -> Condition:
    """Whether the value counts as true; null counts as false."""
    if value.kind == "mixed":
        decline("a value of mixed type")
    if value.kind == "bool":
        return bool(value.literal) if value.is_constant else value.expr
    if value.kind in NUMERIC:
        return bool(value.literal) if value.is_constant else value.expr != 0
    there = value.is_present()
    # What its type alone answers is computed all the same: it may fail.
    return value.expr.is_not_null() if there is True and not value.is_constant else there
