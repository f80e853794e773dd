"""The DuckDB engine: a whole plan as one SQL statement, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.engines.base import Inputs
from xrepo_nb.engines.document.meter import metered
from xrepo_nb.engines.document.variables import constants
from xrepo_nb.engines.duckdb.failures import data_failure, failure, is_close
from xrepo_nb.engines.duckdb.frames import to_table
from xrepo_nb.engines.duckdb.inputs import register
from xrepo_nb.engines.duckdb.session import ending, session
from xrepo_nb.engines.growth import outgrows
from xrepo_nb.engines.select import get_engine
from xrepo_nb.query.plan import Join, Plan
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.engines.sql.render import Rendered


class DuckDBEngine:
    """Runs plans as SQL, and spills to disk what passes the memory limit of the settings.

    Frames are handed over without a copy; files of Parquet that a table names as its `origin`
    are read by DuckDB itself, never as a whole.

    >>> import polars as pl
    >>> from xrepo_nb.query import plan as p, predicates as q
    >>> people = Table(frame=pl.DataFrame({"name": ["Ann", "Bob"], "age": [41, 17]}))
    >>> adults = p.Match(p.Scan("people"), q.Compare(("age",), "$gte", 18))
    >>> DuckDBEngine().collect(adults, {"people": people}).documents
    [{'name': 'Ann', 'age': 41}]
    """

    name = "duckdb"

    def supports(self, plan: Plan, inputs: Inputs) -> str | None:
        """None when SQL says the plan exactly over these schemas, else the reason why not."""
        from xrepo_nb.engines.sql.render import supports

        schemas = _schemas(plan, inputs)
        reason = outgrows(plan, inputs) or supports(plan, "duckdb", schemas, variables=constants(None))
        return reason or _multiplies(plan, inputs)

    def collect(self, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None) -> Table:
        """The result as a frame.

        A check within the statement that fails (an int past 64 bits, a zero divisor) leads to
        the interpreter, for the exact answer or error, where the rows are in memory, else to
        `XRepoQueryError`. Raises `XRepoUnsupportedError` where `supports` gives a reason.
        """
        with metered():
            try:
                try:
                    return _collected(plan, inputs, variables)
                except Exception as error:
                    if not is_close(error):
                        raise
                return _collected(plan, inputs, variables, shifted=True)
            except Exception as error:
                if not _is_for_the_interpreter(error, plan, inputs):
                    raise failure(error) from None
            return get_engine("document").collect(plan, inputs, variables)

    def stream(
        self, plan: Plan, inputs: Inputs, batch_size: int, variables: Mapping[str, Any] | None = None
    ) -> Iterator[Table]:
        """The result in batches, each made when it is asked for."""
        given = 0
        try:
            for batch in _batches(plan, inputs, batch_size, variables):
                given += len(batch)
                yield batch
            return
        except Exception as error:
            if not _is_for_the_interpreter(error, plan, inputs):
                raise failure(error) from None
        rows = get_engine("document").collect(plan, inputs, variables).documents
        for start in range(given, len(rows), batch_size):
            yield Table(documents=rows[start : start + batch_size])


def _collected(
    plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None, *, shifted: bool = False
) -> Table:
    with _running(plan, inputs, variables, shifted=shifted) as (answer, rendered):
        return to_table(answer.to_arrow_table(), rendered.schema, rendered.constants)


def _batches(
    plan: Plan,
    inputs: Inputs,
    batch_size: int,
    variables: Mapping[str, Any] | None,
    *,
    shifted: bool = False,
) -> Iterator[Table]:
    begun = False
    try:
        with _running(plan, inputs, variables, shifted=shifted) as (answer, rendered):
            for batch in answer.to_arrow_reader(batch_size):
                if batch.num_rows:
                    begun = True
                    yield to_table(batch, rendered.schema, rendered.constants)
        return
    except Exception as error:
        if begun or not is_close(error):
            raise
    yield from _batches(plan, inputs, batch_size, variables, shifted=True)


@contextmanager
def _running(
    plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None, *, shifted: bool = False
) -> Iterator[tuple[Any, Rendered]]:
    """The statement's answer, not yet fetched, and the statement."""
    from xrepo_nb.engines.sql.render import render

    schemas = _schemas(plan, inputs)
    grown = outgrows(plan, inputs) or _multiplies(plan, inputs)
    if grown is not None:
        raise XRepoUnsupportedError(f"the duckdb engine cannot run this plan: {grown}", asked=grown)
    with session([inputs[name] for name in schemas]) as connection:
        tables, order = register(connection, plan, {name: inputs[name] for name in schemas})
        rendered = render(
            plan,
            "duckdb",
            schemas,
            tables=tables,
            order=order,
            variables=constants(variables),
            shifted=shifted,
        )
        with ending(connection):
            yield connection.sql(rendered.sql, params=rendered.params or None), rendered


def _multiplies(plan: Plan, inputs: Inputs) -> str | None:
    """Why its joins are too large; they would spill to disk until the query's time is over."""
    if not any(isinstance(node, Join) for node in plan.walk()):
        return None
    from xrepo_nb.engines.polars.fanout import multiplies

    return multiplies(plan, inputs)


def _schemas(plan: Plan, inputs: Inputs) -> dict[str, Schema]:
    missing = [name for name in plan.sources() if name not in inputs]
    if missing:
        raise XRepoUnsupportedError(f"no rows for {missing[0]!r}", asked=missing[0], exists=inputs)
    return {name: inputs[name].schema for name in plan.sources()}


def _is_for_the_interpreter(error: Exception, plan: Plan, inputs: Inputs) -> bool:
    """Whether the interpreter gives the exact answer, or error, over rows that are in memory."""
    return data_failure(error) is not None and not any(inputs[name].is_lazy for name in plan.sources())
