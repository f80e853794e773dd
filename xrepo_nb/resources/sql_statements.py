"""The statements of writes, as sqlglot trees: names quoted, values bound."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Returned = str | tuple[str, str]
"""What a write returns of a row: a column by its name, or its name and the type that it is read as."""


@lru_cache(maxsize=256)
def insert_sql(
    table: str, columns: tuple[str, ...], returned: tuple[Returned, ...], dialect: str, rows: int = 1
) -> str:
    """`INSERT INTO table (...) VALUES (?, ...), ... RETURNING ...`."""
    from sqlglot import exp

    target: Any = _table(table)
    if not columns:
        return exp.Insert(this=target, default=True, returning=_returning(returned, dialect)).sql(dialect)
    target = exp.Schema(this=target, expressions=[_name(c) for c in columns])
    row = exp.Tuple(expressions=[exp.Placeholder() for _ in columns])
    values = exp.Values(expressions=[row] * rows)
    return exp.Insert(this=target, expression=values, returning=_returning(returned, dialect)).sql(dialect)


@lru_cache(maxsize=256)
def insert_lists_sql(
    table: str, columns: tuple[str, ...], returned: tuple[Returned, ...], dialect: str
) -> str:
    """`INSERT INTO table (...) SELECT UNNEST(?), ... RETURNING ...`: a list of values for each column."""
    from sqlglot import exp

    target = exp.Schema(this=_table(table), expressions=[_name(c) for c in columns])
    values = exp.select(*(exp.Explode(this=exp.Placeholder()) for _ in columns))
    return exp.Insert(this=target, expression=values, returning=_returning(returned, dialect)).sql(dialect)


@lru_cache(maxsize=256)
def update_sql(
    table: str, columns: tuple[str, ...], key: tuple[str, ...], returned: tuple[Returned, ...], dialect: str
) -> str:
    """`UPDATE table SET a = ?, ... WHERE id = ? RETURNING ...`."""
    from sqlglot import exp

    return exp.Update(
        this=_table(table),
        expressions=[_equals(c) for c in columns],
        where=exp.Where(this=exp.and_(*(_equals(k) for k in key))),
        returning=_returning(returned, dialect),
    ).sql(dialect)


@lru_cache(maxsize=256)
def delete_sql(table: str, key: tuple[str, ...], returned: tuple[Returned, ...], dialect: str) -> str:
    """`DELETE FROM table WHERE id = ? RETURNING ...`."""
    from sqlglot import exp

    where = exp.Where(this=exp.and_(*(_equals(k) for k in key)))
    return exp.Delete(this=_table(table), where=where, returning=_returning(returned, dialect)).sql(dialect)


@lru_cache(maxsize=16)
def repeats_sql(table: str, key: tuple[str, ...], rows: int, dialect: str) -> str:
    """`WITH given(n, ...) AS (VALUES (?, ...), ...) SELECT n, COUNT(*) FROM given JOIN table ...`: those
    whose key several rows have."""
    from sqlglot import exp

    given, number = f"#{table}", exp.Column(this=_name("#n"), table=_name(f"#{table}"))
    columns = [_name("#n"), *(_name(f"#{place}") for place in range(len(key)))]
    row = exp.Tuple(expressions=[exp.Placeholder() for _ in columns])
    same = [
        exp.EQ(
            this=exp.Column(this=_name(name), table=_name(table)),
            expression=exp.Column(this=_name(f"#{place}"), table=_name(given)),
        )
        for place, name in enumerate(key)
    ]
    values = exp.Values(expressions=[row] * rows)
    return (
        exp.select(number, exp.Count(this=exp.Star()))
        .from_(exp.Table(this=_name(given)))
        .join(_table(table), on=exp.and_(*same))
        .group_by(number.copy())
        .having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
        .with_(exp.TableAlias(this=_name(given), columns=columns), as_=values)
    ).sql(dialect)


def _returning(returned: tuple[Returned, ...], dialect: str) -> Any:
    from sqlglot import exp

    columns = [
        exp.Column(this=_name(r)) if isinstance(r, str) else _cast(*r, dialect=dialect) for r in returned
    ]
    return exp.Returning(expressions=columns)


def _cast(name: str, to: str, dialect: str) -> Any:
    from sqlglot import exp

    made = exp.Cast(this=exp.Column(this=_name(name)), to=exp.DataType.build(to, dialect=dialect))
    return exp.Alias(this=made, alias=_name(name))


def _name(name: str) -> Any:
    from sqlglot import exp

    return exp.to_identifier(name, quoted=True)


def _table(name: str) -> Any:
    from sqlglot import exp

    return exp.Table(this=_name(name))


def _equals(column: str) -> Any:
    from sqlglot import exp

    return exp.EQ(this=exp.Column(this=_name(column)), expression=exp.Placeholder())
