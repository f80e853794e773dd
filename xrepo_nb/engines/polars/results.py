"""The type that an operator always gives: null for null and missing arguments, else of one kind."""

from __future__ import annotations

from xrepo_nb.engines.polars.values import BOOL, DATETIME, FLOAT, INT, STRING
from xrepo_nb.query.expressions import Call, Expr
from xrepo_nb.schema.types import DataType

_KINDS: dict[str, DataType] = {
    **dict.fromkeys(
        [
            "$eq",
            "$ne",
            "$gt",
            "$gte",
            "$lt",
            "$lte",
            "$and",
            "$or",
            "$not",
            "$in",
            "$isArray",
            "$isNumber",
            "$allElementsTrue",
            "$anyElementTrue",
            "$setEquals",
            "$setIsSubset",
            "$regexMatch",
            "$toBool",
        ],
        BOOL,
    ),
    **dict.fromkeys(
        [
            "$cmp",
            "$size",
            "$strLenCP",
            "$strLenBytes",
            "$indexOfArray",
            "$indexOfBytes",
            "$indexOfCP",
            "$strcasecmp",
            "$dateDiff",
            "$dayOfMonth",
            "$dayOfWeek",
            "$dayOfYear",
            "$hour",
            "$isoDayOfWeek",
            "$isoWeek",
            "$isoWeekYear",
            "$millisecond",
            "$minute",
            "$month",
            "$second",
            "$week",
            "$year",
            "$binarySize",
            "$bsonSize",
            "$toInt",
            "$toLong",
        ],
        INT,
    ),
    **dict.fromkeys(
        [
            "$concat",
            "$substr",
            "$substrBytes",
            "$substrCP",
            "$toLower",
            "$toUpper",
            "$trim",
            "$ltrim",
            "$rtrim",
            "$replaceAll",
            "$replaceOne",
            "$type",
            "$toString",
        ],
        STRING,
    ),
    **dict.fromkeys(["$dateFromParts", "$dateTrunc", "$dateAdd", "$dateSubtract", "$toDate"], DATETIME),
    **dict.fromkeys(["$rand", "$toDouble"], FLOAT),
    "$range": DataType("array", item=INT),
    "$split": DataType("array", item=STRING),
}


def result_type(expr: Expr) -> DataType | None:
    """The fixed type of an operator's result, or None when it depends on the arguments."""
    return _KINDS.get(expr.op) if isinstance(expr, Call) else None
