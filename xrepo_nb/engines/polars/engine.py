"""The Polars engine: a whole plan as one lazy frame, collected once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.core.frozen import frozen
from xrepo_nb.engines.base import Inputs
from xrepo_nb.engines.document.meter import deadline, metered
from xrepo_nb.engines.document.variables import constants
from xrepo_nb.engines.growth import outgrows
from xrepo_nb.engines.polars import expressions, join, stages
from xrepo_nb.engines.polars.encoding import codes_for
from xrepo_nb.engines.polars.frame import Frame, empty_scan, finish, scan, settle
from xrepo_nb.engines.polars.planning import Lowering
from xrepo_nb.engines.polars.reasons import Close, Inexact
from xrepo_nb.engines.polars.running import how_to_run, keeps_order
from xrepo_nb.engines.select import get_engine
from xrepo_nb.engines.typed.reasons import Unsupported, decline
from xrepo_nb.query.plan import Plan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

_REGISTERED = (expressions, join, stages)

# What the strict casts within a lowered plan raise when an int leaves 64 bits, and a join whose keys
# repeat where `validate` forbids it.
INEXACT = (Inexact, RecursionError, pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError)


def lower(
    plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None, notes: list[str] | None = None
) -> tuple[pl.LazyFrame, Schema]:
    """The plan as one lazy frame, and the schema of its result. Reads no rows but for facts.

    `notes` collects what runs in the interpreter. Raises `Unsupported` where no exact lowering is known.
    """
    return finish(lower_frame(plan, inputs, variables, notes).frame)


@frozen
class Lowered:
    """A plan as a frame, with what the columns mean still apart from them, and how many of its joins find
    their rows by place."""

    frame: Frame
    placed: int


def lower_frame(
    plan: Plan,
    inputs: Inputs,
    variables: Mapping[str, Any] | None = None,
    notes: list[str] | None = None,
    *,
    shifted: bool = False,
) -> Lowered:
    """Like `lower`, not yet finished; `shifted` is `Lowering`'s."""
    grown = outgrows(plan, inputs)
    if grown is not None:
        decline(grown)
    notes = [] if notes is None else notes
    ordered = keeps_order(plan, inputs)
    codes = codes_for(plan, inputs)

    def rows(name: str) -> Frame:
        return scan(inputs[name]).with_codes(codes.get(name, {}))

    files = frozenset(name for name, table in inputs.items() if table.is_lazy)
    lowering = Lowering(rows, constants(variables), notes, ordered=ordered, files=files, shifted=shifted)
    try:
        with metered():
            frame = lowering.frame(plan)
    except RecursionError:
        return decline("a plan that is nested too deeply")
    return Lowered(frame, len(lowering.placed))


_ID = re.compile(r": [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class PolarsEngine:
    """Runs plans over typed columns, vectorised.

    >>> from xrepo_nb.query import plan as p, predicates as q
    >>> people = Table(frame=pl.DataFrame({"name": ["Ann", "Bob"], "age": [41, 17]}))
    >>> adults = p.Match(p.Scan("people"), q.Compare(("age",), "$gte", 18))
    >>> PolarsEngine().collect(adults, {"people": people}).documents
    [{'name': 'Ann', 'age': 41}]
    """

    name = "polars"

    def supports(self, plan: Plan, inputs: Inputs) -> str | None:
        """None when the plan lowers over these schemas, else the reason why not."""
        grown = outgrows(plan, inputs)
        if grown is not None:
            return grown
        lowering = Lowering(lambda name: _known(inputs[name]), constants(None))
        try:
            lowering.frame(plan)
        except Unsupported as declined:
            return declined.reason
        except RecursionError:
            return "a plan that is nested too deeply"
        return None

    def collect(self, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None) -> Table:
        """The result as a frame. Raises `XRepoUnsupportedError` where `supports` gives a reason."""
        with metered():
            return self._run(self._lowered(plan, inputs, variables), plan, inputs, variables)

    def prepare(
        self, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None
    ) -> Callable[[], Table] | str:
        """The plan lowered over these inputs, to be run once; or the reason why it cannot be."""
        try:
            with metered():
                until = deadline()
                lowered = lower_frame(plan, inputs, variables)
        except Unsupported as declined:
            return declined.reason

        def run() -> Table:
            with metered(until=until):
                return self._run(lowered, plan, inputs, variables)

        return run

    def _run(
        self, lowered: Lowered, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None
    ) -> Table:
        """The rows of a lowered plan.

        Rows that break an assumption (an int sum past 64 bits, a zero divisor) are found by
        guards within the frame; the interpreter then runs the plan, for the exact answer or error, in
        the time that is left. Of numbers close together the plan is lowered once more.
        """
        try:
            how = how_to_run(plan, inputs, placed=lowered.placed)
            try:
                rows = lowered.frame.lazy.collect(engine=how)
            except Close:
                lowered = lower_frame(plan, inputs, variables, shifted=True)
                rows = lowered.frame.lazy.collect(engine=how)
            return settle(rows, lowered.frame.columns)
        except INEXACT:
            return get_engine("document").collect(plan, inputs, variables)

    def stream(
        self, plan: Plan, inputs: Inputs, batch_size: int, variables: Mapping[str, Any] | None = None
    ) -> Iterator[Table]:
        """The result in batches, by Polars' streaming engine."""
        lazy, schema = finish(self._lowered(plan, inputs, variables).frame)
        given = 0

        def again() -> pl.LazyFrame:
            return finish(lower_frame(plan, inputs, variables, shifted=True).frame)[0]

        try:
            for batch in _batches(lazy, again, batch_size):
                given += batch.height
                yield Table(frame=batch, schema=schema)
        except INEXACT:
            rows = get_engine("document").collect(plan, inputs, variables).documents
            for start in range(given, len(rows), batch_size):
                yield Table(documents=rows[start : start + batch_size], schema=schema)

    def notes(self, plan: Plan, inputs: Inputs) -> list[str]:
        """Which operators run in the interpreter inside the frame, and why, in the order of stages."""
        notes: list[str] = []
        frames = {name: table.schema for name, table in inputs.items()}
        Lowering(lambda name: empty_scan(frames[name]), constants(None), notes).frame(plan)
        return notes

    def native(self, plan: Plan, inputs: Inputs) -> str:
        """Polars' own optimised query plan, the same each time: without the ids that it draws."""
        return _ID.sub("", str(self._lowered(plan, inputs, None).frame.lazy.explain()))

    def _lowered(self, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None) -> Lowered:
        try:
            return lower_frame(plan, inputs, variables)
        except Unsupported as declined:
            raise XRepoUnsupportedError(
                f"the polars engine cannot run this plan: {declined.reason}",
                hint='leave engine="auto", which picks an engine that can',
            ) from None


def _batches(
    lazy: pl.LazyFrame, again: Callable[[], pl.LazyFrame] | None, size: int
) -> Iterator[pl.DataFrame]:
    """The rows in batches; from `again` where numbers are close together, unless some were given already."""
    given = False
    try:
        for batch in lazy.collect_batches(chunk_size=size, maintain_order=True):
            if batch.height:
                given = True
                yield batch
        return
    except Close:
        if given or again is None:
            raise
    yield from _batches(again(), None, size)


def _known(table: Table) -> Frame:
    """What is known of a table without reading a source: its rows, or only its schema."""
    return scan(table) if table.is_frame and not table.is_lazy else empty_scan(table.schema)
