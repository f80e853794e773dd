"""The operators of the query language: one table a family, with arity and named options.

Parsing, documentation and suggestions all read these tables. The normal form of a call
follows from its `Signature`: positional arguments in order in `args`, named ones in `options`
in the order given here, absent ones left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

Entry = TypeVar("Entry")

MANY = 1_000_000
"""No bound on the number of arguments."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How an operator is written.

    `least` and `most` bound the positional arguments (both 0: takes `{}`, or only options).
    `options` are its named arguments in canonical order, of which `required` must be there and
    `constants` are taken as they are (names of variables, sort documents, flags) and not as
    expressions, and the `folded` ones are expressions that depend on nothing. `lone` names the
    option that a bare argument stands for.
    """

    least: int = 0
    most: int = 0
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    constants: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    lone: str | None = None


def _exactly(count: int) -> Signature:
    return Signature(count, count)


def _options(
    names: str,
    optional: str = "",
    constants: str = "",
    lone: str | None = None,
    order: str = "",
    folded: str = "",
) -> Signature:
    required = tuple(names.split())
    return Signature(
        options=tuple(order.split()) or (*required, *optional.split()),
        required=required,
        constants=frozenset(constants.split()),
        folded=frozenset(folded.split()),
        lone=lone,
    )


def by_operator(*rows: tuple[str, Entry]) -> dict[str, Entry]:
    """A table by operator, from rows of their names without `$` and what they share.

    >>> by_operator(("min max", 1), ("push", 2))
    {'$min': 1, '$max': 1, '$push': 2}
    """
    return {"$" + name: entry for names, entry in rows for name in names.split()}


_UNARY = _exactly(1)
_BINARY = _exactly(2)
_ANY = Signature(0, MANY)
_DATE_PART = _options("date", "timezone", lone="date")
_TRIM = _options("input", "chars")
_REGEX = _options("input regex", "options")
_REPLACE = _options("input find replacement")
_DATE_SHIFT = _options("startDate unit amount", "timezone")
_FIRST_N = _options("n input", order="input n")

EXPRESSIONS = by_operator(
    ("abs acos acosh asin asinh atan atanh ceil cos cosh degreesToRadians exp floor ln log10", _UNARY),
    ("radiansToDegrees sigmoid sin sinh sqrt tan tanh", _UNARY),
    ("add multiply", _ANY),
    ("atan2 divide log mod pow subtract", _BINARY),
    ("round trunc", Signature(1, 2)),
    ("bitAnd bitOr bitXor", _ANY),
    ("bitNot", _UNARY),
    ("and or", _ANY),
    ("not", _UNARY),
    ("cmp eq gt gte lt lte ne", _BINARY),
    ("cond", _exactly(3)),
    ("ifNull", Signature(2, MANY)),
    ("switch", Signature(2, MANY, options=("default",))),
    ("arrayElemAt in", _BINARY),
    ("arrayToObject objectToArray isArray isNumber reverseArray size", _UNARY),
    ("concatArrays", _ANY),
    ("filter", _options("input cond", "as limit", "as", order="input as cond limit")),
    ("first last", _UNARY),
    ("firstN lastN maxN minN", _FIRST_N),
    ("indexOfArray indexOfBytes indexOfCP", Signature(2, 4)),
    ("map", _options("input in", "as", "as", order="input as in")),
    ("range slice", Signature(2, 3)),
    ("reduce", _options("input initialValue in")),
    ("sortArray", _options("input sortBy", constants="sortBy")),
    ("zip", _options("inputs", "useLongestLength defaults", "useLongestLength")),
    ("allElementsTrue anyElementTrue", _UNARY),
    ("setDifference setIsSubset", _BINARY),
    ("setEquals", Signature(2, MANY)),
    ("setIntersection setUnion", _ANY),
    ("concat", _ANY),
    ("split strcasecmp", _BINARY),
    ("strLenBytes strLenCP toLower toUpper", _UNARY),
    ("substr substrBytes substrCP", _exactly(3)),
    ("trim ltrim rtrim", _TRIM),
    ("regexFind regexFindAll regexMatch", _REGEX),
    ("replaceAll replaceOne", _REPLACE),
    ("dateAdd dateSubtract", _DATE_SHIFT),
    ("dateDiff", _options("startDate endDate unit", "timezone startOfWeek")),
    (
        "dateFromParts",
        _options(
            "",
            "year month day isoWeekYear isoWeek isoDayOfWeek hour minute second millisecond timezone",
        ),
    ),
    ("dateFromString", _options("dateString", "format timezone onError onNull")),
    ("dateToParts", _options("date", "timezone iso8601")),
    ("dateToString", _options("date", "format timezone onNull")),
    ("dateTrunc", _options("date unit", "binSize timezone startOfWeek")),
    ("dayOfMonth dayOfWeek dayOfYear hour isoDayOfWeek isoWeek isoWeekYear", _DATE_PART),
    ("millisecond minute month second week year", _DATE_PART),
    ("tsIncrement tsSecond", _UNARY),
    ("convert", _options("input to", "base format byteOrder onError onNull")),
    ("toBool toDate toDecimal toDouble toInt toLong toObjectId toString toUUID type", _UNARY),
    ("binarySize bsonSize toHashedIndexKey", _UNARY),
    ("getField", _options("field", "input", lone="field")),
    ("setField", _options("field input value", folded="field")),
    ("unsetField", _options("field input", folded="field")),
    ("mergeObjects", _ANY),
    ("avg max min stdDevPop stdDevSamp sum", _ANY),
    ("median", _options("input method", constants="method")),
    ("percentile", _options("input p method", constants="method", folded="p")),
    ("rand", Signature()),
)
"""Expression operators. `$let` and `$literal` have nodes of their own."""

EXPRESSION_NAMES = frozenset(EXPRESSIONS) | {"$let", "$literal"}

_TOP = _options("sortBy output", constants="sortBy")
_TOP_N = _options("n sortBy output", constants="sortBy")

ACCUMULATORS = by_operator(
    ("addToSet avg concatArrays first last max mergeObjects min push setUnion", _UNARY),
    ("stdDevPop stdDevSamp sum", _UNARY),
    ("count", Signature()),
    ("bottom top", _TOP),
    ("bottomN topN", _TOP_N),
    ("firstN lastN maxN minN", _FIRST_N),
    ("median", EXPRESSIONS["$median"]),
    ("percentile", EXPRESSIONS["$percentile"]),
)
"""Accumulators of `$group`, `$bucket` and `$bucketAuto`."""

WINDOW_OPERATORS = {
    **{name: ACCUMULATORS[name] for name in ACCUMULATORS if name != "$mergeObjects"},
    **by_operator(
        ("covariancePop covarianceSamp", _BINARY),
        ("denseRank documentNumber rank", Signature()),
        ("derivative integral", _options("input", "unit", "unit")),
        ("expMovingAvg", _options("input", "N alpha", "N alpha")),
        ("linearFill locf", _UNARY),
        ("minMaxScaler", _options("input", "min max", folded="min max")),
        ("shift", _options("output by", "default", "by", folded="default")),
    ),
}
"""Operators of `$setWindowFields`."""

WITHOUT_WINDOW = frozenset(
    {"$denseRank", "$documentNumber", "$expMovingAvg", "$linearFill", "$locf", "$rank", "$shift"}
)
"""Window operators that define their own window and refuse one."""

NEEDS_SORT = WITHOUT_WINDOW - {"$locf"} | {"$derivative", "$integral"}
"""Window operators that mean nothing without `sortBy`."""

COMPARISONS = ("$eq", "$gt", "$gte", "$lt", "$lte")
BITS = ("$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet")

FIELD_OPERATORS = frozenset(
    {*COMPARISONS, *BITS, "$ne", "$in", "$nin", "$not", "$exists", "$type", "$mod", "$regex", "$options"}
    | {"$all", "$elemMatch", "$size"}
)
"""Query operators that stand below a field."""

TOP_OPERATORS = frozenset(
    {"$and", "$or", "$nor", "$expr", "$jsonSchema", "$comment", "$sampleRate", "$alwaysTrue", "$alwaysFalse"}
)
"""Query operators that stand where a field name may."""

PROJECTION_OPERATORS = frozenset({"$elemMatch", "$slice"})

UPDATE_OPERATORS = (
    "$addToSet", "$bit", "$currentDate", "$inc", "$max", "$min", "$mul", "$pop", "$pull", "$pullAll",
    "$push", "$rename", "$set", "$setOnInsert", "$unset",
)  # fmt: skip
UPDATE_MODIFIERS = ("$each", "$position", "$slice", "$sort")
UPDATE_STAGES = ("$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith")

STAGES = (
    "$addFields", "$bucket", "$bucketAuto", "$count", "$densify", "$documents", "$facet", "$fill",
    "$graphLookup", "$group", "$limit", "$lookup", "$match", "$merge", "$out", "$project", "$redact",
    "$replaceRoot", "$replaceWith", "$sample", "$set", "$setWindowFields", "$skip", "$sort",
    "$sortByCount", "$unionWith", "$unset", "$unwind",
)  # fmt: skip

_CODE = "code is never run from a query; compute it with expression operators"
_GEO = "geographic queries are not supported"
_TEXT = "text search is not supported; use $regex"
_SERVER = "it belongs to a server, not to the data"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("$where", "$function", "$accumulator"), _CODE),
    **dict.fromkeys(("$text", "$meta", "$search", "$searchMeta", "$vectorSearch", "$rankFusion"), _TEXT),
    **dict.fromkeys(("$scoreFusion", "$score", "$listSearchIndexes"), _TEXT),
    **dict.fromkeys(("$geoIntersects", "$geoWithin", "$near", "$nearSphere", "$geoNear", "$within"), _GEO),
    **dict.fromkeys(("$box", "$center", "$centerSphere", "$geometry", "$polygon"), _GEO),
    **dict.fromkeys(("$maxDistance", "$minDistance", "$uniqueDocs"), _GEO),
    **dict.fromkeys(
        (
            "$changeStream", "$changeStreamSplitLargeEvent", "$collStats", "$currentOp", "$indexStats",
            "$listClusterCatalog", "$listLocalSessions", "$listSampledQueries", "$listSessions",
            "$planCacheStats", "$querySettings", "$queryStats", "$shardedDataDistribution",
            "$encStrContains", "$encStrEndsWith", "$encStrNormalizedEq", "$encStrStartsWith",
        ),
        _SERVER,
    ),
}  # fmt: skip
"""What is known and not taken, each with the reason."""

TYPE_NAMES: dict[int, str] = {
    1: "double", 2: "string", 3: "object", 4: "array", 5: "binData", 6: "undefined", 7: "objectId",
    8: "bool", 9: "date", 10: "null", 11: "regex", 12: "dbPointer", 13: "javascript", 14: "symbol",
    15: "javascriptWithScope", 16: "int", 17: "timestamp", 18: "long", 19: "decimal", -1: "minKey",
    127: "maxKey",
}  # fmt: skip
"""BSON's types by code."""

TYPE_ALIASES = frozenset(TYPE_NAMES.values()) | {"number"}
"""The names that `$type` takes."""
