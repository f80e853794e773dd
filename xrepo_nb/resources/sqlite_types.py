"""What types the columns of a SQLite table really hold, by declaration and by value."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING, Any, NamedTuple

from xrepo_nb.core.plain import moment_of
from xrepo_nb.schema.schema import Index, Schema
from xrepo_nb.schema.types import EXACT, DataType, Field, Kind

if TYPE_CHECKING:
    from sqlglot import exp

_STORAGE: dict[str, Kind] = {"integer": "int", "real": "float", "text": "string", "blob": "binary"}


def describe(connection: sqlite3.Connection, table: str) -> Schema:
    """The schema of a table or view: declarations, keys, and one pass over the values."""
    rows = connection.execute(
        'SELECT name, type, "notnull", pk, dflt_value FROM pragma_table_xinfo(?)'
        " WHERE hidden != 1 ORDER BY cid",
        (table,),
    ).fetchall()
    declared = {name: native.upper() for name, native, *_ in rows}
    ranges = _ranges(connection, table, declared)
    fields = [
        _field(connection, table, name, declared[name], ranges[name], bool(notnull) or bool(pk))
        for name, _, notnull, pk, _ in rows
    ]
    keys = tuple(name for _, name in sorted((pk, name) for name, _, _, pk, _ in rows if pk))
    given = {name for name, *_, default in rows if default is not None}
    if len(keys) == 1 and declared[keys[0]] == "INTEGER":
        given.add(keys[0])  # an alias of SQLite's own row numbers
    fields = [replace(f, extra=(*f.extra, ("generated", True))) if f.name in given else f for f in fields]
    return Schema(tuple(fields), table, primary_key=keys, indexes=_indexes(connection, table))


def _indexes(connection: sqlite3.Connection, table: str) -> tuple[Index, ...]:
    listed = connection.execute(
        'SELECT name, "unique" FROM pragma_index_list(?) WHERE partial = 0 ORDER BY seq', (table,)
    ).fetchall()
    found = []
    for name, unique in listed:
        columns = connection.execute(
            "SELECT name FROM pragma_index_info(?) ORDER BY seqno", (name,)
        ).fetchall()
        if all(column is not None for (column,) in columns):
            found.append(Index(name, tuple(column for (column,) in columns), bool(unique)))
    return tuple(found)


class Range(NamedTuple):
    """The least and greatest storage class among a column's values, and whether nulls occur.

    By name blob < integer < real < text, so that the two tell which classes there are as far
    as it matters: one only, integers and reals, or something else.
    """

    low: str | None
    high: str | None
    nulls: bool
    odd: bool

    @property
    def only(self) -> str | None:
        return self.low if self.low == self.high else None


_FEW = 500
"""Combinations of storage classes that are told apart; a table of more is asked column by column."""


def _ranges(connection: sqlite3.Connection, table: str, declared: dict[str, str]) -> dict[str, Range]:
    """The range of each column, in one pass: the rows of most tables are of a few shapes."""
    from sqlglot import exp

    columns: list[exp.Expression] = []
    for name, native in declared.items():
        column = exp.column(exp.to_identifier(name, quoted=True))
        storage = exp.Anonymous(this="typeof", expressions=[column])
        columns += [storage, _odd(column.copy(), native)]
    query = exp.select(*columns).distinct().from_(exp.Table(this=exp.to_identifier(table, quoted=True)))
    shapes = connection.execute(query.limit(_FEW + 1).sql("sqlite")).fetchall()
    if len(shapes) > _FEW:
        return _ranges_apart(connection, table, declared)
    parts = list(zip(*shapes, strict=True)) or [()] * len(columns)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {name: _range(set(classes), odd) for name, (classes, odd) in zip(declared, pairs, strict=True)}


def _range(classes: set[str], odd: Sequence[int | None]) -> Range:
    held = classes - {"null"}
    return Range(min(held, default=None), max(held, default=None), "null" in classes, any(odd))


def _ranges_apart(connection: sqlite3.Connection, table: str, declared: dict[str, str]) -> dict[str, Range]:
    from sqlglot import exp

    columns: list[exp.Expression] = []
    for name, native in declared.items():
        column = exp.column(exp.to_identifier(name, quoted=True))
        storage = exp.func("nullif", exp.func("typeof", column.copy()), exp.Literal.string("null"))
        columns += [
            exp.Min(this=storage.copy()),
            exp.Max(this=storage.copy()),
            exp.Max(this=exp.Is(this=column.copy(), expression=exp.Null())),
            exp.Max(this=_odd(column, native)),
        ]
    query = exp.select(*columns).from_(exp.Table(this=exp.to_identifier(table, quoted=True)))
    answer = connection.execute(query.sql("sqlite")).fetchone()
    parts = zip(*(iter(answer),) * 4, strict=True)
    return {
        name: Range(low, high, bool(nulls), bool(odd))
        for name, (low, high, nulls, odd) in zip(declared, parts, strict=True)
    }


def _odd(column: exp.Expression, native: str) -> exp.Expression:
    """Whether an integer is not what the declared type means: no 0 or 1, or beyond a float's reach."""
    from sqlglot import exp

    if _is_bool(native):
        return exp.Not(this=exp.In(this=column.copy(), expressions=[exp.Literal.number(n) for n in (0, 1)]))
    if declared(native) == "float":
        whole = exp.EQ(this=exp.func("typeof", column.copy()), expression=exp.Literal.string("integer"))
        reach = exp.Literal.number(EXACT)
        return exp.And(this=whole, expression=exp.GT(this=exp.Abs(this=column.copy()), expression=reach))
    return exp.Literal.number(0)


