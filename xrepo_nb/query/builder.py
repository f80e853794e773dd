"""`F`: conditions in Python's own operators, for people who prefer them to documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoQueryError, closest
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.parsing.filters import type_name
from xrepo_nb.query.parsing.limits import ATOMS, check_bounds, checked_depth
from xrepo_nb.query.parsing.lookups import lookup_predicate
from xrepo_nb.query.parsing.patterns import pattern_parts
from xrepo_nb.query.parsing.values import whole
from xrepo_nb.query.plan import SortKey
from xrepo_nb.query.text import predicate_text

_NOT_FIELDS = ("__", "_repr_", "_ipython_")
"""What Python and notebooks look for on any object; such fields are named by path."""


class Condition:
    """What a row must satisfy. Combine conditions with `&`, `|` and `~`.

    Taken wherever a filter is. `predicate` is the node that engines run.

    >>> (F.age > 30) & ~(F.city == "Rome")
    Condition {$and: [{age: {$gt: 30}}, {city: {$ne: 'Rome'}}]}
    """

    __slots__ = ("depth", "predicate")

    def __init__(self, predicate: p.Predicate, depth: int = 1) -> None:
        self.predicate = predicate
        self.depth = checked_depth(depth, "F")
        """Levels of conditions within each other, at most."""

    def __and__(self, other: Condition) -> Condition:
        items = (*_parts(self, p.And), *_parts(other, p.And))
        return Condition(p.And(items), max(_below(self, p.And), _below(other, p.And)) + 1)

    def __or__(self, other: Condition) -> Condition:
        items = (*_parts(self, p.Or), *_parts(other, p.Or))
        return Condition(p.Or(items), max(_below(self, p.Or), _below(other, p.Or)) + 1)

    def __invert__(self) -> Condition:
        item = self.predicate
        if isinstance(item, p.Not):
            return Condition(item.item, self.depth - 1)
        return Condition(p.Not(item), self.depth + 1)

    def __bool__(self) -> NoReturn:
        raise XRepoQueryError(
            "a condition is neither true nor false by itself",
            hint="join conditions with & | ~ (each in parentheses), not with and, or, not, <x<",
        )

    def __repr__(self) -> str:
        return f"Condition {predicate_text(self.predicate)}"


def _parts(given: object, kind: type[p.And] | type[p.Or]) -> tuple[p.Predicate, ...]:
    if not isinstance(given, Condition):
        raise XRepoQueryError(
            f"a condition cannot be joined with {type(given).__name__}",
            hint='write (F("a") > 1) & (F("b") < 2), with parentheses',
        )
    item = given.predicate
    return item.items if isinstance(item, (p.And, p.Or)) and isinstance(item, kind) else (item,)


def _below(given: Condition, kind: type[p.And] | type[p.Or]) -> int:
    """The levels of the parts."""
    return given.depth - isinstance(given.predicate, kind)


class FieldBuilder:
    """One field, by its dotted path; compare it to make a `Condition`.

    Values are data: a document given as a value is compared as a document, and refused when it
    holds operators. `None` stands for null and missing, as in filters. Nested fields by
    attribute, `F.address.city`, or by path, `F("address.city")`; a name that is a method here
    only by path.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getattr__(self, name: str) -> FieldBuilder:
        if name.startswith(_NOT_FIELDS):
            raise AttributeError(name)
        return FieldBuilder((*self._path, name))

    def __getitem__(self, step: str | int) -> FieldBuilder:
        return FieldBuilder((*self._path, *str(step).split(".")))

    def _lookup(self, name: str, value: Any) -> Condition:
        if type(value) not in ATOMS:
            if isinstance(value, FieldBuilder):
                raise self._computed(f"{self!r} is compared with another field")
            check_bounds([value], repr(self))
        return Condition(lookup_predicate(self._path, name, value, repr(self)))

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]
        return self._lookup("exact", value)

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]
        return self._lookup("ne", value)

    def __lt__(self, value: Any) -> Condition:
        return self._lookup("lt", value)

    def __le__(self, value: Any) -> Condition:
        return self._lookup("lte", value)

    def __gt__(self, value: Any) -> Condition:
        return self._lookup("gt", value)

    def __ge__(self, value: Any) -> Condition:
        return self._lookup("gte", value)

    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> SortKey:
        """The field as the key of a sort, descending: `sort=[F.city, -F.age]`."""
        return SortKey(self._path, descending=True)

    def __and__(self, other: object) -> NoReturn:
        raise XRepoQueryError(
            f"the field {'.'.join(self._path)!r} is joined as if it were a condition",
            hint='put each comparison in parentheses: (F("a") > 1) & (F("b") < 2)',
        )

    __rand__ = __or__ = __ror__ = __and__

    def _computed(self, problem: str) -> XRepoQueryError:
        return XRepoQueryError(
            problem, hint='write an expression: {"$expr": {"$gt": ["$a", {"$add": ["$b", 1]}]}}'
        )

    def _calculate(self, other: object) -> NoReturn:
        raise self._computed(f"{self!r} is calculated with, and F makes conditions only")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _calculate
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __pow__ = _calculate

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """A method that there is none of was taken for a nested field, and is called."""
        methods = [name for name in vars(FieldBuilder) if not name.startswith("_")]
        near = closest(self._path[-1], methods)
        hint = f"did you mean {near!r}?" if near else "what is computed stands in a pipeline: repo.aggregate"
        raise XRepoQueryError(
            f"a field has no method {self._path[-1]!r}", asked=self._path[-1], exists=methods, hint=hint
        )

    def __bool__(self) -> NoReturn:
        raise XRepoQueryError(
            f"the field {'.'.join(self._path)!r} is no condition", hint="compare it: F.name == value"
        )

    def is_in(self, values: Iterable[Any]) -> Condition:
        """Equals one of the values."""
        return self._lookup("in", list(values))

    def not_in(self, values: Iterable[Any]) -> Condition:
        """Equals none of the values."""
        return self._lookup("nin", list(values))

    def between(self, low: Any, high: Any) -> Condition:
        """From `low` to `high`, both included."""
        return self._lookup("range", [low, high])

    def is_null(self, null: bool = True) -> Condition:
        """Is null or missing; with False, is neither."""
        return self._lookup("isnull", null)

    def exists(self, present: bool = True) -> Condition:
        """Is there, be it null."""
        return self._lookup("exists", present)

    def contains(self, text: str, ignore_case: bool = False) -> Condition:
        """The string contains the text."""
        return self._lookup("icontains" if ignore_case else "contains", text)

    def starts_with(self, text: str, ignore_case: bool = False) -> Condition:
        """The string begins with the text."""
        return self._lookup("istartswith" if ignore_case else "startswith", text)

    def ends_with(self, text: str, ignore_case: bool = False) -> Condition:
        """The string ends with the text."""
        return self._lookup("iendswith" if ignore_case else "endswith", text)

    def matches(self, pattern: str | re.Pattern[str], ignore_case: bool = False) -> Condition:
        """The string matches the regular expression somewhere."""
        if isinstance(pattern, re.Pattern):
            return Condition(p.Regex(self._path, *pattern_parts(pattern, repr(self)), at=repr(self)))
        return self._lookup("iregex" if ignore_case else "regex", pattern)

    def has(self, value: Any) -> Condition:
        """The array holds the value."""
        return self._lookup("exact", value)

    def has_any(self, values: Iterable[Any]) -> Condition:
        """The array holds at least one of the values."""
        return self._lookup("in", list(values))

    def has_all(self, values: Iterable[Any]) -> Condition:
        """The array holds every one of the values."""
        items = tuple(self._lookup("exact", value).predicate for value in values)
        return Condition(p.All(self._path, items))

    def has_none(self, values: Iterable[Any]) -> Condition:
        """The array holds none of the values."""
        return self._lookup("nin", list(values))

    def any_element(self, condition: Condition) -> Condition:
        """Some one element of an array of documents satisfies the whole condition."""
        return Condition(p.ElemMatch(self._path, condition.predicate, False), condition.depth + 1)

    def has_size(self, length: int) -> Condition:
        """The array has so many elements."""
        return Condition(p.Size(self._path, whole(length, "a size", repr(self), least=0)))

    def has_type(self, *types: str) -> Condition:
        """The value is of one of the BSON types, by name."""
        return Condition(p.HasType(self._path, tuple(type_name(name, repr(self)) for name in types)))

    def __repr__(self) -> str:
        return f"F({'.'.join(self._path)!r})"


class _Fields:
    """`F("a.b")` or `F.a.b`: the field of that path."""

    __slots__ = ()

    def __call__(self, path: str) -> FieldBuilder:
        if not isinstance(path, str) or not path:
            raise XRepoQueryError("F takes the path of a field", asked=path, hint='write F("age")')
        return FieldBuilder(tuple(path.split(".")))

    def __getattr__(self, name: str) -> FieldBuilder:
        if name.startswith(_NOT_FIELDS):
            raise AttributeError(name)
        return FieldBuilder((name,))

    def __repr__(self) -> str:
        return "F"


F = _Fields()
"""The builder of conditions.

>>> F("age") > 30
Condition {age: {$gt: 30}}
>>> F.city.is_in(["Rome", "Oslo"])
Condition {city: {$in: ['Rome', 'Oslo']}}
"""
