"""Filters: MongoDB's query documents into predicates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.operators import (
    BITS,
    COMPARISONS,
    FIELD_OPERATORS,
    TOP_OPERATORS,
    TYPE_ALIASES,
    TYPE_NAMES,
)
from xrepo_nb.query.parsing import lookups
from xrepo_nb.query.parsing.bits import mask_of
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.jsonschema import check_json_schema
from xrepo_nb.query.parsing.limits import ATOMS, check_nested
from xrepo_nb.query.parsing.patterns import listed, options_of, pattern_parts
from xrepo_nb.query.parsing.values import (
    array,
    as_float,
    copied,
    document,
    fail,
    is_number,
    is_pattern,
    is_text,
    is_true,
    kind,
    split_path,
    unknown,
    whole,
)

FieldOperator = Callable[[Path, Any, str, Scope], p.Predicate]


def predicate_of(given: Any) -> p.Predicate | None:
    """The predicate of what is one already, or of a built condition; None for documents."""
    if isinstance(given, p.Predicate):
        check_nested(given, "filter")
        return given
    built = getattr(given, "predicate", None)
    return built if isinstance(built, p.Predicate) else None


def filter_document(given: Mapping[str, Any], at: str, scope: Scope) -> p.Predicate:
    """The predicate of a whole filter document."""
    items: list[p.Predicate] = []
    for key, value in given.items():
        if not isinstance(key, str):
            fail(f"the keys of a filter are strings, not {kind(key)}", at)
        if key[:1] == "$":
            _top(key, value, f"{at}.{key}", scope, items)
        else:
            _field(key, value, f"{at}.{key}", scope, items)
    return p.conjunction(items)


def _top(key: str, value: Any, at: str, scope: Scope, items: list[p.Predicate]) -> None:
    if key == "$comment":
        return
    parse = _TOP.get(key)
    if parse is None:
        if key in FIELD_OPERATORS:
            fail(f"{key} stands below a field", at, asked=key, hint=f'write {{"field": {{"{key}": ...}}}}')
        unknown("query operator", key, TOP_OPERATORS, at)
    items.append(parse(value, at, scope))


def _field(key: str, value: Any, at: str, scope: Scope, items: list[p.Predicate]) -> None:
    if "__" in key:
        lookup = lookups.split_lookup(key, scope.fields)
        if lookup is not None:
            path, name = lookup
            if name is not None:
                items.append(lookups.lookup_predicate(path, name, value, at))
                return
            condition(path, value, at, scope, items)
            return
    condition(split_path(key, at), value, at, scope, items)


def condition(path: Path, value: Any, at: str, scope: Scope, items: list[p.Predicate]) -> None:
    """Adds what `{path: value}` asks: equality, a pattern, or a document of operators."""
    if type(value) in ATOMS:
        items.append(p.Compare(path, "$eq", value, at=at))
    elif isinstance(value, (dict, Mapping)) and is_operators(value):
        operators(path, value, at, scope, items)
    elif is_pattern(value):
        items.append(p.Regex(path, *pattern_parts(value, at), at=at))
    else:
        items.append(p.Compare(path, "$eq", copied(value, at), at=at))


_REFERENCES = ("$ref", "$id", "$db")


def is_operators(value: Mapping[str, Any]) -> bool:
    """Whether a document below a field holds operators: its first key decides."""
    first = next(iter(value), "")
    return isinstance(first, str) and first[:1] == "$" and first not in _REFERENCES


def operators(path: Path, given: Mapping[str, Any], at: str, scope: Scope, items: list[p.Predicate]) -> None:
    """Adds the predicates of a document of operators on one path."""
    for key, value in given.items():
        if key == "$options":
            if "$regex" not in given:
                fail("$options needs a $regex beside it", f"{at}.$options")
            continue
        if key == "$regex":
            items.append(_regex(path, value, given.get("$options"), f"{at}.$regex"))
            continue
        parse = _FIELD.get(key)
        if parse is None:
            if key in TOP_OPERATORS:
                fail(f"{key} stands at the top of a filter, not below a field", at, asked=key)
            unknown("query operator", key, FIELD_OPERATORS, f"{at}.{key}")
        items.append(parse(path, value, f"{at}.{key}", scope))


def _regex(path: Path, value: Any, options: Any, at: str) -> p.Predicate:
    if is_pattern(value):
        pattern, own = pattern_parts(value, at)
        if options is not None and own:
            fail("options stand both in the pattern and in $options", at)
        return p.Regex(path, pattern, own if options is None else options_of(options, at), at=at)
    if not is_text(value):
        fail(f"$regex takes a string or a pattern, not {kind(value)}", at)
    pattern, _ = pattern_parts(value, at)
    return p.Regex(path, pattern, "" if options is None else options_of(options, at), at=at)


def _compare(op: str) -> FieldOperator:
    def parse(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
        if op != "$eq" and is_pattern(value):
            fail(f"{op} takes no regular expression", at)
        return p.Compare(path, op, _value(value, op, at), at=at)

    return parse


def _ne(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    if is_pattern(value):
        fail("$ne takes no regular expression", at, hint="use $not")
    return p.Not(p.Compare(path, "$eq", _value(value, "$ne", at), at=at))


def _value(value: Any, op: str, at: str) -> Any:
    """What to compare with: a document of operators there is a slip, or someone else's."""
    if isinstance(value, (dict, Mapping)) and (first := next(iter(value), "")) in _NO_VALUES:
        if first == "$undefined":
            fail(f"{op} does not compare with undefined", at, hint="null also takes what is missing")
        fail(f"{op} takes a value, not operators", at, hint="operators stand directly below the field")
    return copied(value, at)


