"""Predicates: what a filter selects, engine-free and immutable.

They have MongoDB's match semantics, which differ from those of expressions: a path walks
into arrays and any element may match, `None` matches null and missing, and ordered
comparisons stay within one BSON type. An empty path `()` is the element itself (`$elemMatch`
on scalars).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from xrepo_nb.core.frozen import frozen
from xrepo_nb.query.expressions import Expr, Path, attributes, held


@frozen
class Predicate:
    """Base of all predicates."""

    def children(self) -> Iterator[Predicate]:
        """The predicates directly below this one."""
        for name in attributes(type(self), "Predicate"):
            yield from held(getattr(self, name), Predicate)

    def walk(self) -> Iterator[Predicate]:
        """This predicate and all below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


@frozen
class Constant(Predicate):
    """Matches every row or none: the empty filter, `$alwaysTrue`, `$alwaysFalse`."""

    value: bool


EVERYTHING = Constant(True)
NOTHING = Constant(False)


@frozen
class And(Predicate):
    """All of `items`; empty means everything."""

    items: tuple[Predicate, ...]


def conjunction(items: Iterable[Predicate]) -> Predicate:
    """All of the items, in the simplest form.

    >>> conjunction([EVERYTHING]) is EVERYTHING, conjunction([]) is EVERYTHING
    (True, True)
    """
    found = tuple(items)
    if len(found) == 1:
        return found[0]
    return And(found) if found else EVERYTHING


@frozen
class Or(Predicate):
    """Any of `items`."""

    items: tuple[Predicate, ...]


@frozen
class Not(Predicate):
    """Negation: also of `$ne` (Not Compare $eq), `$nin` (Not In), `$nor` (Not Or)."""

    item: Predicate


@frozen
class Compare(Predicate):
    """`op` is one of `$eq $gt $gte $lt $lte`."""

    path: Path
    op: str
    value: Any
    at: str = field(default="", compare=False)


@frozen
class In(Predicate):
    """Equal to one of `values`; a compiled pattern (`re.Pattern`) among them matches strings."""

    path: Path
    values: tuple[Any, ...]
    at: str = field(default="", compare=False)


@frozen
class Exists(Predicate):
    """The path is there, be it null (`present`), or is not."""

    path: Path
    present: bool


@frozen
class HasType(Predicate):
    """`types`: BSON type names (`"double"`, `"string"`, ..., `"number"`)."""

    path: Path
    types: tuple[str, ...]


@frozen
class Regex(Predicate):
    """`options`: letters out of `imsxu`, sorted."""

    path: Path
    pattern: str
    options: str = ""
    at: str = field(default="", compare=False)


@frozen
class Mod(Predicate):
    """Number, truncated, modulo `divisor` is `remainder`."""

    path: Path
    divisor: int
    remainder: int


@frozen
class Size(Predicate):
    """The value is an array of `length` elements."""

    path: Path
    length: int


@frozen
class ElemMatch(Predicate):
    """Some one element of the array satisfies `predicate`.

    With `on_values` the predicate's paths are `()`, the element itself; otherwise the
    elements are documents (or arrays) and paths are within them.
    """

    path: Path
    predicate: Predicate
    on_values: bool


@frozen
class All(Predicate):
    """`$all`: every one of `items` (predicates on the same path) holds; empty matches nothing."""

    path: Path
    items: tuple[Predicate, ...]


@frozen
class Bits(Predicate):
    """`op` is one of `$bitsAllSet $bitsAllClear $bitsAnySet $bitsAnyClear`; `mask` an int."""

    path: Path
    op: str
    mask: int


@frozen
class JsonSchema(Predicate):
    """The document (or the value at `path`) satisfies a `$jsonSchema`."""

    schema: Any
    path: Path = ()


@frozen
class Truth(Predicate):
    """`$expr`: the expression is true by MongoDB's rule (not false, null, missing or zero)."""

    expr: Expr


@frozen
class SampleRate(Predicate):
    """`$sampleRate`: each row by itself with this probability."""

    rate: float
