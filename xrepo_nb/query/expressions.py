"""Expressions: what a pipeline computes, engine-free and immutable.

Parsing turns MongoDB's documents into these nodes; engines interpret or lower them.
A node compares by value; `at`, the place in the query text, is for messages only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields
from typing import Any, TypeVar

from xrepo_nb.core.frozen import frozen

Path = tuple[str, ...]
"""A dotted field path, split: `("address", "city")`."""


Node = TypeVar("Node")

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
            yield from held(getattr(self, name), Expr)

    def walk(self) -> Iterator[Expr]:
        """This expression and all below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


def held(value: Any, kind: type[Node]) -> Iterator[Node]:
    """The nodes of a kind that an attribute is or, in tuples however deep, holds."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from held(item, kind)


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


ROOTS = frozenset({"ROOT", "CURRENT"})
"""The variables that are the document."""
SYSTEM_VARIABLES = ROOTS | {"NOW", "REMOVE"}
REDACT_VARIABLES = frozenset({"DESCEND", "PRUNE", "KEEP"})
"""What there is in `$redact` besides."""


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


class Options:
    """What calls, accumulators and operators of windows have in common: named arguments."""

    __slots__ = ()

    options: tuple[tuple[str, Expr], ...]

    def option(self, name: str) -> Expr | None:
        """The named argument, or None when it was not given."""
        return next((value for key, value in self.options if key == name), None)

    def needed(self, name: str) -> Expr:
        """The named argument, which the parser has seen to be there."""
        found = self.option(name)
        assert found is not None, name
        return found

    def constant(self, name: str) -> Any:
        """The value of the named argument; None when it was not given, or is not constant."""
        found = self.option(name)
        return found.value if isinstance(found, Literal) else None


@frozen
class Call(Expr, Options):
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


@frozen
class Let(Expr):
    """`$let`: binds variables, each seen by `body` only."""

    variables: tuple[tuple[str, Expr], ...]
    body: Expr
