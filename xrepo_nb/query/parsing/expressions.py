"""Expressions: MongoDB's value expressions into nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from xrepo_nb.query.evaluation import constant
from xrepo_nb.query.expressions import (
    SYSTEM_VARIABLES,
    ArrayExpr,
    Call,
    DocumentExpr,
    Expr,
    FieldRef,
    Let,
    Literal,
    Variable,
)
from xrepo_nb.query.operators import EXPRESSION_NAMES, EXPRESSIONS, MANY, REFUSED, Signature
from xrepo_nb.query.parsing.constants import CONSTANTS
from xrepo_nb.query.parsing.limits import ATOMS
from xrepo_nb.query.parsing.patterns import options_of, pattern_parts
from xrepo_nb.query.parsing.values import (
    copied,
    document,
    fail,
    field_name,
    field_path,
    is_pattern,
    is_text,
    kind,
    named_options,
    string,
    unknown,
)


class Scope:
    """What the parser knows of its surroundings: variables in reach, names of fields.

    Only names with a double underscore matter among `fields`: they are no lookups.
    """

    __slots__ = ("fields", "names")

    def __init__(self, names: Iterable[str] = (), fields: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        self.fields = frozenset(fields)

    def binding(self, *names: str) -> Scope:
        """The scope in which these variables are bound too."""
        return Scope(self.names.union(names), self.fields)

    def knowing(self, *fields: str) -> Scope:
        """The scope in which there are these fields too."""
        return Scope(self.names, self.fields.union(fields)) if fields else self


NOTHING_KNOWN = Scope()


def expression(value: Any, at: str, scope: Scope = NOTHING_KNOWN) -> Expr:
    """The node of any expression value."""
    if type(value) is str or is_text(value):
        return _string(value, at, scope) if value[:1] == "$" else Literal(value)
    if type(value) in ATOMS:
        return Literal(value)
    if isinstance(value, (dict, Mapping)):
        return _document(value, at, scope)
    if isinstance(value, (list, tuple)):
        return array_of([expression(item, f"{at}[{i}]", scope) for i, item in enumerate(value)])
    return value if isinstance(value, Expr) else Literal(copied(value, at))


def array_of(items: list[Expr]) -> Expr:
    """An array of the items, a constant one when all are."""
    if all(isinstance(item, Literal) for item in items):
        return Literal([item.value for item in items if isinstance(item, Literal)])
    return ArrayExpr(tuple(items))


def document_of(items: list[tuple[str, Expr]]) -> Expr:
    """A document of the items, a constant one when all are."""
    if all(isinstance(item, Literal) for _, item in items):
        return Literal({name: item.value for name, item in items if isinstance(item, Literal)})
    return DocumentExpr(tuple(items))


def _string(value: str, at: str, scope: Scope) -> Expr:
    if value[:2] == "$$":
        return _variable(value[2:], at, scope)
    if value == "$":
        fail("'$' alone is no field path", at, hint="write {'$literal': '$'} for the text")
    path = field_path(value[1:], at)
    return Variable("CURRENT", path) if "CURRENT" in scope.names else FieldRef(path)


def _variable(text: str, at: str, scope: Scope) -> Expr:
    name, dot, rest = text.partition(".")
    if not name:
        fail("'$$' alone is no variable", at)
    path = field_path(rest, at) if dot else ()
    if name not in scope.names and name not in SYSTEM_VARIABLES:
        fail(
            f"undefined variable '$${name}'",
            at,
            asked=name,
            exists=sorted(scope.names | SYSTEM_VARIABLES),
        )
    if name == "CURRENT" and path and name not in scope.names:
        return FieldRef(path)
    return Variable(name, path)


def _document(value: Mapping[str, Any], at: str, scope: Scope) -> Expr:
    first = next(iter(value), "")
    if isinstance(first, str) and first[:1] == "$":
        if len(value) > 1:
            fail(f"an expression document has one operator, this has {len(value)} keys", at, asked=first)
        return call(first, value[first], f"{at}.{first}", scope)
    return document_of([(field_name(k, at), expression(v, f"{at}.{k}", scope)) for k, v in value.items()])


def call(op: str, given: Any, at: str, scope: Scope) -> Expr:
    """The node of an operator applied to what stands behind it."""
    special = _SPECIAL.get(op)
    if special is not None:
        return special(op, given, at, scope)
    signature = EXPRESSIONS.get(op)
    if signature is None:
        unknown("expression operator", op, EXPRESSION_NAMES, at)
    node = apply(op, signature, given, at, scope)
    check = CONSTANTS.get(op)
    if check is not None:
        check(node, at)
    return node


def apply(op: str, signature: Signature, given: Any, at: str, scope: Scope) -> Call:
    """The call of an operator whose arguments follow its signature alone."""
    if signature.options:
        return Call(op, (), options(op, signature, given, at, scope), at)
    if signature.most == 0:
        if given != {}:
            fail(f"{op} takes no arguments", at, hint=f'write {{"{op}": {{}}}}')
        return Call(op, (), (), at)
    return Call(op, arguments(op, signature, given, at, scope), (), at)


def arguments(op: str, signature: Signature, given: Any, at: str, scope: Scope) -> tuple[Expr, ...]:
    """The positional arguments, counted; a value that is no array is the only one."""
    if not isinstance(given, (list, tuple)):
        found: tuple[Expr, ...] = (expression(given, at, scope),)
    else:
        found = tuple([expression(item, f"{at}[{i}]", scope) for i, item in enumerate(given)])
    if not signature.least <= len(found) <= signature.most:
        fail(f"{op} takes {_counted(signature)}, not {len(found)}", at, asked=op)
    return found


def _counted(signature: Signature) -> str:
    least, most = signature.least, signature.most
    if least == most:
        return f"{least} argument" + "s" * (least != 1)
    return f"{least} or more arguments" if most == MANY else f"{least} to {most} arguments"


def options(op: str, signature: Signature, given: Any, at: str, scope: Scope) -> tuple[tuple[str, Expr], ...]:
    """The named arguments in canonical order."""
    named = _named(op, signature, given, at)
    named_options(named, op, signature.options, signature.required, at)
    return tuple(
        (name, _option(op, signature, name, named[name], f"{at}.{name}", scope))
        for name in signature.options
        if name in named
    )


def _option(op: str, signature: Signature, name: str, given: Any, at: str, scope: Scope) -> Expr:
    if name in signature.constants:
        return Literal(copied(given, at))
    parsed = expression(given, at, scope)
    return constant(parsed, f"{name} of {op}", at) if name in signature.folded else parsed


def _named(op: str, signature: Signature, given: Any, at: str) -> Mapping[str, Any]:
    lone = signature.lone
    if lone is None:
        return document(given, op, at)
    if isinstance(given, (list, tuple)):
        if len(given) != 1:
            fail(f"{op} takes 1 argument, not {len(given)}", at, asked=op)
        return {lone: given[0]}
    is_named = isinstance(given, (dict, Mapping)) and next(iter(given), "")[:1] != "$"
    return given if is_named else {lone: given}


def _literal(op: str, given: Any, at: str, scope: Scope) -> Expr:
    return Literal(copied(given, at))


def _let(op: str, given: Any, at: str, scope: Scope) -> Expr:
    named = named_options(given, op, ("vars", "in"), ("vars", "in"), at)
    bound = variables(named["vars"], f"{at}.vars", scope)
    inner = scope.binding(*(name for name, _ in bound))
    return Let(bound, expression(named["in"], f"{at}.in", inner))


def variables(given: Any, at: str, scope: Scope) -> tuple[tuple[str, Expr], ...]:
    """The `vars` of `$let`, or the `let` of a stage: names with their expressions."""
    return tuple(
        (variable_name(name, at), expression(value, f"{at}.{name}", scope))
        for name, value in document(given, "a list of variables", at).items()
    )


def variable_name(name: Any, at: str) -> str:
    """A name that a user may bind: it begins with a small letter, or is CURRENT."""
    text = string(name, "the name of a variable", at)
    if text == "CURRENT":
        return text
    first = text[:1]
    if not first or (ord(first) < 128 and not ("a" <= first <= "z")):
        fail(f"the variable {text!r} does not begin with a small letter", at, asked=text)
    if not all(c == "_" or ord(c) >= 128 or c.isalnum() for c in text):
        fail(f"the variable {text!r} has a character that is no letter, digit or '_'", at, asked=text)
    return text


def _each(op: str, given: Any, at: str, scope: Scope) -> Expr:
    """`$map` and `$filter`: `as` names the element in their last expression."""
    named = dict(document(given, op, at))
    name = variable_name(named.pop("as", "this"), f"{at}.as")
    body = "in" if op == "$map" else "cond"
    if body not in named:
        fail(f"{op} needs the option {body!r}", at, asked=op)
    inner = expression(named.pop(body), f"{at}.{body}", scope.binding(name))
    return Call(op, (), _completed(op, named, {"as": Literal(name), body: inner}, at, scope), at)


def _reduce(op: str, given: Any, at: str, scope: Scope) -> Expr:
    named = dict(document(given, op, at))
    if "in" not in named:
        fail("$reduce needs the option 'in'", at, asked=op)
    inner = expression(named.pop("in"), f"{at}.in", scope.binding("this", "value"))
    return Call(op, (), _completed(op, named, {"in": inner}, at, scope), at)


def _completed(
    op: str, named: Mapping[str, Any], done: dict[str, Expr], at: str, scope: Scope
) -> tuple[tuple[str, Expr], ...]:
    whole = EXPRESSIONS[op]
    rest = Signature(
        options=tuple(name for name in whole.options if name not in done),
        required=tuple(name for name in whole.required if name not in done),
    )
    parsed = dict(options(op, rest, named, at, scope)) | done
    return tuple((name, parsed[name]) for name in whole.options if name in parsed)


def _cond(op: str, given: Any, at: str, scope: Scope) -> Expr:
    if isinstance(given, (dict, Mapping)) and not str(next(iter(given), "")).startswith("$"):
        named = dict(options(op, _COND, given, at, scope))
        return Call(op, tuple(named[name] for name in _COND.options), (), at)
    return apply(op, EXPRESSIONS[op], given, at, scope)


_COND = Signature(options=("if", "then", "else"), required=("if", "then", "else"))
_BRANCH = Signature(options=("case", "then"), required=("case", "then"))


def _switch(op: str, given: Any, at: str, scope: Scope) -> Expr:
    named = named_options(given, op, ("branches", "default"), (), at)
    branches = named.get("branches")
    if not isinstance(branches, (list, tuple)) or not branches:
        fail("$switch needs at least one branch", at, hint="branches: [{case: ..., then: ...}]")
    args: list[Expr] = []
    for i, branch in enumerate(branches):
        args += (value for _, value in options("a branch", _BRANCH, branch, f"{at}.branches[{i}]", scope))
    default = named.get("default", _ABSENT)
    rest = () if default is _ABSENT else (("default", expression(default, f"{at}.default", scope)),)
    return Call(op, tuple(args), rest, at)


_ABSENT = object()


def _get_field(op: str, given: Any, at: str, scope: Scope) -> Expr:
    node = apply(op, EXPRESSIONS[op], given, at, scope)
    if node.option("input") is None:
        if isinstance(given, (dict, Mapping)) and "field" in given:
            fail(f"{op} needs the option 'input'", at, hint="name only the field to read this document")
        node = Call(op, (), (*node.options, ("input", Variable("CURRENT"))), at)
    _check_field_name(node, at)
    return node


def _set_field(op: str, given: Any, at: str, scope: Scope) -> Expr:
    node = apply(op, EXPRESSIONS[op], given, at, scope)
    _check_field_name(node, at)
    return node


def _check_field_name(node: Call, at: str) -> None:
    name = node.option("field")
    if isinstance(name, Literal) and not isinstance(name.value, str):
        fail(f"the field of {node.op} is a string, not {kind(name.value)}", f"{at}.field")


def _regex(op: str, given: Any, at: str, scope: Scope) -> Expr:
    """`$regexMatch` and its kin: a constant pattern's own flags become its `options`."""
    named = dict(document(given, op, at))
    regex = named.get("regex")
    if isinstance(regex, (dict, Mapping)) and "$regex" in regex:
        parts = string(regex["$regex"], "$regex", at), options_of(regex.get("$options", ""), at)
    elif is_pattern(regex):
        parts = pattern_parts(regex, at)
    else:
        parts = None
    if parts is not None:
        named["regex"] = {"$literal": parts[0]}
        if parts[1]:
            if named.get("options") is not None:
                fail("options stand both in the pattern and beside it", at)
            named["options"] = parts[1]
    node = apply(op, EXPRESSIONS[op], named, at, scope)
    CONSTANTS[op](node, at)
    return node


def _refused(op: str, given: Any, at: str, scope: Scope) -> Expr:
    unknown("expression operator", op, EXPRESSION_NAMES, at)


_SPECIAL: dict[str, Callable[[str, Any, str, Scope], Expr]] = {
    **dict.fromkeys(REFUSED, _refused),
    "$literal": _literal,
    "$const": _literal,
    "$let": _let,
    "$map": _each,
    "$filter": _each,
    "$reduce": _reduce,
    "$cond": _cond,
    "$switch": _switch,
    "$getField": _get_field,
    "$setField": _set_field,
    "$unsetField": _set_field,
    **dict.fromkeys(("$regexFind", "$regexFindAll", "$regexMatch"), _regex),
}
