"""Expressions: what a pipeline computes, engine-free and immutable.

Parsing turns MongoDB's documents into these nodes; engines interpret or lower them.
A node compares by value; `at`, the place in the query text, is for messages only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields
from typing import Any

from xrepo_nb.core.frozen import frozen

Path = tuple[str, ...]
"""A dotted field path, split: `("address", "city")`."""


_ATTRIBUTES: dict[tuple[type, str], tuple[str, ...]] = {}


def attributes(kind: type, holding: str) -> tuple[str, ...]:
    """The names of those attributes of a node class whose type names `holding`."""
    found = _ATTRIBUTES.get((kind, holding))
    if found is None:
        found = tuple(item.name for item in fields(kind) if holding in str(item.type))
        _ATTRIBUTES[kind, holding] = found
    return found


@frozen
class Expr:
    """Base of all value expressions."""

    def children(self) -> Iterator[Expr]:
        """The expressions directly below this one."""
        for name in attributes(type(self), "Expr"):
            yield from _expressions(getattr(self, name))

    def walk(self) -> Iterator[Expr]:
        """This expression and all below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


def _expressions(value: Any) -> Iterator[Expr]:
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _expressions(item)


@frozen
class Literal(Expr):
    """A constant, taken as it is: scalars, lists, documents. Never unhashed by engines."""

    value: Any

    def children(self) -> Iterator[Expr]:
        return iter(())


@frozen
class FieldRef(Expr):
    """`"$a.b"`: a path in the current document; walks into arrays as MongoDB does."""

    path: Path

    def children(self) -> Iterator[Expr]:
        return iter(())


@frozen
class Variable(Expr):
    """`"$$name.path"`: a bound variable (`this`, `value`, of `$let`) or a system one.

    System variables: ROOT, CURRENT, NOW, REMOVE, and in `$redact` DESCEND, PRUNE, KEEP.
    In access rules also `user`.
    """

    name: str
    path: Path = ()

    def children(self) -> Iterator[Expr]:
        return iter(())


@frozen
class DocumentExpr(Expr):
    """`{"a": expr, ...}`: builds a document; fields whose value is missing are left out."""

    items: tuple[tuple[str, Expr], ...]


@frozen
class ArrayExpr(Expr):
    """`[expr, ...]`: builds an array; a missing value becomes null."""

    items: tuple[Expr, ...]


@frozen
class Call(Expr):
    """An operator with its arguments, names as MongoDB writes them.

    Positional arguments stand in `args`, named ones in `options` in canonical order.
    The parser has normalised alternative spellings:
    `$cond` has three args; `$ifNull` any number; `$switch` has args case, then, case, then ...
    and option `default`; `$map`, `$filter`, `$reduce`, `$sortArray`, `$regex*`, `$date*`,
    `$convert`, `$getField`, `$setField`, `$zip`, `$trim` ... have options, where names of
    variables (`as`), sort documents and flags are `Literal`.
    """

    op: str
    args: tuple[Expr, ...] = ()
    options: tuple[tuple[str, Expr], ...] = ()
    at: str = field(default="", compare=False)

    def option(self, name: str) -> Expr | None:
        """The named argument, or None when it was not given."""
        return next((value for key, value in self.options if key == name), None)


@frozen
class Let(Expr):
    """`$let`: binds variables, each seen by `body` only."""

    variables: tuple[tuple[str, Expr], ...]
    body: Expr
