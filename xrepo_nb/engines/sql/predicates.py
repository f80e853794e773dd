"""Predicates as SQL conditions, which may be NULL where they do not hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from xrepo_nb.core.errors import an
from xrepo_nb.engines.sql import comparing
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.paths import any_at, any_element, column_of, has_array, members
from xrepo_nb.engines.sql.patterns import regex
from xrepo_nb.engines.sql.syntax import Condition, Maker, call, conjunction, disjunction, negation, number
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.kinds import WIDTHS, bracket, is_called
from xrepo_nb.engines.typed.reasons import bounded, decline
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.parsing.patterns import pattern_parts
from xrepo_nb.query.parsing.values import is_pattern

ELEMENT = ""
"""The name under which `$elemMatch` on scalars finds the element itself."""


def predicate(ctx: Context, node: p.Predicate) -> Condition:
    """The condition of a predicate; declines what this dialect cannot say exactly."""
    name = type(node).__name__
    render = _RENDERERS.get(type(node))
    if render is None or name not in ctx.dialect.predicates:
        decline(f"{name} in {ctx.dialect.name}")
    return render(ctx, node)


def _constant(ctx: Context, node: p.Constant) -> Condition:
    return node.value


def _and(ctx: Context, node: p.And) -> Condition:
    bounded(node.items, "conditions")
    return conjunction(*(predicate(ctx, item) for item in node.items))


def _or(ctx: Context, node: p.Or) -> Condition:
    bounded(node.items, "alternatives")
    return disjunction(*(predicate(ctx, item) for item in node.items))


def _not(ctx: Context, node: p.Not) -> Condition:
    return negation(predicate(ctx, node.item))


def _at(ctx: Context, path: Path, test: Callable[[Value], Condition]) -> Condition:
    first, rest = (path[0], path[1:]) if path else (ELEMENT, ())
    return any_at(ctx, column_of(ctx, first), rest, test)


def _scalar_or_element(ctx: Context, value: Value, test: Callable[[Value], Condition]) -> Condition:
    """The test of a value, and of each element where it is an array."""
    if value.kind != "array":
        return test(value)
    if value.type.item is not None and value.type.item.kind == "array":
        decline("an array of arrays in a filter")
    return any_element(ctx, value, test)


def _compare(ctx: Context, node: p.Compare) -> Condition:
    if node.value is None:
        return _null_compare(ctx, node.path, node.op)
    if isinstance(node.value, dict):
        decline("comparing with a document")
    if isinstance(node.value, list):
        return _whole_array(ctx, node)
    constant = ctx.literal(node.value)
    return _at(
        ctx,
        node.path,
        lambda value: _scalar_or_element(ctx, value, lambda item: bracketed(ctx, node.op, item, constant)),
    )


def bracketed(ctx: Context, op: str, value: Value, constant: Value) -> Condition:
    """The comparison within one type: other types never match, NaN only equals itself."""
    if value.bracket != constant.bracket:
        return False
    comparing.check(ctx, op, value, constant)
    if constant.kind == "float" and math.isnan(constant.literal):
        if value.kind != "float" or op in ("$gt", "$lt") or not ctx.dialect.has_nan:
            return False
        return ctx.dialect.is_nan(value.sql)
    found = comparing.related(ctx, op, value, constant)
    if value.kind == "float" and ctx.dialect.has_nan and op in ("$gt", "$gte"):
        found = conjunction(found, negation(ctx.dialect.is_nan(value.sql)))
    return ctx.dialect.within(op, value, found)


def _whole_array(ctx: Context, node: p.Compare) -> Condition:
    if node.op != "$eq":
        decline("the order of arrays")

    def test(value: Value) -> Condition:
        if value.kind != "array":
            return False
        if value.type.item is not None and value.type.item.kind == "array":
            decline("an array of arrays in a filter")
        constant = ctx.literal(node.value)
        item, other = value.type.item, constant.type.item
        if item and other and "null" not in (item.kind, other.kind) and item.kind != other.kind:
            if bracket(item.kind) == bracket(other.kind):
                decline(f"comparing {value.type} with {constant.type}")
            return conjunction(exp.EQ(this=call("len", value.sql), expression=number(0)), not node.value)
        return comparing.related(ctx, "$eq", value, constant)

    return _at(ctx, node.path, test)


def _null_compare(ctx: Context, path: Path, op: str) -> Condition:
    if op in ("$gt", "$lt"):
        return False
    if has_array(ctx, path):
        decline("null behind an array in a filter")

    def test(value: Value) -> Condition:
        if value.kind != "array":
            return value.is_absent()
        return disjunction(value.is_absent(), any_element(ctx, value, lambda item: item.is_absent()))

    return _at(ctx, path, test)


_MANY = 50
"""Beyond so many values a list of them is bound as one."""


def _in(ctx: Context, node: p.In) -> Condition:
    found: list[Condition] = []
    plain: dict[str, list[Any]] = {}
    for value in node.values:
        if is_pattern(value):
            found.append(_regex(ctx, p.Regex(node.path, *pattern_parts(value, ""))))
        elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            plain.setdefault("string" if isinstance(value, str) else "number", []).append(value)
        elif len(found) < _MANY:
            found.append(_compare(ctx, p.Compare(node.path, "$eq", value)))
        else:
            decline("a long list of values other than ints and texts")
    for kinds, values in plain.items():
        found.append(_in_values(ctx, node.path, kinds, values))
    return disjunction(*found)


def _in_values(ctx: Context, path: Path, kinds: str, values: list[Any]) -> Condition:
    def test(value: Value) -> Condition:
        if value.bracket != kinds:
            return False
        if value.kind not in ("string", "int"):
            if len(values) > _MANY:
                decline(f"a long list of values for {an(value.kind)}")
            return disjunction(*(bracketed(ctx, "$eq", value, ctx.literal(v)) for v in values))
        ctx.dialect.check(value, "$in")
        if len(values) > _MANY:
            found = ctx.dialect.among(ctx, value, values)
        else:
            operands = [ctx.dialect.operand(ctx.literal(v)) for v in values]
            found = exp.In(this=ctx.dialect.operand(value), expressions=operands)
        return ctx.dialect.within("$eq", value, found)

    return _at(ctx, path, lambda value: _scalar_or_element(ctx, value, test))


def _exists(ctx: Context, node: p.Exists) -> Condition:
    present = _at(ctx, node.path, lambda value: negation(value.is_missing()))
    return present if node.present else negation(present)


def _regex(ctx: Context, node: p.Regex) -> Condition:
    def test(value: Value) -> Condition:
        if value.kind != "string":
            return False
        return conjunction(ctx.dialect.holds(value), regex(ctx, value, node.pattern, node.options))

    return _at(ctx, node.path, lambda value: _scalar_or_element(ctx, value, test))


def _mod(ctx: Context, node: p.Mod) -> Condition:
    def test(value: Value) -> Condition:
        if value.bracket != "number":
            return False
        if value.kind != "int":
            decline(f"$mod on {value.kind}")
        rest = exp.Mod(this=value.sql, expression=ctx.literal(node.divisor).sql)
        same = exp.EQ(this=rest, expression=ctx.literal(node.remainder).sql)
        return conjunction(ctx.dialect.holds(value), same)

    return _at(ctx, node.path, lambda value: _scalar_or_element(ctx, value, test))


def _size(ctx: Context, node: p.Size) -> Condition:
    def test(value: Value) -> Condition:
        if value.kind != "array":
            return False
        return exp.EQ(this=call("len", value.sql), expression=ctx.literal(node.length).sql)

    return _at(ctx, node.path, test)


def _all(ctx: Context, node: p.All) -> Condition:
    bounded(node.items, "conditions")
    return conjunction(*(predicate(ctx, item) for item in node.items)) if node.items else False


def _elem_match(ctx: Context, node: p.ElemMatch) -> Condition:
    def test(value: Value) -> Condition:
        if value.kind != "array":
            return False
        item = value.type.item
        if not node.on_values and item is not None and item.kind == "array":
            decline("$elemMatch on an array of arrays")
        return any_element(ctx, value, lambda found: _element_test(ctx, found, node))

    return _at(ctx, node.path, test)


def _element_test(ctx: Context, value: Value, node: p.ElemMatch) -> Condition:
    if node.on_values:
        if value.kind == "array":
            decline("$elemMatch on an array of arrays")
        return predicate(ctx.over({ELEMENT: value}), node.predicate)
    if value.kind != "object":
        return False
    return conjunction(value.is_present(), predicate(ctx.over(members(value)), node.predicate))


def _has_type(ctx: Context, node: p.HasType) -> Condition:
    def one(value: Value) -> Condition:
        return disjunction(*(_is_type(ctx, value, name) for name in node.types))

    def test(value: Value) -> Condition:
        own = one(value)
        return disjunction(own, any_element(ctx, value, one)) if value.kind == "array" else own

    return _at(ctx, node.path, test)


def _is_type(ctx: Context, value: Value, name: str) -> Condition:
    if name == "null":
        return value.is_null()
    if name in WIDTHS and value.kind in ("int", "float") and not value.stored:
        decline("the type of a computed number")
    if value.kind == "int" and name in ("int", "long"):
        small = ctx.dialect.between(value, number(-(2**31)), number(2**31 - 1))
        return small if name == "int" else conjunction(value.is_present(), negation(small))
    return value.is_present() if is_called(name, value.kind) else False


def _bits(ctx: Context, node: p.Bits) -> Condition:
    if not -(2**63) <= node.mask < 2**63:
        decline("a bit mask beyond 64 bits")

    def test(value: Value) -> Condition:
        if value.kind != "int":
            return decline(f"bits of {value.kind}") if value.bracket in ("number", "binary") else False
        mask = ctx.literal(node.mask).sql
        common = exp.Paren(this=exp.BitwiseAnd(this=value.sql, expression=mask))
        wanted, against = _BITS[node.op]
        return wanted(this=common, expression=mask if against else number(0))

    return _at(ctx, node.path, lambda value: _scalar_or_element(ctx, value, test))


_BITS: dict[str, tuple[Maker, bool]] = {
    "$bitsAllSet": (exp.EQ, True),
    "$bitsAllClear": (exp.EQ, False),
    "$bitsAnySet": (exp.NEQ, False),
    "$bitsAnyClear": (exp.NEQ, True),
}


def _truth(ctx: Context, node: p.Truth) -> Condition:
    return comparing.truth(ctx.value(node.expr))


def _sample_rate(ctx: Context, node: p.SampleRate) -> Condition:
    return exp.LT(this=call("random"), expression=ctx.literal(float(node.rate)).sql)


_RENDERERS: dict[type[p.Predicate], Callable[[Context, Any], Condition]] = {
    p.Constant: _constant,
    p.And: _and,
    p.Or: _or,
    p.Not: _not,
    p.Compare: _compare,
    p.In: _in,
    p.Exists: _exists,
    p.HasType: _has_type,
    p.Regex: _regex,
    p.Mod: _mod,
    p.Size: _size,
    p.All: _all,
    p.ElemMatch: _elem_match,
    p.Bits: _bits,
    p.Truth: _truth,
    p.SampleRate: _sample_rate,
}


def may_fail(node: p.Predicate) -> bool:
    """Whether evaluating it on some value can raise, so that it must not see rows filtered before."""
    return any(isinstance(part, p.Truth) for part in node.walk())
