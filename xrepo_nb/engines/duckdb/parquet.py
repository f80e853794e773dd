"""Parquet files as DuckDB reads them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType

if TYPE_CHECKING:
    from sqlglot import exp

_STORAGE = {
    "string": "TEXT", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "datetime": "TIMESTAMP",
    "date": "DATE", "time": "TIME", "binary": "BLOB", "uuid": "BLOB", "objectid": "BLOB",
}  # fmt: skip


def columns_of(table: Table, row: str | None) -> list[exp.Expression]:
    """The columns of the files in their kinds' storage, and the one that numbers the rows."""
    from sqlglot import exp

    made: list[exp.Expression] = []
    for field in table.schema.fields:
        column: exp.Expression = exp.Column(this=exp.to_identifier(field.name, quoted=True))
        to = _storage(field.type)
        if to is not None:
            column = exp.Cast(this=column, to=exp.DataType.build(to, dialect="duckdb"))
        made.append(exp.Alias(this=column, alias=exp.to_identifier(field.name, quoted=True)))
    if row is not None:
        number = exp.Anonymous(this="row_number", expressions=[])
        made.append(exp.Alias(this=exp.Window(this=number), alias=exp.to_identifier(row, quoted=True)))
    return made


def _storage(type_: DataType) -> str | None:
    """What to cast to; None where the file's own type serves (decimals, nested values of such)."""
    if type_.kind == "array":
        inner = _storage(type_.item) if type_.item else None
        return f"{inner}[]" if inner else None
    return _STORAGE.get(type_.kind)
