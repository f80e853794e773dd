"""`$group`: rows by key, one accumulated row a key.

Works by columns: the keys of all rows, then each accumulator's values of all rows, dealt out to
the groups. So every row is visited in its place in memory, and most steps are single calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document.accumulators import PLAIN, VALUES, Aggregate, column, compile_accumulator
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.values import hash_key
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, FieldRef, Literal

_KEYS = frozenset({str, int, type(None)})


class Groups:
    """Rows by the values of a key expression: the keys in the order met first, for each row the number
    of its group, and the columns of rows that have been read."""

    __slots__ = ("columns", "keys", "numbers", "rows")

    def __init__(
        self, rows: list[Row], values: Sequence[Any], columns: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        self.columns = columns or {}
        hashed = values
        if not set(map(type, values)) <= _KEYS:
            values = [None if value is MISSING else value for value in values]
            hashed = list(map(hash_key, values))
        order = {key: i for i, key in enumerate(dict.fromkeys(hashed))}
        self.rows = rows
        self.keys = list(order)
        self.numbers = [order[key] for key in hashed]
        if hashed is not values:
            first = dict(zip(reversed(hashed), reversed(values), strict=True))
            self.keys = [first[key] for key in order]

    def dealt(self, items: Iterable[Any]) -> list[list[Any]]:
        """Items, one a row, as one list a group."""
        out: list[list[Any]] = [[] for _ in self.keys]
        for number, item in zip(self.numbers, items, strict=True):
            out[number].append(item)
        return out


Accumulate = Callable[[Groups, Mapping[str, Any]], Sequence[Any]]
"""The values of an accumulator for all groups."""


@stage(p.Group)
def group(node: p.Group, context: Context) -> Run:
    variables = context.variables
    outputs = [(output.name, _accumulate(output)) for output in node.accumulators]
    names = ["_id", *(name for name, _ in outputs)]
    fields = {name: None for name in map(_field, _read_whole(node)) if name is not None}
    keys, key = column(node.key), _field(node.key)

    def run(rows: Rows) -> Iterator[Row]:
        members = list(rows)
        spend(len(members) * len(names))
        found = _columns(members, list(fields))
        groups = Groups(members, keys(members, variables) if key is None else found[key], found)
        columns = [accumulate(groups, variables) for _, accumulate in outputs]
        return (dict(zip(names, values, strict=True)) for values in zip(groups.keys, *columns, strict=True))

    return run


def _read_whole(node: p.Group) -> Iterator[Expr]:
    """What is read of all rows: the key, and the arguments of accumulators that work by columns."""
    yield node.key
    for output in node.accumulators:
        if output.op in VALUES:
            yield output.args[0]


def _field(expr: Expr) -> str | None:
    """The name of a top-level field."""
    return expr.path[0] if isinstance(expr, FieldRef) and len(expr.path) == 1 else None


def _columns(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[Any]]:
    """The values of fields, read in one visit to each row: rows lie far apart in memory."""
    if len(names) < 2:
        return {name: [row.get(name, MISSING) for row in rows] for name in names}
    try:
        read = list(map(itemgetter(*names), rows))
    except KeyError:
        read = [tuple([row.get(name, MISSING) for name in names]) for row in rows]
    return {name: [values[at] for values in read] for at, name in enumerate(names)}


def _accumulate(node: p.Accumulator) -> Accumulate:
    if node.op == "$sum" and isinstance(node.args[0], Literal) and type(node.args[0].value) is int:
        return _counted(node.args[0].value)
    if node.op in VALUES:
        return placed(_reduced(node.op, node.args[0]), node.at)
    aggregate = compile_accumulator(node)
    return lambda groups, variables: [
        aggregate(rows, variables, key)
        for rows, key in zip(groups.dealt(groups.rows), groups.keys, strict=True)
    ]


def _reduced(op: str, argument: Expr) -> Accumulate:
    """An accumulator of values; of a column of one plain type, by the shortest way for that."""
    general, name, read = VALUES[op], _field(argument), column(argument)

    def accumulate(groups: Groups, variables: Mapping[str, Any]) -> Sequence[Any]:
        values = read(groups.rows, variables) if name is None else groups.columns[name]
        kinds = set(map(type, values))
        reduce = PLAIN.get((op, kinds.pop()), general) if len(kinds) == 1 else general
        return list(map(reduce, groups.dealt(values)))

    return accumulate


def _counted(weight: int) -> Accumulate:
    """`{$sum: 1}` and its like: how many rows, times the number."""

    def accumulate(groups: Groups, variables: Mapping[str, Any]) -> Sequence[Any]:
        sizes = Counter(groups.numbers)
        return [numbers.multiply(weight, sizes[i]) for i in range(len(groups.keys))]

    return accumulate


def compile_outputs(accumulators: Iterable[p.Accumulator]) -> list[tuple[str, Aggregate]]:
    """The accumulators of buckets by the names of their outputs."""
    return [(node.name, compile_accumulator(node)) for node in accumulators]


def accumulated(key: Any, rows: list[Row], outputs: list[tuple[str, Aggregate]], context: Context) -> Row:
    """The row of one bucket."""
    out = {"_id": key}
    for name, aggregate in outputs:
        out[name] = aggregate(rows, context.variables, key)
    return out


def split(rows: Rows, key: Expr | None, context: Context) -> list[tuple[Any, list[Row]]]:
    """The rows by the key expression, a missing key counting as null; together without one."""
    members = list(rows)
    if key is None:
        return [(None, members)] if members else []
    groups = Groups(members, column(key)(members, context.variables))
    return list(zip(groups.keys, groups.dealt(members), strict=True))
