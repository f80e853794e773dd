"""Kinds of columns: how their values compare, and what BSON calls them."""

from __future__ import annotations

_BRACKETS = {
    "int": "number", "float": "number", "decimal": "number", "datetime": "date", "date": "date",
    "uuid": "binary",
}  # fmt: skip

RANKS = {
    "null": 5, "number": 10, "string": 15, "object": 20, "array": 25, "binary": 30, "objectid": 35,
    "bool": 40, "date": 45, "time": 48, "duration": 49,
}  # fmt: skip
"""MongoDB's order over the brackets of values."""

KEYS = frozenset({"string", "int", "bool", "datetime", "date", "time", "uuid", "objectid", "binary"})
"""Kinds by which rows are joined: equal in the engine where they are in MongoDB."""

SORTED = frozenset({"int", "float", "string", "bool", "datetime", "date", "time", "objectid", "decimal"})
"""Kinds whose order in the engine is MongoDB's, but for NaN."""

BSON_NAMES = {
    "float": "double", "decimal": "decimal", "string": "string", "bool": "bool", "datetime": "date",
    "date": "date", "binary": "binData", "uuid": "binData", "objectid": "objectId", "object": "object",
    "array": "array", "time": "time", "duration": "duration", "null": "null",
}  # fmt: skip
"""What `$type` calls a value of a kind; of an int its size decides."""


def bracket(kind: str) -> str:
    """The kinds that compare by value with each other, by one name; all others only with themselves."""
    return _BRACKETS.get(kind, kind)


WIDTHS = frozenset({"int", "long", "double"})
"""The BSON types of numbers that a typed column tells apart only while they are as they came."""


def is_called(name: str, kind: str) -> bool:
    """Whether values of a kind are of the BSON type `name`, or all of them numbers.

    >>> is_called("binData", "uuid"), is_called("number", "int"), is_called("int", "float")
    (True, True, False)
    """
    return BSON_NAMES.get(kind) == name or (name == "number" and bracket(kind) == "number")


MIRRORED = {"$eq": "$eq", "$gt": "$lt", "$gte": "$lte", "$lt": "$gt", "$lte": "$gte"}
"""The same comparison with its sides exchanged."""
