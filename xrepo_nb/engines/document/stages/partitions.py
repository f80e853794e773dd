"""Partitions of rows in order: what window functions, `$fill` and `$densify` work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.sorting import sort_reader, sort_rows
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows
from xrepo_nb.engines.document.stages.groups import split
from xrepo_nb.query.plan import Fill, SetWindowFields, SortKey


def partitions(node: SetWindowFields | Fill, context: Context) -> Callable[[Rows], Iterator[list[Row]]]:
    """Splits rows by the stage's expression and sorts each part; parts come in the order of their keys."""
    keys = node.keys
    ordered = placed(lambda rows: sort_rows(rows, keys), node.at)

    def run(rows: Rows) -> Iterator[list[Row]]:
        found = split(rows, node.partition_by, context)
        for key, _ in found:
            if isinstance(key, list):
                raise XRepoQueryError("a partition is not by an array", at=node.at)
        for _, members in sorted(found, key=lambda part: v.key(part[0])):
            yield ordered(members) if keys else members

    return run


def sort_values(rows: list[Row], key: SortKey) -> list[Any]:
    """The values of a sort key over rows."""
    return list(map(sort_reader(key.path), rows))
