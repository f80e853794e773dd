"""The types of a DuckDB table: their kinds, and the casts that bring each to its kind's storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xrepo_nb.schema.schema import Index, Schema
from xrepo_nb.schema.types import DataType, Field, Kind

if TYPE_CHECKING:
    from sqlglot import exp

_KINDS: dict[str, tuple[Kind, str]] = {
    **dict.fromkeys(
        ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger"), ("int", "BIGINT")
    ),
    **dict.fromkeys(("float", "double"), ("float", "DOUBLE")),
    **dict.fromkeys(
        ("timestamp", "timestamp with time zone", "timestamp_s", "timestamp_ms", "timestamp_ns"),
        ("datetime", "TIMESTAMP"),
    ),
    "varchar": ("string", "TEXT"),
    "boolean": ("bool", "BOOLEAN"),
    "date": ("date", "DATE"),
    "time": ("time", "TIME"),
    "blob": ("binary", "BLOB"),
    "uuid": ("uuid", "BLOB"),
    "enum": ("string", "TEXT"),
}


def describe(connection: Any, table: str) -> Schema:
    """The schema of a table or view."""
    from sqlglot import exp

    name = exp.Table(this=exp.to_identifier(table, quoted=True))
    shape = connection.sql(exp.select("*").from_(name).limit(0).sql("duckdb"))
    constraints = connection.execute(
        "SELECT constraint_type, constraint_column_names FROM duckdb_constraints()"
        " WHERE table_name = ? AND schema_name = 'main' ORDER BY constraint_index",
        [table],
    ).fetchall()
    required = {c for kind, names in constraints if kind == "NOT NULL" for c in names}
    keys = next((tuple(names) for kind, names in constraints if kind == "PRIMARY KEY"), ())
    given = _with_default(connection, table)
    columns = zip(shape.columns, shape.types, strict=True)
    fields = [_field(column, native, column in required, column in given) for column, native in columns]
    unique = [tuple(names) for kind, names in constraints if kind == "UNIQUE"]
    indexes = [Index(f"unique_{'_'.join(names)}", names, True) for names in unique]
    return Schema(tuple(fields), table, keys, (*indexes, *_indexes(connection, table)))


def _with_default(connection: Any, table: str) -> set[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns()"
        " WHERE table_name = ? AND schema_name = 'main' AND column_default IS NOT NULL",
        [table],
    ).fetchall()
    return {column for (column,) in rows}


def _indexes(connection: Any, table: str) -> list[Index]:
    rows = connection.execute(
        "SELECT index_name, expressions, is_unique FROM duckdb_indexes()"
        " WHERE table_name = ? AND schema_name = 'main' ORDER BY index_name",
        [table],
    ).fetchall()
    return [Index(name, _columns(text), unique) for name, text, unique in rows]


def _columns(text: str) -> tuple[str, ...]:
    """The columns in DuckDB's list of an index's expressions: `[a, '"b c"']`."""
    parts = text.strip("[]").split(", ")
    return tuple(part.strip("'").strip('"') for part in parts)


def _field(name: str, native: Any, required: bool, generated: bool) -> Field:
    type_, read_as = _type(native), _storage(native)
    enum = tuple(dict(native.children)["values"]) if native.id == "enum" else None
    extra: tuple[tuple[str, Any], ...] = (("native_type", str(native)),)
    if read_as is not None:
        extra = (*extra, ("read_as", read_as))
    if generated:
        extra = (*extra, ("generated", True))
    return Field(name, type_ or DataType("string"), "never" if required else "null", enum=enum, extra=extra)


def _type(native: Any) -> DataType | None:
    """The kind of a native type, None for one that is served as text."""
    if native.id == "decimal":
        return DataType("decimal")
    if native.id in ("list", "array"):
        item = _type(native.children[0][1])
        return None if item is None else DataType("array", item=item)
    if native.id == "struct":
        inner = [(name, _type(child)) for name, child in native.children]
        if any(type_ is None for _, type_ in inner):
            return None
        return DataType("object", tuple(Field(name, type_) for name, type_ in inner if type_ is not None))
    return DataType(_KINDS[native.id][0]) if native.id in _KINDS else None


def _storage(native: Any) -> str | None:
    """What a column must be cast to, None when it is in its kind's storage already."""
    if _type(native) is None:
        return "TEXT"
    whole = _spelled(native)
    return None if whole == str(native).upper().replace("VARCHAR", "TEXT") else whole


def _spelled(native: Any) -> str:
    if native.id == "decimal":
        return str(native)
    if native.id in ("list", "array"):
        return _spelled(native.children[0][1]) + "[]"
    if native.id == "struct":
        inner = ", ".join(f"{_quoted(name)} {_spelled(child)}" for name, child in native.children)
        return f"STRUCT({inner})"
    return _KINDS[native.id][1]


def _quoted(name: str) -> str:
    from sqlglot import exp

    return exp.to_identifier(name, quoted=True).sql("duckdb")


def is_text_only(field: Field) -> bool:
    """Whether the column is shown as text for want of a kind, and so cannot be written."""
    known = dict(field.extra)
    native = str(known.get("native_type", ""))
    return known.get("read_as") == "TEXT" and not native.startswith(("VARCHAR", "ENUM", "JSON"))


def selection(schema: Schema, table: str, row: str | None = None) -> exp.Select:
    """The table with each column in its kind's storage; those that are already stay bare.

    With `row` its own row numbers come along under that name."""
    from sqlglot import exp

    columns: list[exp.Expression] = []
    for field in schema.fields:
        column: exp.Expression = exp.Column(this=exp.to_identifier(field.name, quoted=True))
        to = dict(field.extra).get("read_as")
        if to is not None:
            cast = exp.Cast(this=column, to=exp.DataType.build(to, dialect="duckdb"))
            column = exp.Alias(this=cast, alias=exp.to_identifier(field.name, quoted=True))
        columns.append(column)
    if row is not None:
        number = exp.Column(this=exp.to_identifier("rowid"))
        columns.append(exp.Alias(this=number, alias=exp.to_identifier(row, quoted=True)))
    return exp.select(*columns).from_(exp.Table(this=exp.to_identifier(table, quoted=True)))
