"""From expression nodes to closures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.expressions.registry import FUNCTIONS, SPECIALS, Evaluate, Variables
from xrepo_nb.engines.document.limits import MAX_DEPTH, exceeded
from xrepo_nb.engines.document.meter import spend, weighed
from xrepo_nb.engines.document.paths import getter, value_getter
from xrepo_nb.engines.document.places import FAILURES, at_place, placed
from xrepo_nb.engines.document.values import copied, hash_key
from xrepo_nb.query import expressions as e
from xrepo_nb.query.expressions import REDACT_VARIABLES

_MODULES = (
    "arithmetic", "arrays", "bits", "comparison", "control", "conversion", "dates", "objects", "sets",
    "statistics", "strings", "trigonometry", "patterns",
)  # fmt: skip


def compile_expression(expression: e.Expr) -> Evaluate:
    """The expression as a function of a document and a mapping of variables.

    The value is `MISSING` when there is none. Compiling costs microseconds a node. The mapping
    gives `user` variables, those of `let`, and `NOW`; without `NOW` the clock is read.

    Raises `XRepoQueryError` for an unknown operator; the function raises it when the operator
    fails on its arguments.

    >>> half = e.Call("$divide", (e.FieldRef(("price",)), e.Literal(2)))
    >>> compile_expression(half)({"price": 3}, {})
    1.5
    """
    _load()
    try:
        return weighed(expression.walk(), _compile(expression))
    except RecursionError:
        exceeded("the depth of an expression", MAX_DEPTH)


@cache
def _load() -> None:
    """Lets all operators enter themselves."""
    for name in _MODULES:
        import_module(f"xrepo_nb.engines.document.expressions.{name}")


def _compile(expression: e.Expr) -> Evaluate:
    compiler = _COMPILERS.get(type(expression))
    if compiler is None:
        raise XRepoQueryError(f"no such expression here: {type(expression).__name__}")
    return compiler(expression)


def _literal(node: e.Literal) -> Evaluate:
    return _constant(node.value)


def _constant(value: Any) -> Evaluate:
    if isinstance(value, (dict, list)):
        return lambda document, variables: copied(value)
    return lambda document, variables: value


def _field(node: e.FieldRef) -> Evaluate:
    if len(node.path) == 1:
        name = node.path[0]
        return lambda document, variables: document.get(name, MISSING)
    read = getter(node.path)
    return lambda document, variables: read(document)


def _variable(node: e.Variable) -> Evaluate:
    find = _find_variable(node.name)
    if not node.path:
        return find
    read = value_getter(node.path)
    return lambda document, variables: read(find(document, variables))


def _find_variable(name: str) -> Evaluate:
    if name == "REMOVE":
        return lambda document, variables: MISSING
    if name == "NOW":
        return lambda document, variables: variables["NOW"] if "NOW" in variables else now()
    if name in ("ROOT", "CURRENT"):
        return lambda document, variables: variables.get(name, document)
    if name in REDACT_VARIABLES:
        return lambda document, variables: name

    def find(document: Any, variables: Variables) -> Any:
        try:
            return variables[name]
        except KeyError:
            raise XRepoQueryError(f"undefined variable '$${name}'", asked=name, exists=variables) from None

    return find


def now() -> dt.datetime:
    """The time, in the milliseconds that a date has."""
    time = dt.datetime.now(dt.UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _document(node: e.DocumentExpr) -> Evaluate:
    items = [(name, _compile(item)) for name, item in node.items]

    def build(document: Any, variables: Variables) -> Any:
        found = ((name, evaluate(document, variables)) for name, evaluate in items)
        return {name: value for name, value in found if value is not MISSING}

    return build


def _array(node: e.ArrayExpr) -> Evaluate:
    items = [_compile(item) for item in node.items]

    def build(document: Any, variables: Variables) -> Any:
        found = [evaluate(document, variables) for evaluate in items]
        return [None if value is MISSING else value for value in found]

    return build


def _let(node: e.Let) -> Evaluate:
    bindings = [(name, _compile(item)) for name, item in node.variables]
    body = _compile(node.body)

    def evaluate(document: Any, variables: Variables) -> Any:
        bound = {name: value(document, variables) for name, value in bindings}
        return body(document, {**variables, **bound})

    return evaluate


def _among(needle: e.Expr, items: list[Any]) -> Evaluate:
    """Whether a value is one of many constants, looked up and not searched for."""
    evaluate, known = _compile(needle), frozenset(map(hash_key, items))
    return lambda document, variables: hash_key(evaluate(document, variables)) in known


def _constants(array: e.Expr) -> list[Any] | None:
    """The elements of an array that is the same for all documents."""
    if isinstance(array, e.Literal):
        return array.value if isinstance(array.value, list) else None
    if isinstance(array, e.ArrayExpr) and all(isinstance(item, e.Literal) for item in array.items):
        return [item.value for item in array.items if isinstance(item, e.Literal)]
    return None


def _call(node: e.Call) -> Evaluate:
    if node.op == "$in" and (items := _constants(node.args[1])) is not None:
        return _among(node.args[0], items)
    made = SPECIALS.get(node.op)
    evaluate = _plain_call(node) if made is None else _special_call(node, made)
    return _constant(evaluate({}, {})) if _is_constant(node) else evaluate


def _special_call(node: e.Call, made: Callable[[e.Call, Callable[[e.Expr], Evaluate]], Evaluate]) -> Evaluate:
    """An operator that evaluates its arguments itself. Those without options only choose among
    them, and cannot fail."""
    evaluate = made(node, _compile)
    return placed(evaluate, node.at) if node.options else evaluate


def _plain_call(node: e.Call) -> Evaluate:
    function = FUNCTIONS.get(node.op)
    if function is None:
        raise XRepoQueryError(
            f"unknown operator {node.op!r}", at=node.at, asked=node.op, exists=sorted({*FUNCTIONS, *SPECIALS})
        )
    if node.options:
        return _named(function, [(name, _compile(item)) for name, item in node.options], node.at)
    return _applied(function, [_compile(item) for item in node.args], node.at)


def _is_constant(expression: e.Expr) -> bool:
    """Whether the value depends on nothing, so that it, or its error, is known before any row."""
    if isinstance(expression, e.Call):
        return expression.op not in _VOLATILE and all(map(_is_constant, expression.children()))
    return isinstance(expression, e.Literal)


_VOLATILE = frozenset({"$rand"})


def _named(function: Callable[..., Any], options: list[tuple[str, Evaluate]], at: str) -> Evaluate:
    def evaluate(document: Any, variables: Variables) -> Any:
        try:
            return function(**{name: value(document, variables) for name, value in options})
        except FAILURES as error:
            raise at_place(error, at) from None

    return evaluate


def _applied(function: Callable[..., Any], args: list[Evaluate], at: str) -> Evaluate:
    """The function of the arguments' values, which tells the place of an error; one closure a
    number of arguments, because calls are what evaluation costs."""
    if len(args) == 1:
        return _applied_to_one(function, args[0], at)
    if len(args) == 2:
        return _applied_to_two(function, args[0], args[1], at)

    def evaluate(document: Any, variables: Variables) -> Any:
        spend(len(args))
        try:
            return function(*[arg(document, variables) for arg in args])
        except FAILURES as error:
            raise at_place(error, at) from None

    return evaluate


def _applied_to_one(function: Callable[..., Any], arg: Evaluate, at: str) -> Evaluate:
    def evaluate(document: Any, variables: Variables) -> Any:
        try:
            return function(arg(document, variables))
        except FAILURES as error:
            raise at_place(error, at) from None

    return evaluate


def _applied_to_two(function: Callable[..., Any], left: Evaluate, right: Evaluate, at: str) -> Evaluate:
    def evaluate(document: Any, variables: Variables) -> Any:
        try:
            return function(left(document, variables), right(document, variables))
        except FAILURES as error:
            raise at_place(error, at) from None

    return evaluate


_COMPILERS: dict[type[e.Expr], Callable[[Any], Evaluate]] = {
    e.Literal: _literal,
    e.FieldRef: _field,
    e.Variable: _variable,
    e.DocumentExpr: _document,
    e.ArrayExpr: _array,
    e.Call: _call,
    e.Let: _let,
}
