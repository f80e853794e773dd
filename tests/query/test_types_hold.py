"""The type that an expression is said to have holds for the value that it has, on every row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import compile_expression
from xrepo_nb.query.parsing import parse_expression
from xrepo_nb.query.typing import values as v
from xrepo_nb.query.typing.expressions import Scope, type_of
from xrepo_nb.schema.table import Table

Row = dict[str, Any]
DAY = dt.datetime(2024, 2, 29, tzinfo=dt.UTC)
PLAIN: list[Row] = [
    {"n": i, "f": i / 2, "s": "ab"[i % 2], "d": DAY, "b": i > 1, "l": [i], "o": {"x": i}, "r": [{"x": i}]}
    for i in range(4)
]


def _without(name: str, absent: str) -> Row:
    if absent == "inner null":
        return {**PLAIN[0], "o": {"x": None}, "r": [{"x": None}]}
    if absent == "inner missing":
        return {**PLAIN[0], "o": {"y": 1}, "r": [{"y": 1}]}
    kept = {key: value for key, value in PLAIN[0].items() if key != name}
    return {**kept, name: None} if absent == "null" else kept


FIELDS = ["$n", "$f", "$s", "$d", "$b", "$l", "$o", "$r", "$no", "$o.x", "$r.x", "$l.0", "$l.x", "$o.0", None]
ONE = (
    "abs ceil sqrt toInt toDouble toString toBool not size first last reverseArray isArray isNumber type "
    "toUpper strLenCP year hour isoWeek objectToArray sum avg min max stdDevPop anyElementTrue bsonSize "
    "mergeObjects concatArrays trunc arrayElemAt"
)
TWO = (
    "add subtract multiply divide mod eq gt cmp and or ifNull concat split arrayElemAt in concatArrays "
    "setUnion sum avg max min mergeObjects"
)


def _expressions() -> Iterator[Any]:
    for op, field in product(ONE.split(), FIELDS):
        yield {f"${op}": [field]}
    for op, a, b in product(TWO.split(), FIELDS, ["$n", "$s", "$l", "$o", "$no", "$d", None]):
        yield {f"${op}": [a, b]}
    for a, b in product(FIELDS, ["$n", "$o.x", "$no", None, "$s"]):
        yield {"$cond": ["$b", a, b]}
        yield {"$switch": {"branches": [{"case": "$b", "then": b}], "default": a}}
        yield {"$setField": {"field": "x", "input": a, "value": b}}
        yield {"$convert": {"input": a, "to": "int", "onNull": b, "onError": "$s"}}
        yield {"$dateToString": {"date": a, "onNull": b}}
        yield {"$reduce": {"input": a, "initialValue": b, "in": "$$this"}}
        yield {"$zip": {"inputs": [a, "$l"], "useLongestLength": True, "defaults": [1, b]}}
        yield {"$zip": {"inputs": [a, b]}}
    for a in FIELDS:
        yield {"$getField": {"field": "x", "input": a}}
        yield {"$let": {"vars": {"v": a}, "in": "$$v.x"}}
        yield {"$map": {"input": a, "in": "$$this.x"}}
        yield {"$filter": {"input": a, "cond": True}}
        yield {"$dateTrunc": {"date": a, "unit": None}}
        yield {"$dateToParts": {"date": a, "iso8601": "$b"}}
        yield {"$firstN": {"n": 1, "input": a}}
        yield {"a": a, "b": [a]}


_KINDS = {
    bool: "bool", int: "int", float: "float", str: "string", dt.datetime: "datetime", dict: "object",
    list: "array",
}  # fmt: skip


def _is_of(value: Any, claimed: v.Value) -> bool:
    if value is MISSING or value is None:
        wanted = "missing" if value is MISSING else "null"
        return claimed.absence in (wanted, "both") or (claimed.kind == "mixed" and value is None)
    kind = _KINDS.get(type(value), type(value).__name__)
    if claimed.kind == "mixed" or (claimed.kind, kind) in (("float", "int"), ("int", "Int64")):
        return True
    if kind != claimed.kind:
        return False
    if kind == "array":
        item = v.Value(claimed.type.item or v.MIXED, "null")
        return all(_is_of(element, item) for element in value)
    fields = {field.name: v.Value(field.type, field.absence) for field in claimed.type.fields}
    if kind == "object" and fields:
        names = {*value, *fields}
        return all(_is_of(value.get(name, MISSING), fields.get(name, v.NOTHING)) for name in names)
    return True


@pytest.mark.parametrize("absent", ["never", "null", "missing", "inner null", "inner missing"])
def test_values_are_of_their_type(absent: str) -> None:
    rows = [*PLAIN, *(_without(name, absent) for name in PLAIN[0] if absent != "never")]
    scope = Scope(v.root_of(Table(documents=rows).schema))
    seen, wrong = 0, []
    for given in _expressions():
        try:
            expression = parse_expression(given)
            evaluate = compile_expression(expression)
        except XRepoError:
            continue
        claimed = type_of(expression, scope)
        for row in rows:
            try:
                value = evaluate(row, {})
            except XRepoError:
                continue
            seen += 1
            if not _is_of(value, claimed):
                wrong.append((given, claimed, value))
    assert wrong == []
    assert seen > 4_000
