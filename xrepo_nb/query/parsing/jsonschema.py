"""Validation of `$jsonSchema` documents: keywords and the form of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from xrepo_nb.query.operators import TYPE_ALIASES
from xrepo_nb.query.parsing.patterns import pattern_parts
from xrepo_nb.query.parsing.values import (
    array,
    as_float,
    document,
    fail,
    flag,
    is_number,
    kind,
    string,
    whole,
)

_JSON_TYPES = frozenset({"object", "array", "number", "boolean", "string", "null"})


def check_json_schema(schema: Any, at: str) -> None:
    """Refuses what MongoDB refuses in a `$jsonSchema`."""
    given = document(schema, "$jsonSchema", at)
    for keyword, value in given.items():
        check = _KEYWORDS.get(keyword)
        if check is None:
            fail(f"unknown keyword {keyword!r}", at, asked=keyword, exists=sorted(_KEYWORDS))
        check(value, f"{at}.{keyword}")
    if "type" in given and "bsonType" in given:
        fail("a schema has either type or bsonType", at)
    for limit in ("maximum", "minimum"):
        exclusive = "exclusive" + limit.capitalize()
        if exclusive in given and limit not in given:
            fail(f"{exclusive} needs {limit} beside it", at)


def _types(names: frozenset[str]) -> Callable[[Any, str], None]:
    def check(value: Any, at: str) -> None:
        given = value if isinstance(value, (list, tuple)) else [value]
        if not given or len(set(map(str, given))) != len(given):
            fail("types are one or several different names", at)
        for item in given:
            if string(item, "a type", at) not in names:
                fail(f"unknown type {item!r}", at, asked=item, exists=sorted(names))

    return check


def _number(value: Any, at: str) -> None:
    if not is_number(value):
        fail("takes a number", at)


def _positive(value: Any, at: str) -> None:
    _number(value, at)
    if not as_float(value) > 0:
        fail("takes a number above zero", at)


def _count(value: Any, at: str) -> None:
    whole(value, at.rpartition(".")[2], at, least=0)


def _flag(value: Any, at: str) -> None:
    flag(value, at.rpartition(".")[2], at)


def _string(value: Any, at: str) -> None:
    string(value, at.rpartition(".")[2], at)


def _pattern(value: Any, at: str) -> None:
    pattern_parts(string(value, "pattern", at), at)


def _schemas(value: Any, at: str) -> None:
    given = array(value, at.rpartition(".")[2], at)
    if not given:
        fail("needs at least one schema", at)
    for i, item in enumerate(given):
        check_json_schema(item, f"{at}[{i}]")


def _schema_or_flag(value: Any, at: str) -> None:
    if not isinstance(value, bool):
        check_json_schema(value, at)


def _schema_or_schemas(value: Any, at: str) -> None:
    if isinstance(value, Mapping):
        check_json_schema(value, at)
        return
    for i, item in enumerate(array(value, "items", at)):
        check_json_schema(item, f"{at}[{i}]")


def _named(value: Any, at: str) -> None:
    for name, schema in document(value, at.rpartition(".")[2], at).items():
        check_json_schema(schema, f"{at}.{name}")


def _by_pattern(value: Any, at: str) -> None:
    for pattern, schema in document(value, "patternProperties", at).items():
        _pattern(pattern, at)
        check_json_schema(schema, f"{at}.{pattern}")


def _names(value: Any, at: str) -> None:
    given = array(value, at.rpartition(".")[2], at)
    if not given or not all(isinstance(name, str) for name in given) or len(set(given)) != len(given):
        fail("takes one or several different field names", at)


def _dependencies(value: Any, at: str) -> None:
    for name, needs in document(value, "dependencies", at).items():
        check = check_json_schema if isinstance(needs, Mapping) else _names
        check(needs, f"{at}.{name}")


def _enum(value: Any, at: str) -> None:
    given = array(value, "enum", at)
    if not given:
        fail("enum needs at least one value", at)
    if len(set(map(_frozen, given))) != len(given):
        fail("the values of enum are all different", at)


def _frozen(value: Any) -> Any:
    """A constant as what hashes: fields in any order, true and false apart from 1 and 0."""
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    if not is_number(value):
        return kind(value), repr(value)
    return "NaN" if math.isnan(as_float(value)) else getattr(value, "to_decimal", lambda: value)()


_KEYWORDS: dict[str, Callable[[Any, str], None]] = {
    "type": _types(_JSON_TYPES),
    "bsonType": _types(TYPE_ALIASES),
    **dict.fromkeys(("maximum", "minimum"), _number),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "uniqueItems"), _flag),
    **dict.fromkeys(
        ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"), _count
    ),
    **dict.fromkeys(("title", "description"), _string),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _schemas),
    **dict.fromkeys(("additionalItems", "additionalProperties"), _schema_or_flag),
    "multipleOf": _positive,
    "pattern": _pattern,
    "not": check_json_schema,
    "items": _schema_or_schemas,
    "properties": _named,
    "patternProperties": _by_pattern,
    "required": _names,
    "dependencies": _dependencies,
    "enum": _enum,
}