_NO_VALUES = FIELD_OPERATORS | {"$undefined"}


def _in(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    given = array(value, at.rpartition(".")[2], at)
    if all(type(item) in ATOMS for item in given):
        return p.In(path, tuple(given), at=at)
    if any(isinstance(item, (dict, Mapping)) and is_operators(item) for item in given):
        fail("the values of $in and $nin are no operators", at)
    return p.In(path, tuple(listed(item, at) for item in given), at=at)


def _nin(path: Path, value: Any, at: str, scope: Scope) -> p.Predicate:
    return p.Not(_in(path, value, at, scope))


def _not(path: Path, value: Any, at: str, scope: Scope) -> p.Predicate:
    if is_pattern(value):
        return p.Not(p.Regex(path, *pattern_parts(value, at), at=at))
    given = document(value, "$not", at)
    if not given or not is_operators(given):
        fail("$not takes a document of operators or a pattern", at, hint='write {"$not": {"$gt": 3}}')
    items: list[p.Predicate] = []
    operators(path, given, at, scope, items)
    return p.Not(p.conjunction(items))


def _exists(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    return p.Exists(path, is_true(value))


def _type(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    given = value if isinstance(value, (list, tuple)) else [value]
    if not given:
        fail("$type needs at least one type", at)
    return p.HasType(path, tuple(dict.fromkeys(type_name(item, at) for item in given)))


def type_name(value: Any, at: str) -> str:
    """The name of a BSON type given by name or code."""
    if is_text(value):
        if value not in TYPE_ALIASES:
            fail(f"unknown type {value!r}", at, asked=value, exists=sorted(TYPE_ALIASES))
        return value
    code = whole(value, "$type", at)
    if code not in TYPE_NAMES:
        fail(f"unknown type code {code}", at, exists=[str(known) for known in TYPE_NAMES])
    return TYPE_NAMES[code]


def _mod(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    given = array(value, "$mod", at)
    if len(given) != 2:
        fail(f"$mod takes [divisor, remainder], not {len(given)} values", at)
    divisor, remainder = (whole(item, "$mod", at, truncate=True) for item in given)
    if divisor == 0:
        fail("the divisor of $mod is zero", at)
    return p.Mod(path, divisor, remainder)


def _size(path: Path, value: Any, at: str, _: Scope) -> p.Predicate:
    return p.Size(path, whole(value, "$size", at, least=0))


def _bits(op: str) -> FieldOperator:
    return lambda path, value, at, _: p.Bits(path, op, mask_of(value, op, at))


def _all(path: Path, value: Any, at: str, scope: Scope) -> p.Predicate:
    given = array(value, "$all", at)
    matches = [isinstance(item, (dict, Mapping)) and "$elemMatch" in item for item in given]
    if any(matches) and not all(matches):
        fail("$all takes either values or $elemMatch conditions, not both", at)
    items: list[p.Predicate] = []
    for item, is_match in zip(given, matches, strict=True):
        if is_match:
            if len(item) > 1:
                fail("$elemMatch in $all stands alone", at)
        elif isinstance(item, (dict, Mapping)) and is_operators(item):
            fail("the values of $all are no operators but $elemMatch", at)
        condition(path, item, at, scope, items)
    return p.All(path, tuple(items))


_LOGICAL = TOP_OPERATORS | {"$where"}


def _elem_match(path: Path, value: Any, at: str, scope: Scope) -> p.Predicate:
    given = document(value, "$elemMatch", at)
    return p.ElemMatch(path, *element_condition(given, at, scope))


def element_condition(given: Mapping[str, Any], at: str, scope: Scope) -> tuple[p.Predicate, bool]:
    """The predicate of array elements, and whether it is on values rather than documents."""
    if given and is_operators(given) and next(iter(given)) not in _LOGICAL:
        items: list[p.Predicate] = []
        operators((), given, at, scope, items)
        return p.conjunction(items), True
    return filter_document(given, at, Scope(scope.names)), False


_FIELD: dict[str, FieldOperator] = {
    **{op: _compare(op) for op in COMPARISONS},
    **{op: _bits(op) for op in BITS},
    "$ne": _ne,
    "$in": _in,
    "$nin": _nin,
    "$not": _not,
    "$exists": _exists,
    "$type": _type,
    "$mod": _mod,
    "$size": _size,
    "$all": _all,
    "$elemMatch": _elem_match,
}


def _branches(value: Any, at: str, scope: Scope) -> tuple[p.Predicate, ...]:
    given = array(value, at.rpartition(".")[2], at)
    if not given:
        fail("an empty list of conditions", at, hint="leave the operator out")
    return tuple(_branch(item, f"{at}[{i}]", scope) for i, item in enumerate(given))


def _branch(item: Any, at: str, scope: Scope) -> p.Predicate:
    ready = predicate_of(item)
    return filter_document(document(item, "a condition", at), at, scope) if ready is None else ready


def _expr(value: Any, at: str, scope: Scope) -> p.Predicate:
    return p.Truth(expression(value, at, scope))


def _json_schema(value: Any, at: str, _: Scope) -> p.Predicate:
    check_json_schema(value, at)
    return p.JsonSchema(copied(value, at))


def _sample_rate(value: Any, at: str, _: Scope) -> p.Predicate:
    if not is_number(value) or not 0 <= as_float(value) <= 1:
        fail("$sampleRate takes a number from 0 to 1", at)
    return p.SampleRate(as_float(value))


def _always(outcome: bool) -> Callable[[Any, str, Scope], p.Predicate]:
    def parse(value: Any, at: str, _: Scope) -> p.Predicate:
        if whole(value, at.rpartition(".")[2], at) != 1:
            fail(f"{at.rpartition('.')[2]} takes 1", at)
        return p.Constant(outcome)

    return parse


_TOP: dict[str, Callable[[Any, str, Scope], p.Predicate]] = {
    "$and": lambda value, at, scope: p.And(_branches(value, at, scope)),
    "$or": lambda value, at, scope: p.Or(_branches(value, at, scope)),
    "$nor": lambda value, at, scope: p.Not(p.Or(_branches(value, at, scope))),
    "$expr": _expr,
    "$jsonSchema": _json_schema,
    "$sampleRate": _sample_rate,
    "$alwaysTrue": _always(True),
    "$alwaysFalse": _always(False),
}
