"""The order of constants, as far as parsing compares them: boundaries and bounds."""

from __future__ import annotations

import datetime
import math
from typing import Any

from xrepo_nb.query.parsing.values import as_float, is_number, kind

_ORDERED = (str, bytes, bool, datetime.date)


def type_rank(value: Any) -> str:
    """The bracket of types within which the value compares: all numbers are one."""
    return "number" if is_number(value) else kind(value)


def ranked(value: Any) -> Any:
    """What Python compares as MongoDB compares the value, within one bracket of types."""
    if is_number(value):
        number = as_float(value)
        return number if hasattr(value, "to_decimal") or math.isnan(number) else value
    if isinstance(value, datetime.datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)
    if isinstance(value, _ORDERED) or hasattr(value, "__lt__"):
        return value
    return repr(value)
