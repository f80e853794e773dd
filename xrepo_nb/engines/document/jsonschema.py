"""`$jsonSchema`: MongoDB's dialect of JSON Schema draft 4, compiled to closures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.predicates import Test
from xrepo_nb.engines.document.regexes import pattern

Schema = Mapping[str, Any]


def compile_schema(schema: Schema) -> Test:
    """Whether a value satisfies the schema. Keywords of one type pass values of other types."""
    tests = [made for word in schema if (made := _KEYWORDS.get(word, _ignored)(schema[word], schema))]

    def check(value: Any) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the loop
            if not test(value):
                return False
        return True

    return check


_Keyword = Callable[[Any, Schema], Test | None]
_JSON_TYPES = {
    "object": {"object"},
    "array": {"array"},
    "number": {"int", "long", "double", "decimal"},
    "boolean": {"bool"},
    "string": {"string"},
    "null": {"null"},
}


def _ignored(given: Any, schema: Schema) -> None:
    return None


def _types(given: Any, schema: Schema) -> Test:
    names = [given] if isinstance(given, str) else given
    wanted: set[str] = set()
    for name in names:
        wanted |= _JSON_TYPES.get(name, {name})
    return lambda value: v.type_name(value) in wanted


def _when(applies: Callable[[Any], bool], test: Test) -> Test:
    return lambda value: not applies(value) or test(value)


def _is_array(value: Any) -> bool:
    return isinstance(value, list)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _minimum(given: Any, schema: Schema) -> Test:
    least = 1 if schema.get("exclusiveMinimum") else 0
    return _when(v.is_number, lambda value: v.compare(value, given) >= least)


def _maximum(given: Any, schema: Schema) -> Test:
    most = -1 if schema.get("exclusiveMaximum") else 0
    return _when(v.is_number, lambda value: not v.is_nan(value) and v.compare(value, given) <= most)


def _multiple_of(given: Any, schema: Schema) -> Test:
    from xrepo_nb.engines.document.numbers import decimal_remainder, exact

    step = exact(given)

    def check(value: Any) -> bool:
        number = exact(value)
        return number.is_finite() and decimal_remainder(number, step) == 0

    return _when(v.is_number, check)


def _length(applies: Callable[[Any], bool], accepts: Callable[[int, int], bool]) -> _Keyword:
    return lambda given, schema: _when(applies, lambda value: accepts(len(value), int(v.plain(given))))


def _pattern(given: str, schema: Schema) -> Test:
    find = pattern(given).find
    return _when(v.is_text, lambda value: find(value) is not None)


def _enum(given: Any, schema: Schema) -> Test:
    wanted = frozenset(map(_loose_key, given))
    return lambda value: _loose_key(value) in wanted


def _loose_key(value: Any) -> Any:
    """A key by which documents are the same in any order of their fields."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _loose_key(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", *map(_loose_key, value))
    return v.key(value)


def _all_of(given: Any, schema: Schema) -> Test:
    tests = [compile_schema(item) for item in given]
    return lambda value: all(test(value) for test in tests)


def _any_of(given: Any, schema: Schema) -> Test:
    tests = [compile_schema(item) for item in given]
    return lambda value: any(test(value) for test in tests)


def _one_of(given: Any, schema: Schema) -> Test:
    tests = [compile_schema(item) for item in given]
    return lambda value: sum(test(value) for test in tests) == 1


def _not(given: Any, schema: Schema) -> Test:
    test = compile_schema(given)
    return lambda value: not test(value)


def _required(given: Any, schema: Schema) -> Test:
    return _when(_is_object, lambda value: all(name in value for name in given))


def _properties(given: Any, schema: Schema) -> Test:
    tests = {name: compile_schema(item) for name, item in given.items()}
    return _when(
        _is_object, lambda value: all(test(value[name]) for name, test in tests.items() if name in value)
    )


def _pattern_properties(given: Any, schema: Schema) -> Test:
    tests = [(pattern(name).find, compile_schema(item)) for name, item in given.items()]
    return _when(
        _is_object,
        lambda value: all(test(item) for find, test in tests for name, item in value.items() if find(name)),
    )


def _additional_properties(given: Any, schema: Schema) -> Test | None:
    if given is True:
        return None
    known = frozenset(schema.get("properties", ()))
    finds = [pattern(name).find for name in schema.get("patternProperties", ())]
    test = compile_schema(given) if given else lambda value: False
    return _when(
        _is_object,
        lambda value: all(
            test(item)
            for name, item in value.items()
            if name not in known and not any(find(name) for find in finds)
        ),
    )


def _dependencies(given: Any, schema: Schema) -> Test:
    tests = {
        name: compile_schema(needs) if isinstance(needs, Mapping) else _required(needs, schema)
        for name, needs in given.items()
    }
    return _when(_is_object, lambda value: all(test(value) for name, test in tests.items() if name in value))


def _items(given: Any, schema: Schema) -> Test:
    if isinstance(given, Mapping):
        test = compile_schema(given)
        return _when(_is_array, lambda value: all(map(test, value)))
    tests = [compile_schema(item) for item in given]
    return _when(_is_array, lambda value: all(test(item) for test, item in zip(tests, value, strict=False)))


def _additional_items(given: Any, schema: Schema) -> Test | None:
    first = schema.get("items")
    if given is True or not isinstance(first, list):
        return None
    test = compile_schema(given) if given else lambda value: False
    return _when(_is_array, lambda value: all(map(test, value[len(first) :])))


def _unique_items(given: Any, schema: Schema) -> Test | None:
    if not given:
        return None
    return _when(_is_array, lambda value: len(set(map(_loose_key, value))) == len(value))


_KEYWORDS: dict[str, _Keyword] = {
    "type": _types,
    "bsonType": lambda given, schema: _types(
        ["int", "long", "double", "decimal"] if given == "number" else given, schema
    ),
    "minimum": _minimum,
    "maximum": _maximum,
    "multipleOf": _multiple_of,
    "minLength": _length(v.is_text, operator.ge),
    "maxLength": _length(v.is_text, operator.le),
    "minItems": _length(_is_array, operator.ge),
    "maxItems": _length(_is_array, operator.le),
    "minProperties": _length(_is_object, operator.ge),
    "maxProperties": _length(_is_object, operator.le),
    "pattern": _pattern,
    "enum": _enum,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "dependencies": _dependencies,
    "items": _items,
    "additionalItems": _additional_items,
    "uniqueItems": _unique_items,
}
