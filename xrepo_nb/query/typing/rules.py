"""Types of operators that are told by the types of the arguments alone: one rule an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from xrepo_nb.query.operators import by_operator
from xrepo_nb.query.typing.values import (
    MIXED,
    Value,
    array_of,
    either,
    field_of,
    lineage,
    nullable,
    numeric,
    object_of,
    summed,
    union,
)
from xrepo_nb.schema.types import DataType, Field, Kind

Rule = Callable[[Sequence[Value]], Value]
"""The type of an operator's value, from those of its arguments."""


def _always(kind: Kind) -> Rule:
    return lambda values: Value(DataType(kind), "never", lineage(*values))


def _or_null(kind: Kind) -> Rule:
    return lambda values: Value(DataType(kind), nullable(values), lineage(*values))


def _number(values: Sequence[Value]) -> Value:
    return Value(numeric(value.type for value in values), nullable(values), lineage(*values))


def _real(values: Sequence[Value]) -> Value:
    kind: Kind = "decimal" if any(value.kind == "decimal" for value in values) else "float"
    return Value(DataType(kind), nullable(values), lineage(*values))


def _sum(values: Sequence[Value]) -> Value:
    items = [value.item if value.kind == "array" and len(values) == 1 else value for value in values]
    return Value(summed(value.type for value in items), "never", lineage(*values))


def _average(values: Sequence[Value]) -> Value:
    return _real(values).absent("null")


def _add(values: Sequence[Value]) -> Value:
    if any(value.kind in ("datetime", "date") for value in values):
        return Value(DataType("datetime"), nullable(values), lineage(*values))
    return _number(values)


def _subtract(values: Sequence[Value]) -> Value:
    dates = [value.kind in ("datetime", "date") for value in values]
    if all(dates):
        return Value(DataType("int"), nullable(values), lineage(*values))
    return _add(values)


def _extreme(values: Sequence[Value]) -> Value:
    items = [value.item if value.kind == "array" and len(values) == 1 else value for value in values]
    found = union(items)
    return found.absent("null" if nullable(values) == "null" or len(values) == 1 else "never")


def _element(values: Sequence[Value]) -> Value:
    item = values[0].item
    return Value(item.type, "both", lineage(*values))


def _same_array(values: Sequence[Value]) -> Value:
    found = next((value.type for value in values if value.kind == "array"), MIXED)
    return Value(found, nullable(values), lineage(*values))


def _arrays(values: Sequence[Value]) -> Value:
    found = union([value.item for value in values])
    return Value(DataType("array", item=found.type), nullable(values), lineage(*values))


def _strings(values: Sequence[Value]) -> Value:
    return Value(DataType("array", item=DataType("string")), nullable(values), lineage(*values))


def _if_null(values: Sequence[Value]) -> Value:
    found = union(values)
    return found.absent(values[-1].absence)


def _merged(values: Sequence[Value]) -> Value:
    fields: dict[str, Field] = {}
    for value in values:
        if value.kind != "object":
            return Value(MIXED, "never", lineage(*values))
        for f in value.type.fields:
            if value.absence != "never":
                f = replace(f, absence=either(f.absence, "missing"))
            known = fields.get(f.name)
            if known is not None and f.absence in ("missing", "both"):
                both = union([Value(known.type, known.absence), Value(f.type, f.absence)])
                f = field_of(f.name, both.absent(known.absence))
            fields[f.name] = f
    return object_of(fields.values(), source=lineage(*values))


_MATCH = object_of(
    [
        field_of("match", Value(DataType("string"))),
        field_of("idx", Value(DataType("int"))),
        field_of("captures", array_of(Value(DataType("string"), "null"))),
    ]
)

RULES: dict[str, Rule] = by_operator(
    ("abs ceil floor mod multiply round trunc", _number),
    ("add", _add),
    ("subtract", _subtract),
    ("acos acosh asin asinh atan atan2 atanh cos cosh degreesToRadians divide exp ln log log10", _real),
    ("pow radiansToDegrees sigmoid sin sinh sqrt tan tanh", _real),
    ("sum", _sum),
    ("avg stdDevPop stdDevSamp median", _average),
    ("min max", _extreme),
    ("percentile", lambda values: array_of(_average(values))),
    ("rand", _always("float")),
    ("bitAnd bitOr bitXor bitNot", _or_null("int")),
    ("and or not eq ne gt gte lt lte in isArray isNumber allElementsTrue anyElementTrue", _always("bool")),
    ("setEquals setIsSubset regexMatch", _always("bool")),
    ("cmp size strLenBytes strLenCP strcasecmp toHashedIndexKey", _always("int")),
    ("indexOfArray indexOfBytes indexOfCP binarySize bsonSize tsIncrement tsSecond", _or_null("int")),
    ("year month week dayOfMonth dayOfWeek dayOfYear hour minute second millisecond", _or_null("int")),
    ("isoWeek isoWeekYear isoDayOfWeek dateDiff toInt toLong", _or_null("int")),
    ("concat trim ltrim rtrim replaceOne replaceAll toString", _or_null("string")),
    ("toLower toUpper substr substrBytes substrCP type", _always("string")),
    ("split", _strings),
    ("dateAdd dateSubtract dateTrunc dateFromParts toDate", _or_null("datetime")),
    ("toBool", _or_null("bool")),
    ("toDouble", _or_null("float")),
    ("toDecimal", _or_null("decimal")),
    ("toObjectId", _or_null("objectid")),
    ("toUUID", _or_null("uuid")),
    ("arrayElemAt first last", _element),
    ("reverseArray slice firstN lastN maxN minN sortArray setDifference", _same_array),
    ("concatArrays setUnion setIntersection", _arrays),
    ("ifNull", _if_null),
    ("mergeObjects", _merged),
    ("regexFind", lambda values: Value(_MATCH.type, "null", lineage(*values))),
    ("regexFindAll", lambda values: array_of(Value(_MATCH.type, "never", lineage(*values)))),
)
