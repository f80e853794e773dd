"""`$group`: rows by key, one accumulated row a key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document.accumulators import Aggregate, compile_accumulator
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.values import hash_key
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, FieldRef, Literal

Groups = list[tuple[Any, list[Row]]]
"""The keys with their rows, in the order met first."""


@stage(p.Group)
def group(node: p.Group, context: Context) -> Run:
    parts = grouping(node.key, context)
    outputs = compile_outputs(node.accumulators)

    def run(rows: Rows) -> Rows:
        for key, members in parts(rows):
            yield accumulated(key, members, outputs, context)

    return run


def compile_outputs(accumulators: Iterable[p.Accumulator]) -> list[tuple[str, Aggregate]]:
    """The accumulators by the names of their outputs."""
    return [(node.name, compile_accumulator(node)) for node in accumulators]


def accumulated(key: Any, rows: list[Row], outputs: list[tuple[str, Aggregate]], context: Context) -> Row:
    """The row of one group."""
    out = {"_id": key}
    for name, aggregate in outputs:
        out[name] = aggregate(rows, context.variables, key)
    return out


def grouping(key: Expr | None, context: Context) -> Any:
    """Splits rows by the key expression, a missing key counting as null."""
    if key is None or isinstance(key, Literal):
        value = None if key is None else key.value
        return lambda rows: [(value, found)] if (found := list(rows)) else []
    if isinstance(key, FieldRef) and len(key.path) == 1:
        return lambda rows: _by_field(rows, key.path[0])
    evaluate, variables = compile_expression(key), context.variables
    return lambda rows: _by_value(rows, lambda row: evaluate(row, variables))


def _by_field(rows: Rows, name: str) -> Groups:
    """Groups by a field whose values are mostly plain text and numbers, which hash as they are."""
    found: dict[Any, list[Row]] = defaultdict(list)
    keys: dict[Any, Any] = {}
    for row in rows:
        value = row.get(name)
        kind = type(value)
        if kind is str or kind is int:
            found[value].append(row)
        else:
            hashed = hash_key(value)
            found[hashed].append(row)
            keys.setdefault(hashed, value)
    return [(keys.get(hashed, hashed), members) for hashed, members in found.items()]


def _by_value(rows: Rows, read: Any) -> Groups:
    found: dict[Any, tuple[Any, list[Row]]] = {}
    for row in rows:
        value = read(row)
        hashed = hash_key(None if value is MISSING else value)
        group = found.get(hashed)
        if group is None:
            found[hashed] = (None if value is MISSING else value, [row])
        else:
            group[1].append(row)
    return list(found.values())
