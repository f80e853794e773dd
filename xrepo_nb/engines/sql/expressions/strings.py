"""Text: positions count code points, case is ASCII's, null is the empty text where MongoDB says so."""

from __future__ import annotations

import string

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql.comparing import as_value
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.common import constant, guarded, of_kinds, operands
from xrepo_nb.engines.sql.patterns import regex
from xrepo_nb.engines.sql.syntax import (
    Sql,
    binary,
    call,
    case,
    conjunction,
    number,
    text,
)
from xrepo_nb.engines.sql.values import INT, NULL_VALUE, STRING, Value, strict
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.query.expressions import Call
from xrepo_nb.schema.types import DataType

_SPACES = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))


def _concat(ctx: Context, node: Call) -> Value:
    values = of_kinds(node.op, operands(ctx, node), "string")
    if any(v.kind == "null" for v in values):
        return NULL_VALUE
    sql = values[0].sql
    for value in values[1:]:
        sql = binary(exp.DPipe, sql, value.sql)
    return strict(sql, STRING, *values)


def coerced(op: str, value: Value) -> Sql:
    """The text that case and substring operators see: null is empty."""
    if value.kind == "null":
        return text("")
    if value.kind == "int":
        return exp.Coalesce(
            this=exp.Cast(this=value.sql, to=exp.DataType.build("TEXT")), expressions=[text("")]
        )
    if value.kind != "string":
        decline(f"{op} of {an(value.kind)}")
    return value.sql if value.absence == "never" else exp.Coalesce(this=value.sql, expressions=[text("")])


def _cased(op: str, value: Value, upper: bool) -> Sql:
    low, high = text(string.ascii_lowercase), text(string.ascii_uppercase)
    return call("translate", coerced(op, value), *((low, high) if upper else (high, low)))


def _case(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    return Value(_cased(node.op, value, node.op == "$toUpper"), STRING, "never")


def _strcasecmp(ctx: Context, node: Call) -> Value:
    left, right = (_cased(node.op, v, True) for v in operands(ctx, node))
    less, more = exp.LT(this=left, expression=right), exp.GT(this=left, expression=right)
    return Value(case([(less, number(-1)), (more, number(1))], number(0)), INT, "never")


def _length(ctx: Context, node: Call) -> Value:
    (value,) = operands(ctx, node)
    if value.kind != "string":
        decline(f"{node.op} of {an(value.kind)}")
    made = call("length" if node.op == "$strLenCP" else "strlen", value.sql)
    return Value(guarded(ctx, value.is_absent(), made, f"{node.op} of null"), INT, "never")


def _split(ctx: Context, node: Call) -> Value:
    values = of_kinds(node.op, operands(ctx, node), "string")
    if any(v.kind == "null" for v in values):
        return NULL_VALUE
    subject, separator = values
    if not separator.is_constant or not separator.literal:
        decline("$split by a computed separator")
    return strict(call("string_split", subject.sql, separator.sql), DataType("array", item=STRING), *values)


def _index(ctx: Context, node: Call) -> Value:
    subject, part, *bounds = operands(ctx, node)
    if bounds or subject.kind not in ("string", "null") or part.kind != "string" or part.absence != "never":
        decline(f"{node.op} with bounds")
    if subject.kind == "null":
        return NULL_VALUE
    if node.op == "$indexOfBytes":
        decline("$indexOfBytes")
    found = binary(exp.Sub, call("instr", subject.sql, part.sql), number(1))
    return strict(found, INT, subject)


def _substring(ctx: Context, node: Call) -> Value:
    subject, start, length = operands(ctx, node)
    for bound in (start, length):
        if not bound.is_constant or bound.kind != "int" or not 0 <= bound.literal < 2**31:
            decline(f"{node.op} with computed bounds")
    if node.op != "$substrCP":
        return _bytes(ctx, node, subject, start.literal, length.literal)
    made = call("substring", coerced(node.op, subject), number(start.literal + 1), number(length.literal))
    return Value(made, STRING, "never")


def _bytes(ctx: Context, node: Call, subject: Value, start: int, length: int) -> Value:
    """Bytes are code points as long as the text is ASCII."""
    whole = coerced(node.op, subject)
    wide = exp.NEQ(this=call("strlen", whole), expression=call("length", whole))
    made = call("substring", whole, number(start + 1), number(length))
    return Value(guarded(ctx, wide, made, "substring by bytes of other than ASCII"), STRING, "never")


def _trim(ctx: Context, node: Call) -> Value:
    subject, chars = ctx.value(node.needed("input")), constant(ctx, node, "chars", _SPACES)
    of_kinds(node.op, [subject], "string")
    if subject.kind == "null" or chars is None:
        return NULL_VALUE
    if not isinstance(chars, str) or not chars:
        decline(f"{node.op} of no characters")
    return strict(call(node.op[1:], subject.sql, ctx.literal(chars).sql), STRING, subject)


def _replace(ctx: Context, node: Call) -> Value:
    parts = [ctx.value(part) for _, part in node.options]
    of_kinds(node.op, parts, "string")
    if any(p.kind == "null" for p in parts):
        return NULL_VALUE
    subject, find, replacement = parts
    if not find.is_constant or not find.literal:
        decline(f"{node.op} of a computed text")
    if node.op == "$replaceAll":
        return strict(call("replace", subject.sql, find.sql, replacement.sql), STRING, *parts)
    return strict(_replaced_once(subject.sql, find, replacement.sql), STRING, *parts)


def _replaced_once(subject: Sql, find: Value, replacement: Sql) -> Sql:
    at = call("instr", subject, find.sql)
    head = call("substring", subject, number(1), binary(exp.Sub, at, number(1)))
    tail = call("substring", subject, binary(exp.Add, at, number(len(find.literal))))
    whole = exp.DPipe(this=exp.DPipe(this=head, expression=replacement), expression=tail)
    return case([(exp.GT(this=at, expression=number(0)), whole)], subject)


def _regex_match(ctx: Context, node: Call) -> Value:
    subject = ctx.value(node.needed("input"))
    pattern, options = constant(ctx, node, "regex"), constant(ctx, node, "options", "")
    of_kinds(node.op, [subject], "string")
    if not isinstance(pattern, str | None) or not isinstance(options, str):
        decline(f"{node.op} with a compiled pattern")
    if subject.kind == "null" or pattern is None:
        return as_value(False)
    return as_value(conjunction(subject.is_present(), regex(ctx, subject, pattern, options)))


OPERATORS = {
    "$concat": _concat,
    "$toUpper": _case,
    "$toLower": _case,
    "$strcasecmp": _strcasecmp,
    "$strLenCP": _length,
    "$strLenBytes": _length,
    "$split": _split,
    "$indexOfCP": _index,
    "$indexOfBytes": _index,
    **dict.fromkeys(("$substr", "$substrCP", "$substrBytes"), _substring),
    **dict.fromkeys(("$trim", "$ltrim", "$rtrim"), _trim),
    **dict.fromkeys(("$replaceOne", "$replaceAll"), _replace),
    "$regexMatch": _regex_match,
}
