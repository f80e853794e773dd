"""Updates: how documents are changed, engine-free and immutable.

Paths are split like all others; the steps `"$"` (the element that the filter matched),
`"$[]"` (all elements) and `"$[name]"` (the elements that the array filter `name` selects)
stand for array positions. No field name in an update path begins with `$`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from xrepo_nb.core.frozen import frozen
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.plan import Plan, SortKey
from xrepo_nb.query.predicates import Predicate


@frozen
class Update:
    """Base of the three kinds of update."""


@frozen
class Replacement(Update):
    """The document takes the place of the old one; `_id` stays."""

    document: dict[str, Any]


@frozen
class PipelineUpdate(Update):
    """Each document passes through `plan`, stages over `Input`."""

    plan: Plan


@frozen
class Change:
    """Base of single changes; `path` is what changes."""

    path: Path
    at: str = field(default="", compare=False, kw_only=True)


@frozen
class FieldUpdate(Update):
    """Changes of single fields, on paths that do not touch each other, in the order written.

    `array_filters` gives each `$[name]` its condition: a predicate over a document whose only
    field is `name`, so that `{"name": {"$gt": 3}}` and `{"name.grade": 5}` both just match.
    """

    changes: tuple[Change, ...]
    array_filters: tuple[tuple[str, Predicate], ...] = ()


@frozen
class SetValue(Change):
    """`$set`, and `$setOnInsert` (`on_insert`: only in an upsert that inserts)."""

    value: Any
    on_insert: bool = False


@frozen
class UnsetField(Change):
    """`$unset`: removes the field; an array element becomes null."""


@frozen
class Rename(Change):
    """`$rename`: moves the value to `target`."""

    target: Path


@frozen
class Arithmetic(Change):
    """`op` is one of `$inc $mul $min $max`, with a constant."""

    op: str
    value: Any


@frozen
class CurrentDate(Change):
    """`$currentDate`: a date, or a BSON timestamp."""

    timestamp: bool = False


@frozen
class Bit(Change):
    """`$bit`: `operations` in order, each `and`, `or` or `xor` with an integer."""

    operations: tuple[tuple[str, int], ...]


@frozen
class Push(Change):
    """`$push`: adds `values` (at `position`, negative from the end), then sorts, then slices.

    `sort`: None, 1 or -1 for whole elements, or keys within documents.
    """

    values: tuple[Any, ...]
    position: int | None = None
    slice: int | None = None
    sort: int | tuple[SortKey, ...] | None = None


@frozen
class AddToSet(Change):
    """`$addToSet`: adds the `values` that are not there yet."""

    values: tuple[Any, ...]


@frozen
class Pop(Change):
    """`$pop`: removes the last element, or the first."""

    first: bool = False


@frozen
class PullAll(Change):
    """`$pullAll`, and `$pull` of a plain value: removes elements equal to one of `values`."""

    values: tuple[Any, ...]


@frozen
class Pull(Change):
    """`$pull` with a condition.

    With `on_values` the predicate's paths are `()`, the element itself; otherwise elements are
    documents and paths are within them (others stay).
    """

    predicate: Predicate
    on_values: bool