def _is_bool(native: str) -> bool:
    return native.startswith("BOOL")


def _field(
    connection: sqlite3.Connection, table: str, name: str, native: str, seen: Range, required: bool
) -> Field:
    extra: tuple[tuple[str, Any], ...] = (("native_type", native),) if native else ()
    absence = "never" if required and not seen.nulls else "null"
    kind = kind_of(native, seen)
    field = Field(name, DataType(kind), absence=absence, extra=extra)  # type: ignore[arg-type]
    wanted = temporal(native)
    if wanted is None or kind not in ("string", "null"):
        return field
    if seen.only == "text" and not _all_parse(connection, table, name, wanted):
        return field
    return replace(field, type=DataType(wanted), extra=(*extra, ("stored_as", "text")))


def kind_of(native: str, seen: Range) -> Kind:
    """The kind of a column that is declared so and holds that."""
    if seen.low is None:
        kind = declared(native)
        return "mixed" if kind == "null" else kind  # declared as nothing, it takes anything
    if seen.only == "integer" and _is_bool(native):
        return "bool" if not seen.odd else "int"
    if declared(native) == "float" and seen.high in ("integer", "real") and seen.low != "blob":
        return "mixed" if seen.odd else "float"
    return _STORAGE[seen.only] if seen.only is not None else "mixed"


def declared(native: str) -> Kind:
    """The kind that a declaration asks for, by SQLite's own rules of affinity."""
    if _is_bool(native):
        return "bool"
    if "INT" in native:
        return "int"
    if any(part in native for part in ("CHAR", "CLOB", "TEXT")):
        return "string"
    if "BLOB" in native:
        return "binary"
    if any(part in native for part in ("REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL")):
        return "float"
    return "string" if temporal(native) else "null"


def temporal(native: str) -> Kind | None:
    """The kind of time that a declaration asks for, of text that tells one."""
    if native.startswith(("DATETIME", "TIMESTAMP")):
        return "datetime"
    return {"DATE": "date", "TIME": "time"}.get(native)  # type: ignore[return-value]


def _all_parse(connection: sqlite3.Connection, table: str, name: str, kind: Kind) -> bool:
    """Whether all texts of a column tell a date, a time or both; those that SQLite itself, whose functions
    are named so too, would write the same do."""
    from sqlglot import exp

    column = exp.column(exp.to_identifier(name, quoted=True))
    source = exp.Table(this=exp.to_identifier(table, quoted=True))
    # The modifier turns the 31st of February into what it comes to.
    made = exp.Anonymous(this=kind, expressions=[column.copy(), exp.Literal.string("+0 days")])
    bare = exp.Collate(this=made, expression=exp.Identifier(this="BINARY"))  # whatever the column's is
    other = exp.Not(this=exp.Is(this=bare, expression=column.copy()))
    year = exp.func("substr", column.copy(), exp.Literal.number(1), exp.Literal.number(4))
    none = exp.EQ(this=year, expression=exp.Literal.string("0000"))  # of which Python knows nothing
    query = exp.select(column).from_(source).where(exp.or_(other, none))
    cursor = connection.execute(query.sql("sqlite"))
    try:
        while rows := cursor.fetchmany(10_000):
            parse([value for (value,) in rows], kind)
    except (TypeError, ValueError):
        return False
    return True


def parse(values: Sequence[Any], kind: str) -> Sequence[Any]:
    """Stored values as values of the kind; raises `ValueError` or `TypeError` for one that is not."""
    reader = _READERS.get(kind)
    return values if reader is None else [None if value is None else reader(value) for value in values]


def _bool(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(value)
    return bool(value)


def _exact_float(value: Any) -> float:
    found = float(value)
    if isinstance(value, str) or found != value:
        raise ValueError(value)
    return found


_READERS: dict[str, Any] = {
    "datetime": moment_of,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "bool": _bool,
    "float": _exact_float,
}
