"""What a person types into a column's filter box, as a condition of a filter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.plain import moment_of
from xrepo_nb.schema.types import DataType, Field

_OPERATORS = {">=": "$gte", "<=": "$lte", "!=": "$ne", ">": "$gt", "<": "$lt", "=": "$eq"}
_WRITTEN = re.compile(r"(>=|<=|!=|>|<|=)?\s*(.*)", re.DOTALL)


def condition(text: str, field: Field) -> Any:
    """The condition on `field` that the text stands for.

    `> 30`, `!= 5`, `10..20`, `null`, `not null`, `true`; a plain text is contained in any case of
    letters, `= text` is the whole value; a plain day is all of that day.
    Raises `XRepoQueryError` when the text does not fit the type.

    >>> condition("> 30", Field("delay", DataType("float")))
    {'$gt': 30.0}
    >>> condition("10..20", Field("n", DataType("int")))
    {'$gte': 10, '$lte': 20}
    >>> condition("air", Field("name", DataType("string")))
    {'$regex': 'air', '$options': 'i'}
    """
    text = text.strip()
    if text.casefold() in ("null", "= null", "=null"):
        return None
    if text.casefold() in ("not null", "!= null", "!=null"):
        return {"$ne": None}
    kind = _searched(field.type)
    match = _WRITTEN.fullmatch(text)
    operator, operand = match.groups() if match else (None, text)
    if kind in ("string", "mixed"):
        return _on_text(operator, operand)
    return _on_values(operator, operand, kind, field.name)


def _searched(type_: DataType) -> str:
    """The kind that is compared: of an array its items', any of which may match."""
    return _searched(type_.item) if type_.kind == "array" and type_.item else type_.kind


def _on_text(operator: str | None, operand: str) -> Any:
    if operator is None:
        return {"$regex": re.escape(operand), "$options": "i"}
    return operand if operator == "=" else {_OPERATORS[operator]: operand}


def _on_values(operator: str | None, operand: str, kind: str, name: str) -> Any:
    read = _READERS.get(kind)
    if read is None:
        raise XRepoQueryError(
            f"a field of type {kind} cannot be filtered here", asked=name, hint="filter with `list`"
        )
    low, between, high = operand.partition("..")
    try:
        if operator is None and between:
            return {"$gte": read(low.strip()), "$lte": read(high.strip())}
        value = read(operand)
    except (ValueError, ArithmeticError):
        raise XRepoQueryError(
            f"{operand!r} is not of type {kind}", asked=operand, hint=f"{name} holds values of type {kind}"
        ) from None
    if operator is None and kind == "datetime" and len(operand) == len("2013-01-05"):
        return {"$gte": value, "$lt": value + timedelta(days=1)}
    return value if operator in (None, "=") else {_OPERATORS[operator]: value}


def _whole(text: str) -> int | float:
    number = float(text.replace(",", ""))
    return (
        int(text.replace(",", "")) if number.is_integer() and "e" not in text and "." not in text else number
    )


def _truth(text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise ValueError(text)
    return text.casefold() == "true"


_READERS: dict[str, Callable[[str], Any]] = {
    "int": _whole,
    "float": lambda text: float(text.replace(",", "")),
    "decimal": lambda text: Decimal(text.replace(",", "")),
    "bool": _truth,
    "datetime": moment_of,
    "date": date.fromisoformat,
}
