"""Tables as DuckDB sees them: frames registered without a copy, Parquet files by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.engines.duckdb.frames import in_microseconds, inner_dtype
from xrepo_nb.engines.duckdb.session import origin
from xrepo_nb.query import plan as q
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from sqlglot import exp

ROW = "#row"
"""The column that numbers the rows of a scan."""

_UNORDERED = (q.Scan, q.Match, q.Project, q.AddFields, q.Unset, q.Limit, q.Skip, q.ReplaceRoot)


def needs_order(plan: q.Plan) -> bool:
    """Whether a stage needs to know in which order the rows came.

    Filters, projections and limits keep it by themselves.
    """
    from xrepo_nb.engines.sql.accumulators import ORDERED

    for node in plan.walk():
        if isinstance(node, q.Group):
            if any(a.op in ORDERED for a in node.accumulators):
                return True
        elif not isinstance(node, _UNORDERED):
            return True
    return False


def register(
    connection: Any, plan: q.Plan, tables: Mapping[str, Table]
) -> tuple[dict[str, exp.Expression], dict[str, str]]:
    """The tables of a plan's scans, and the column that numbers the rows of each, if needed."""
    from sqlglot import exp

    numbered = needs_order(plan)
    made: dict[str, exp.Expression] = {}
    for i, (name, table) in enumerate(tables.items()):
        if origin(table):
            made[name] = _files(table, numbered)
            continue
        view = f"input{i}"
        connection.register(view, _arrow(table, numbered))
        made[name] = exp.select("*").from_(exp.to_identifier(view, quoted=True))
    return made, dict.fromkeys(tables, ROW) if numbered else {}


def _arrow(table: Table, numbered: bool) -> Any:
    """The frame in DuckDB's storage; only columns that are stored otherwise are copied."""
    import pyarrow as pa

    from xrepo_nb.engines.sql.relation import physical

    frame = table.frame
    names = physical(frame.columns)
    columns = [
        _stored(frame.get_column(field.name), field).alias(names[field.name])
        for field in table.schema.fields
        if field.type.is_typed
    ]
    if numbered or not columns:
        columns.append(pl.int_range(len(table), eager=True, dtype=pl.Int64).alias(ROW))
    # Views of text as they are: the default would copy it into another layout.
    made = pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.newest())
    wanted = pa.schema([item.with_type(in_microseconds(item.type)) for item in made.schema])
    return made if made.schema == wanted else made.cast(wanted, safe=False)


def _stored(series: pl.Series, field: Any) -> pl.Series:
    dtype = inner_dtype(field.type, series.dtype)
    return series if series.dtype == dtype else series.cast(dtype)


def _files(table: Table, numbered: bool) -> exp.Expression:
    from sqlglot import exp

    from xrepo_nb.engines.duckdb.parquet import columns_of

    paths = exp.Array(expressions=[exp.Literal.string(path) for path in origin(table)])
    source = exp.Anonymous(this="read_parquet", expressions=[paths])
    return exp.select(*columns_of(table, ROW if numbered else None)).from_(source)
