"""Tests of one value against a constant, by the rules of filters.

A test is of a value that is not of mixed type; it gives a condition in which null counts as false.
Ordered comparisons stay within one BSON type; None stands for null and missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl

from xrepo_nb.core.plain import is_unicode
from xrepo_nb.engines.polars.facts import INT64
from xrepo_nb.engines.polars.logic import Condition, disjunction
from xrepo_nb.engines.polars.patterns import finds
from xrepo_nb.engines.polars.values import Value, constant, in_utc
from xrepo_nb.engines.typed.kinds import is_called
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.parsing.patterns import pattern_parts
from xrepo_nb.query.parsing.values import is_pattern
from xrepo_nb.schema.types import EXACT, MOMENT

_BRACKETS: dict[type, str] = {
    bool: "bool", int: "number", float: "number", Decimal: "number", str: "string", bytes: "binary",
    UUID: "binary", datetime: "date", dict: "object", list: "array", type(None): "null",
}  # fmt: skip


def bracket_of(value: Any) -> str:
    """The bracket of a constant; declines for types without a Polars counterpart."""
    found = _BRACKETS.get(type(value))
    if found == "string" and not is_unicode(value):
        decline("text that is not valid Unicode")
    if isinstance(value, Decimal):
        _decimal(value)
    if found is not None:
        return found
    if type(value).__name__ == "ObjectId":
        return "objectid"
    return decline(f"a constant of type {type(value).__name__} in a comparison")


def _decimal(number: Any) -> Decimal:
    """The number as a decimal; declines what no column of decimals holds, which has 38 digits."""
    found = Decimal(number)
    _, digits, exponent = found.as_tuple()
    if not isinstance(exponent, int) or len(digits) + exponent > 38 or max(len(digits), -exponent) > 38:
        decline("a decimal that no column holds")
    return found


def compares(op: str, wanted: Any, value: Value) -> Condition:
    """Whether the value stands in that relation (`$eq`, `$gt` ...) to the constant."""
    bracket = bracket_of(wanted)
    if bracket == "null":
        return value.is_absent() if op in ("$eq", "$gte", "$lte") else False
    if value.bracket != bracket:
        return False
    if bracket == "number":
        return _number(op, wanted, value)
    if bracket == "date":
        return _date(op, wanted, value)
    if bracket == "binary" and (op != "$eq" or value.kind != _binary_kind(wanted)):
        return decline("an ordered comparison of binary data") if op != "$eq" else False
    if bracket in ("object", "array"):
        decline(f"a comparison with an {bracket}")
    if bracket in ("string", "bool"):
        return relation(op, value.expr, constant(wanted))
    return relation(op, value.expr, pl.lit(_stored(wanted)))


def relation(op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The Polars comparison of that name."""
    if op == "$eq":
        return left == right
    if op == "$gt":
        return left > right
    if op == "$gte":
        return left >= right
    return left < right if op == "$lt" else left <= right


def _binary_kind(wanted: Any) -> str:
    return "uuid" if isinstance(wanted, UUID) else "binary"


def _stored(wanted: Any) -> Any:
    if isinstance(wanted, UUID):
        return wanted.bytes
    return wanted.binary if type(wanted).__name__ == "ObjectId" else wanted


def _date(op: str, wanted: datetime, value: Value) -> Condition:
    aware, expr = in_utc(wanted), value.expr
    if value.kind == "date":
        expr = expr.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return relation(op, expr, pl.lit(aware, dtype=MOMENT))


def _number(op: str, wanted: Any, value: Value) -> Condition:
    if isinstance(wanted, Decimal) or value.kind == "decimal":
        if value.kind != "decimal" or isinstance(wanted, float):
            decline("a comparison of a decimal with another number")
        return relation(op, value.expr, pl.lit(_decimal(wanted)))
    if isinstance(wanted, float) and math.isnan(wanted):
        return value.expr.is_nan() if value.kind == "float" and op in ("$eq", "$gte", "$lte") else False
    if value.kind == "int":
        return _int(op, wanted, value)
    return _float(op, wanted, value)


def _int(op: str, wanted: int | float, value: Value) -> Condition:
    """An int column against any number, without going through floats."""
    if isinstance(wanted, float) and not (math.isfinite(wanted) and wanted.is_integer()):
        if op == "$eq":
            return False
        if math.isfinite(wanted):
            op, wanted = {"$gt": "$gt", "$gte": "$gt", "$lt": "$lte", "$lte": "$lte"}[op], math.floor(wanted)
        else:
            wanted = INT64[1] + 1 if wanted > 0 else INT64[0] - 1
    wanted = int(wanted)
    if INT64[0] <= wanted <= INT64[1]:
        return relation(op, value.expr, constant(wanted))
    below = wanted > 0
    return value.is_present() if op in (("$lt", "$lte") if below else ("$gt", "$gte")) else False


