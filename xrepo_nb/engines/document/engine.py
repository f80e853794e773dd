"""DocumentEngine: the exact interpreter behind `engine="document"`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoLimitError
from xrepo_nb.engines.base import Inputs
from xrepo_nb.engines.document.limits import MAX_DEPTH, exceeded
from xrepo_nb.engines.document.meter import metered
from xrepo_nb.engines.document.stages import Context, compile_plan
from xrepo_nb.engines.document.stages.compile import Row, Rows
from xrepo_nb.engines.document.values import copied, owned
from xrepo_nb.engines.document.variables import constants
from xrepo_nb.query import plan as p
from xrepo_nb.schema.collecting import uncollected
from xrepo_nb.schema.table import Table


class DocumentEngine:
    """Runs every plan over Python documents with MongoDB's exact semantics.

    The inputs' documents are read, never changed, and the results share no container with them.
    Costs microseconds a row and stage.

    >>> rows = Table(documents=[{"city": "Oslo", "n": 2}, {"city": "Rome", "n": 3}])
    >>> plan = p.Sort(p.Scan("trips"), (p.SortKey(("n",), descending=True),))
    >>> DocumentEngine().collect(plan, {"trips": rows}).documents[0]
    {'city': 'Rome', 'n': 3}
    """

    name = "document"

    def supports(self, plan: p.Plan, inputs: Inputs) -> str | None:
        """None for every plan but one that writes (`Out`, `Merge`), which the repos apply."""
        if any(isinstance(node, (p.Out, p.Merge)) for node in plan.walk()):
            return "$out and $merge are applied to their target, not computed"
        return None

    def collect(self, plan: p.Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None) -> Table:
        """The result as documents. Blocking.

        Raises `XRepoQueryError` when the query fails on the data, `XRepoLimitError` past a bound.
        """
        with uncollected(), metered():
            return Table(documents=list(_rows(plan, inputs, variables, _whole)))

    def stream(
        self, plan: p.Plan, inputs: Inputs, batch_size: int, variables: Mapping[str, Any] | None = None
    ) -> Iterator[Table]:
        """The result in batches. Stages that choose or shape single rows hold one batch at a
        time, of frames too; those that need all rows hold all."""
        rows = _rows(plan, inputs, variables, _in_slices)
        while batch := _next(rows, batch_size):
            yield Table(documents=batch)


def _next(rows: Iterator[Row], count: int) -> list[Row]:
    """The next rows; the bounds on time and memory hold for each batch."""
    with metered():
        return list(islice(rows, count))


def _whole(table: Table) -> Rows:
    return table.documents


def _in_slices(table: Table) -> Rows:
    """The documents of a table, those of a frame made as they are read."""
    if not table.is_frame:
        yield from table.documents
        return
    from xrepo_nb.schema.documents import SLICE, to_documents

    for start in range(0, table.frame.height, SLICE):
        yield from to_documents(table.frame, table.schema, start, start + SLICE)


def _rows(
    plan: p.Plan, inputs: Inputs, variables: Mapping[str, Any] | None, read: Callable[[Table], Rows]
) -> Iterator[Row]:
    def scan(source: str) -> Rows:
        if source not in inputs:
            raise XRepoConfigurationError(f"no rows for {source!r}", asked=source, exists=inputs)
        return read(inputs[source])

    try:
        context = Context(scan, constants(variables))
        yield from map(_owner(plan), compile_plan(plan, context)(()))
    except RecursionError:
        exceeded("the depth of a query or a document", MAX_DEPTH)
    except MemoryError:
        raise XRepoLimitError("the query needs more memory than there is", hint="ask for less") from None


_CHOOSING = (p.Match, p.Sort, p.Limit, p.Skip, p.Sample)
_MAKING = (
    p.Project,
    p.AddFields,
    p.Group,
    p.Bucket,
    p.BucketAuto,
    p.Facet,
    p.SetWindowFields,
    p.Fill,
    p.Lookup,
)


def _owner(plan: p.Plan) -> Callable[[Row], Row]:
    """What cuts a row of the result off from the inputs: for rows that the plan made, only what
    lies in them."""
    while isinstance(plan, _CHOOSING):
        plan = plan.input
    return owned if isinstance(plan, _MAKING) else copied
