"""`$group`: rows by key, one accumulated row a key.

Works by columns: the keys of all rows, then each accumulator's values of all rows, dealt out to
the groups. So every row is visited in its place in memory, and most steps are single calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document.accumulators import PLAIN, VALUES, Aggregate, column, compile_accumulator
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.values import hash_key
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, Literal

_KEYS = frozenset({str, int, type(None)})


class Groups:
    """Rows by the values of a key expression: the keys in the order met first, and for each row
    the number of its group."""

    __slots__ = ("keys", "numbers", "rows")

    def __init__(self, rows: list[Row], values: Sequence[Any]) -> None:
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
    keys, variables = column(node.key), context.variables
    outputs = [(output.name, _accumulate(output)) for output in node.accumulators]
    names = ["_id", *(name for name, _ in outputs)]

    def run(rows: Rows) -> Iterator[Row]:
        members = list(rows)
        spend(len(members) * len(names))
        groups = Groups(members, keys(members, variables))
        columns = [accumulate(groups, variables) for _, accumulate in outputs]
        return (dict(zip(names, values, strict=True)) for values in zip(groups.keys, *columns, strict=True))

    return run


def _accumulate(node: p.Accumulator) -> Accumulate:
    if node.op == "$sum" and isinstance(node.args[0], Literal) and type(node.args[0].value) is int:
        return _counted(node.args[0].value)
    if node.op in VALUES:
        return placed(_reduced(node.op, column(node.args[0])), node.at)
    aggregate = compile_accumulator(node)
    return lambda groups, variables: [
        aggregate(rows, variables, key)
        for rows, key in zip(groups.dealt(groups.rows), groups.keys, strict=True)
    ]


def _reduced(op: str, read: Callable[[Sequence[Row], Mapping[str, Any]], list[Any]]) -> Accumulate:
    """An accumulator of values; of a column of one plain type, by the shortest way for that."""
    general = VALUES[op]

    def accumulate(groups: Groups, variables: Mapping[str, Any]) -> Sequence[Any]:
        values = read(groups.rows, variables)
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