def _float(op: str, wanted: int | float, value: Value) -> Condition:
    try:
        near = float(wanted)
    except OverflowError:
        near = math.inf if wanted > 0 else -math.inf
    if near > wanted:
        op = {"$gt": "$gte", "$lte": "$lt"}.get(op, op)
    elif near < wanted:
        op = {"$gte": "$gt", "$lt": "$lte"}.get(op, op)
    if near != wanted and op == "$eq":
        return False
    found = relation(op, value.expr, constant(near))
    if op in ("$gt", "$gte") and value.facts.may_be_nan:
        found = found & value.expr.is_not_nan()
    return found


def is_one_of(wanted: Sequence[Any], value: Value) -> Condition:
    """Whether the value equals one of the constants; patterns match strings."""
    dtype, stored = _LISTED.get(value.kind, (None, None))
    plain: list[Any] = []
    others: dict[Any, Condition] = {}
    for item in wanted:
        found = stored(item) if stored is not None else None
        if found is not None:
            plain.append(found)
        elif is_pattern(item) or item is None or value.bracket == bracket_of(item):
            _add_other(item, value, others)
    return disjunction(*_equals_one(plain, dtype, value), *others.values())


def _add_other(item: Any, value: Value, others: dict[Any, Condition]) -> None:
    """The condition of a constant that stands in no list, each once."""
    if isinstance(item, dict | list):
        decline("a comparison with an object or array")
    parts = pattern_parts(item, "") if is_pattern(item) else None
    key = parts or (type(item), item)  # patterns of BSON have no hash
    if key in others:
        return
    if len(others) >= _MANY:
        decline(f"more than {_MANY:,} values of such a type")
    found = finds(*parts, value) if parts else compares("$eq", item, value)
    if found is not False:
        others[key] = found


def _equals_one(plain: list[Any], dtype: Any, value: Value) -> list[Condition]:
    if len(plain) > _FEW:
        return [value.expr.is_in(pl.lit(pl.Series(plain, dtype=dtype)).implode())]
    if dtype in _CONSTANT:
        return [value.expr == constant(item) for item in plain]
    return [value.expr == pl.lit(item, dtype=dtype) for item in plain]


_CONSTANT = (pl.String, pl.Int64, pl.Float64)

_FEW = 8
"""Up to so many constants are compared one by one: five times as fast as `is_in` for text, twice for ints."""
_MANY = 1_000
"""Constants at most that are compared one by one because a list does not hold them."""


def _listed_text(item: Any) -> Any:
    return item if type(item) is str and is_unicode(item) else None


def _listed_int(item: Any) -> Any:
    if type(item) is float and item.is_integer():
        item = int(item)
    return item if type(item) is int and INT64[0] <= item <= INT64[1] else None


def _listed_float(item: Any) -> Any:
    if type(item) is float:
        return item if item == item else None
    return float(item) if type(item) is int and -EXACT <= item <= EXACT else None


_LISTED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "string": (pl.String, _listed_text),
    "int": (pl.Int64, _listed_int),
    "float": (pl.Float64, _listed_float),
    "datetime": (MOMENT, lambda item: in_utc(item) if type(item) is datetime else None),
    "uuid": (pl.Binary, lambda item: item.bytes if type(item) is UUID else None),
    "binary": (pl.Binary, lambda item: item if type(item) is bytes else None),
    "objectid": (pl.Binary, lambda item: item.binary if type(item).__name__ == "ObjectId" else None),
}
"""By kind, the column that holds a list of its constants, and a constant as it is kept there; None for
what must be compared by itself."""


INT32 = (-(2**31), 2**31 - 1)


def has_type(names: Sequence[str], value: Value) -> Condition:
    """Whether the value's BSON type is one of those."""
    return disjunction(*(_is_type(name, value) for name in names))


def _is_type(name: str, value: Value) -> Condition:
    if name == "null":
        return value.is_null()
    if name in ("int", "long"):
        if value.kind != "int":
            return False
        within = value.expr.is_between(*INT32)
        return within if name == "int" else ~within
    return value.is_present() if is_called(name, value.kind) else False
