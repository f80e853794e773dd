"""The doors of the parsing package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xrepo_nb.query.expressions import Expr
from xrepo_nb.query.parsing import pipelines, projections, sorts, updates
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.filters import filter_document, predicate_of
from xrepo_nb.query.parsing.limits import MAX_VALUES, check_bounds
from xrepo_nb.query.parsing.values import copied, fail, kind, split_path
from xrepo_nb.query.plan import Plan, SortKey
from xrepo_nb.query.predicates import EVERYTHING, Compare, Predicate, conjunction
from xrepo_nb.query.updates import Update

Filter = Any
"""What is taken where a filter is: None, a document in MongoDB's or Django's style, a
`Predicate`, or what the builder `F` makes."""


def parse_filter(
    given: Filter,
    *,
    at: str = "filter",
    fields: Iterable[str] = (),
    variables: Iterable[str] = (),
) -> Predicate:
    """The predicate that a filter asks.

    `fields` are the names that the collection has: `{"a__b": 1}` means the field of that name
    when it is one, and otherwise `b` within `a`. `variables` may be named as `$$name` in `$expr`.

    Raises `XRepoQueryError` with the place and the nearest right name; `XRepoLimitError` past
    a bound.

    >>> parse_filter({"age": {"$gte": 18}}) == parse_filter({"age__gte": 18})
    True
    """
    if given is None:
        return EVERYTHING
    ready = predicate_of(given)
    if ready is not None:
        return ready
    if not isinstance(given, (dict, Mapping)):
        fail(
            f"a filter is a document or a condition, not {kind(given)}",
            at,
            hint="a list of stages is a pipeline: aggregate([...]), or pipeline=[...]"
            if isinstance(given, (list, tuple))
            else 'write {"age": {"$gt": 30}} or F("age") > 30',
        )
    check_bounds(given, at)
    return filter_document(given, at, Scope(variables, fields))


def parse_equal(values: Mapping[str, Any]) -> Predicate:
    """The predicate that fields equal given values, all of them data.

    For values that come from outside: a document whose keys begin with `$` is refused instead
    of being read as operators.

    >>> parse_equal({"name": {"$ne": None}})
    Traceback (most recent call last):
        ...
    xrepo_nb.core.errors.XRepoQueryError: a value holds the operator '$ne' (at filter.name). \
Hint: pass operators through a filter
    """
    check_bounds(values, "filter")
    equal = []
    for name, value in values.items():
        at = f"filter.{name}"
        if isinstance(value, (dict, Mapping)):
            operator = next((key for key in value if str(key).startswith("$")), None)
            if operator is not None:
                fail(f"a value holds the operator {operator!r}", at, hint="pass operators through a filter")
        equal.append(Compare(split_path(name, at), "$eq", copied(value, at), at=at))
    return conjunction(equal)


def parse_pipeline(
    stages: Sequence[Mapping[str, Any]],
    start: Plan,
    *,
    at: str = "pipeline",
    fields: Iterable[str] = (),
    variables: Iterable[str] = (),
) -> Plan:
    """The plan of a pipeline over `start`.

    `$match` also takes what `parse_filter` does; `fields` and `variables` mean the same as there.

    >>> from xrepo_nb.query.plan import Scan
    >>> parse_pipeline([{"$limit": 5}], Scan("users"))
    Limit(input=Scan(source='users'), count=5)
    """
    if isinstance(stages, (dict, Mapping)):
        stages = [stages]
    if not isinstance(stages, Sequence) or isinstance(stages, (str, bytes)):
        fail(f"a pipeline is a list of stages, not {kind(stages)}", at)
    check_bounds(stages, at)
    return pipelines.pipeline(stages, start, at, Scope(variables, fields))


def parse_expression(value: Any, *, at: str = "expression", variables: Iterable[str] = ()) -> Expr:
    """The node of a value expression.

    >>> parse_expression({"$add": ["$a", 1]}).op
    '$add'
    """
    check_bounds([value], at)
    return expression(value, at, Scope(variables))


def parse_projection(
    given: Any,
    predicate: Predicate | None = None,
    *,
    variables: Iterable[str] = (),
) -> tuple[projections.Fields, bool]:
    """The `fields` and `inclusive` of a `Project`, from a find projection or a list of names.

    `predicate` is the filter beside it, for positional `path.$`. Nothing given keeps all.
    """
    check_bounds([given], "projection")
    return projections.find_projection(given, predicate, "projection", Scope(variables))


def parse_sort(given: Any) -> tuple[SortKey, ...]:
    """The keys of `{"a": 1}`, `[("a", -1)]`, `"a"` or `["-a", "b"]`, for a find.

    `{"$natural": 1}` means the order in which the rows stand, -1 the reverse.

    >>> parse_sort("-age")
    (SortKey(path=('age',), descending=True),)
    """
    return sorts.find_order(given, "sort")


def parse_update(given: Any, array_filters: Any = None) -> Update:
    """The node of an update document, a replacement document or an update pipeline."""
    check_bounds([given, array_filters], "update", MAX_VALUES)
    return updates.update_of(given, array_filters, "update")
