"""Other ways to ask the same: what must not change an answer, nor let pass what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.conformance.cases import Case

Pipeline = list[Any]


@dataclass(frozen=True)
class Question:
    """A pipeline over a collection whose documents are laid out anew."""

    pipeline: Pipeline
    collection: str
    laid_out: Callable[[Any], Any] = lambda document: document


Mutation = Callable[[Pipeline, Case], Question | None]

ONE, NONE = "one row", "no rows"
"""Collections that every question may read: of one document `{k: 1}`, and of none."""

_WRITES = frozenset({"$out", "$merge"})
_OTHERS = frozenset({"$lookup", "$graphLookup", "$unionWith"})
_OPERANDS = """
abs acos acosh add allElementsTrue and anyElementTrue arrayElemAt arrayToObject asin asinh atan atan2 atanh
bitAnd bitNot bitOr bitXor ceil cmp concat concatArrays cond cos cosh degreesToRadians divide eq exp first
floor gt gte hour ifNull in indexOfArray indexOfBytes indexOfCP isArray isNumber last ln log log10 lt lte
max mergeObjects min mod month multiply ne not objectToArray or pow radiansToDegrees range reverseArray
round setDifference setEquals setIntersection setIsSubset setUnion sin sinh size slice split sqrt
strLenBytes strLenCP strcasecmp substr substrBytes substrCP subtract sum avg tan tanh toBool toDate
toDecimal toDouble toInt toLong toLower toObjectId toString toUpper trunc type year
"""
_OPERANDS_ONLY = frozenset(f"${name}" for name in _OPERANDS.split())
"""Operators whose arguments are expressions, wherever a constant stands."""
_BSON = "oid date numberLong numberDecimal numberDouble uuid binary timestamp regularExpression"
_VALUES = frozenset(f"${name}" for name in _BSON.split())
_IN_PLACE = _VALUES | {"$slice", "$elemMatch", "$meta", "$literal", "$undefined", "$minKey", "$maxKey"}
"""What may stand in a projection and is no expression there."""


def _names(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        for name, item in given.items():
            yield name
            yield from _names(item)
    elif isinstance(given, list):
        for item in given:
            yield from _names(item)


def _uses(pipeline: Pipeline, names: Iterable[str]) -> bool:
    return not set(names).isdisjoint(_names(pipeline))


def _name(stage: Any) -> str | None:
    return next(iter(stage), None) if isinstance(stage, dict) else None


def _between(*stages: Any) -> Mutation:
    """Before each stage others that change nothing."""

    def mutate(pipeline: Pipeline, case: Case) -> Question:
        out: Pipeline = []
        for stage in pipeline:
            out += [stage] if _name(stage) == "$documents" else [*stages, stage]
        return Question(out, case["collection"])

    return mutate


def _is_own(pipeline: Pipeline, forbidden: Iterable[str] = ()) -> bool:
    """Whether the pipeline reads its collection, writes nothing, and may stand within another."""
    starts = pipeline and _name(pipeline[0]) == "$documents"
    return not starts and not _uses(pipeline, _WRITES | set(forbidden))


def _in_a_facet(pipeline: Pipeline, case: Case) -> Question | None:
    if not _is_own(pipeline, {"$facet", "$search", "$geoNear"}):
        return None
    out = [{"$facet": {"rows": pipeline}}, {"$unwind": "$rows"}, {"$replaceRoot": {"newRoot": "$rows"}}]
    return Question(out, case["collection"])


def _in_a_lookup(pipeline: Pipeline, case: Case) -> Question | None:
    if not _is_own(pipeline):
        return None
    given = {"from": case["collection"], "let": {"own": "$k"}, "as": "rows"}
    inner = [{"$match": {"$expr": {"$eq": ["$$own", 1]}}}, *pipeline]
    out = [{"$lookup": {**given, "pipeline": inner}}, {"$unwind": "$rows"}, {"$replaceWith": "$rows"}]
    return Question(out, ONE)


def _in_a_union(pipeline: Pipeline, case: Case) -> Question | None:
    if not _is_own(pipeline):
        return None
    return Question([{"$unionWith": {"coll": case["collection"], "pipeline": pipeline}}], NONE)


def _one_level_down(pipeline: Pipeline, case: Case) -> Question | None:
    if not _is_own(pipeline, _OTHERS):
        return None
    return Question([{"$replaceWith": "$row"}, *pipeline], case["collection"], lambda row: {"row": row})


def _in_an_array(pipeline: Pipeline, case: Case) -> Question | None:
    if not _is_own(pipeline, _OTHERS):
        return None
    out = [{"$unwind": "$row"}, {"$replaceRoot": {"newRoot": "$row"}}, *pipeline]
    return Question(out, case["collection"], lambda row: {"row": [row]})


def _each_expression(change: Callable[[Any], Any]) -> Mutation:
    """The operators that `$project` and `$addFields` compute, written otherwise."""

    def mutate(pipeline: Pipeline, case: Case) -> Question | None:
        out = [_computing(stage, change) for stage in pipeline]
        return None if out == pipeline else Question(out, case["collection"])

    return mutate


def _computing(stage: Any, change: Callable[[Any], Any]) -> Any:
    name = _name(stage)
    if name not in ("$project", "$addFields", "$set") or not isinstance(stage[name], dict):
        return stage
    return {name: {path: change(value) if _is_call(value) else value for path, value in stage[name].items()}}


def _is_call(value: Any) -> bool:
    name = _name(value)
    return name is not None and len(value) == 1 and name.startswith("$") and name not in _IN_PLACE


def _spelled_out(given: Any) -> Any:
    """Constants among the arguments of operators as `$literal`."""
    name = _name(given)
    if name in _VALUES and len(given) == 1:
        return {"$literal": given}
    if name in _OPERANDS_ONLY and len(given) == 1:
        return {name: _spelled_out(given[name])}
    if isinstance(given, list):
        return [_spelled_out(item) for item in given]
    if isinstance(given, dict) or (isinstance(given, str) and given.startswith("$")):
        return given
    return {"$literal": given}


def _each_match(change: Callable[[Any], Pipeline]) -> Mutation:
    def mutate(pipeline: Pipeline, case: Case) -> Question | None:
        if not any(_name(stage) == "$match" for stage in pipeline):
            return None
        out: Pipeline = []
        for stage in pipeline:
            out += change(stage["$match"]) if _name(stage) == "$match" else [stage]
        return Question(out, case["collection"])

    return mutate


def _one_by_one(condition: Any) -> Pipeline:
    """A match for each field of the condition."""
    if not isinstance(condition, dict) or len(condition) < 2:
        return [{"$match": condition}]
    return [{"$match": {name: value}} for name, value in condition.items()]


def _switched(expression: Any) -> Any:
    return {"$switch": {"branches": [{"case": {"$gt": ["$no", 5]}, "then": 0}], "default": expression}}


def _through_a_field(expression: Any) -> Any:
    written = {"$setField": {"field": "x", "input": {}, "value": expression}}
    return {"$getField": {"field": "x", "input": written}}


def _reduced(expression: Any) -> Any:
    if any(name in str(expression) for name in ("$$this", "$reduce")):
        return expression
    return {"$reduce": {"input": [1], "initialValue": 0, "in": expression}}


MUTATIONS: dict[str, Mutation] = {
    "a match of all": _between({"$match": {}}),
    "a true expression": _between({"$match": {"$expr": True}}),
    "a condition that none meets, denied": _between({"$match": {"$nor": [{"no": 1}]}}),
    "a field added and dropped": _between({"$addFields": {"no": {"y": "$_id"}}}, {"$unset": "no"}),
    "within a facet": _in_a_facet,
    "within a lookup": _in_a_lookup,
    "within a union": _in_a_union,
    "documents one level down": _one_level_down,
    "documents in an array": _in_an_array,
    "let": _each_expression(lambda given: {"$let": {"vars": {"own": 1}, "in": given}}),
    "cond": _each_expression(lambda given: {"$cond": [{"$eq": ["$no", None]}, 1, given]}),
    "switch": _each_expression(_switched),
    "ifNull": _each_expression(lambda given: {"$ifNull": ["$no", given]}),
    "a field set and read": _each_expression(_through_a_field),
    "reduce": _each_expression(_reduced),
    "literals": _each_expression(_spelled_out),
    "and": _each_match(lambda given: [{"$match": {"$and": [given, {}]}}]),
    "nor nor": _each_match(lambda given: [{"$match": {"$nor": [{"$nor": [given]}]}}]),
    "matches one by one": _each_match(_one_by_one),
}
