"""Bitwise operators and BSON timestamps."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import nullable, stops_at_absent, values
from xrepo_nb.engines.document.numbers import fail


def _folded(op: str, combine: Callable[[int, int], int], start: int) -> None:
    def apply(*args: Any) -> Any:
        if stops_at_absent(args, lambda value: _need_integral(op, value)):
            return None
        bits = start
        for value in args:
            bits = combine(bits, int(value))
        return numbers.integer(bits, long=any(map(v.is_long, args)))

    values(op)(apply)


def _need_integral(op: str, value: Any) -> None:
    if not v.is_integral(value):
        fail(f"{op} takes an int or a long, not {v.type_name(value)}")


_folded("$bitAnd", operator.and_, -1)
_folded("$bitOr", operator.or_, 0)
_folded("$bitXor", operator.xor, 0)


@nullable("$bitNot")
def bit_not(value: Any) -> Any:
    _need_integral("$bitNot", value)
    return numbers.integer(~int(value), long=v.is_long(value))


def _need_timestamp(op: str, value: Any) -> None:
    if v.type_name(value) != "timestamp":
        fail(f"{op} takes a timestamp, not {v.type_name(value)}")


@nullable("$tsSecond")
def ts_second(value: Any) -> Any:
    _need_timestamp("$tsSecond", value)
    return v.as_long(value.time)


@nullable("$tsIncrement")
def ts_increment(value: Any) -> Any:
    _need_timestamp("$tsIncrement", value)
    return v.as_long(value.inc)
