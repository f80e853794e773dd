"""String operators."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from xrepo_nb.core.errors import an
from xrepo_nb.engines.document.expressions.strings import LOWER, UPPER
from xrepo_nb.engines.polars.expressions.comparison import boolean
from xrepo_nb.engines.polars.patterns import finds
from xrepo_nb.engines.polars.scope import Scope, lowers
from xrepo_nb.engines.polars.values import INT, NULL_VALUE, STRING, Value, absent_like, literal
from xrepo_nb.engines.typed.constants import position
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call, Literal
from xrepo_nb.schema.types import DataType


def _text(value: Value, op: str, *, present: bool = False) -> Value:
    """The value, which must be a string, and where the operator fails on absent ones never absent."""
    if value.kind not in ("string", "null") or (present and value.absence != "never"):
        decline(f"{op} of what may be no string")
    return value


@lowers("$concat")
def _concat(call: Call, scope: Scope) -> Value:
    values = [_text(scope.typed(arg), call.op) for arg in call.args]
    if not values:
        return literal("")
    if any(value.kind == "null" for value in values):
        return NULL_VALUE
    return Value(pl.concat_str([v.expr for v in values], ignore_nulls=False), STRING, absent_like(values))


@lowers("$toUpper", "$toLower")
def _case(call: Call, scope: Scope) -> Value:
    value = _text(scope.typed(call.args[0]), call.op)
    if value.kind == "null":
        return Value(pl.lit(""), STRING, "never")
    upper = call.op == "$toUpper"
    expr = value.expr.map_batches(_cased(upper), return_dtype=pl.String, is_elementwise=True)
    return Value(expr.fill_null("") if value.absence != "never" else expr, STRING, "never")


def _cased(upper: bool) -> Callable[[pl.Series], pl.Series]:
    """Changes the case of ASCII letters only: at Polars' speed where there are no others."""
    table = UPPER if upper else LOWER

    def change(texts: pl.Series) -> pl.Series:
        wide = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(False)
        if wide.any():
            changed = [None if text is None else text.translate(table) for text in texts.to_list()]
            return pl.Series(texts.name, changed, dtype=pl.String)
        return texts.str.to_uppercase() if upper else texts.str.to_lowercase()

    return change


@lowers("$strLenCP", "$strLenBytes")
def _length(call: Call, scope: Scope) -> Value:
    text = _text(scope.typed(call.args[0]), call.op, present=True).expr.str
    expr = text.len_chars() if call.op == "$strLenCP" else text.len_bytes()
    return Value(expr.cast(pl.Int64), INT, "never")


@lowers("$substrCP")
def _substring(call: Call, scope: Scope) -> Value:
    value = _text(scope.typed(call.args[0]), call.op)
    start, count = (_bound(arg) for arg in call.args[1:])
    if start < 0 or count < 0 or value.kind == "null":
        decline(f"{call.op} of no text, or before its beginning")
    return Value(value.expr.str.slice(start, count).fill_null(""), STRING, "never")


def _bound(arg: object) -> int:
    return position(arg.value if isinstance(arg, Literal) else None, "$substrCP with bounds")


@lowers("$split")
def _split(call: Call, scope: Scope) -> Value:
    value, by = (scope.typed(arg) for arg in call.args)
    if value.kind != "string" or not by.is_constant or not by.literal or by.kind != "string":
        decline(f"{call.op} by a computed separator")
    parts = value.expr.str.split(by.literal)
    return Value(parts, DataType("array", item=STRING), absent_like([value]))


@lowers("$replaceAll", "$replaceOne")
def _replace(call: Call, scope: Scope) -> Value:
    value, find, replacement = (scope.typed(call.needed(name)) for name in ("input", "find", "replacement"))
    plain = find.kind == replacement.kind == "string" and find.is_constant and replacement.is_constant
    if value.kind != "string" or not plain or not find.literal:
        decline(f"{call.op} with computed texts")
    if call.op == "$replaceAll":
        expr = value.expr.str.replace_all(find.literal, replacement.literal, literal=True)
    else:
        expr = value.expr.str.replace(find.literal, replacement.literal, literal=True)
    return Value(expr, STRING, absent_like([value]))


@lowers("$regexMatch")
def _matches(call: Call, scope: Scope) -> Value:
    pattern = call.constant("regex")
    if not isinstance(pattern, str):
        decline(f"{call.op} by a computed pattern")
    letters = "" if call.option("options") is None else call.constant("options")
    value = scope.typed(call.needed("input"))
    if not isinstance(letters, str) or value.kind != "string":
        decline(f"{call.op} of {an(value.kind)}")
    return boolean(finds(pattern, letters, value))
