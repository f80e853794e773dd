"""Accumulators of groups and operators of windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xrepo_nb.query.expressions import Call, Expr, Literal
from xrepo_nb.query.operators import ACCUMULATORS, Signature
from xrepo_nb.query.parsing.constants import CONSTANTS
from xrepo_nb.query.parsing.expressions import Scope, apply, expression
from xrepo_nb.query.parsing.sorts import sort_keys
from xrepo_nb.query.parsing.values import document, fail, field_name, kind, unknown, whole
from xrepo_nb.query.plan import Accumulator

Arguments = tuple[tuple[Expr, ...], tuple[tuple[str, Expr], ...]]


def outputs(given: Any, what: str, at: str, scope: Scope) -> tuple[Accumulator, ...]:
    """The accumulators of a document of outputs."""
    return tuple(
        accumulator(name, value, f"{at}.{name}", scope) for name, value in document(given, what, at).items()
    )


def accumulator(name: str, given: Any, at: str, scope: Scope) -> Accumulator:
    """One output `{name: {op: argument}}`."""
    field_name(name, at)
    if not isinstance(given, (dict, Mapping)):
        fail(f"the field {name!r} is no accumulator", at, hint='write {"total": {"$sum": "$price"}}')
    if len(given) != 1:
        fail(f"the field {name!r} needs exactly one accumulator", at)
    ((op, argument),) = given.items()
    here = f"{at}.{op}"
    signature = ACCUMULATORS.get(op)
    if signature is None:
        unknown("accumulator", op, ACCUMULATORS, here)
    if isinstance(argument, (list, tuple)):
        fail(f"{op} takes one expression, not a list", here, asked=op)
    args, options = arguments(op, signature, argument, here, scope)
    return Accumulator(name, op, args, options, here)


def arguments(op: str, signature: Signature, given: Any, at: str, scope: Scope) -> Arguments:
    """The arguments of an accumulator: one expression, or named options."""
    if signature.least == signature.most == 1:
        return (expression(given, at, scope),), ()
    node = apply(op, signature, given, at, scope)
    check = CONSTANTS.get(op)
    if check is not None:
        check(node, at)
    if "sortBy" in signature.options:
        _check_order(node, at)
    if "n" in signature.required:
        check_count(node, at)
    return node.args, node.options


def _check_order(node: Call, at: str) -> None:
    value = node.constant("sortBy")
    if not isinstance(value, (dict, Mapping)):
        fail(f"sortBy of {node.op} takes a document, not {kind(value)}", f"{at}.sortBy")
    if not sort_keys(value, f"{at}.sortBy"):
        fail("a sort needs at least one key", f"{at}.sortBy")


def check_count(node: Call, at: str) -> None:
    """Refuses a constant `n` that is no positive whole number."""
    count = node.option("n")
    if isinstance(count, Literal):
        whole(count.value, f"n of {node.op}", f"{at}.n", least=1)
