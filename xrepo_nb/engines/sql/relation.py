"""Relations: a SELECT in the making, with its columns by their logical names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import Condition, Sql, as_sql, bare, column, name, number
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline


@dataclass(frozen=True, slots=True)
class Term:
    """One key of an order, nulls least."""

    sql: Sql
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of `source` that pass `where`, in `order`, cut by `offset` and `limit`.

    `columns` give each field as an expression over the source's columns; their order is the
    order of the fields. `order` says by what the rows are ordered (empty: unknown or as they
    come), and `explicit` that only an ORDER BY brings that order about.
    """

    source: Sql
    columns: Mapping[str, Value] = field(default_factory=dict)
    order: tuple[Term, ...] = ()
    explicit: bool = False
    where: Condition = True
    limit: int | None = None
    offset: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether an offset or a limit is pending, past which no stage may reach."""
        return self.limit is not None or self.offset > 0

    @property
    def is_plain(self) -> bool:
        """Whether all columns are just columns of the source."""
        return all(isinstance(v.sql, exp.Column) for v in self.columns.values())

    def with_columns(self, columns: Mapping[str, Value]) -> Relation:
        """The same rows with other columns."""
        return replace(self, columns=columns)

    def plain(self, ctx: Context) -> Relation:
        """The same with nothing pending but `where`: what a stage computes over."""
        return self.derived(ctx) if self.is_cut or not self.is_plain else self

    def derived(self, ctx: Context) -> Relation:
        """The same as a derived table, all columns plain."""
        alias = ctx.table_name()
        selected, columns, order = self.carried(alias)
        source = subquery(self.selecting(ctx, selected, ordered=self.is_cut), alias)
        return Relation(source, columns, order, self.explicit)

    def carried(self, alias: str) -> tuple[list[Sql], dict[str, Value], tuple[Term, ...]]:
        """What a derived table of that name must select to hand on all columns and the order, and
        these two as they are found in it."""
        names = physical(self.columns)
        selected: list[Sql] = []
        columns: dict[str, Value] = {}
        for i, (logical, value) in enumerate(self.columns.items()):
            selected.append(aliased(value.sql, names[logical]))
            missing = value.missing
            if missing is not None:
                selected.append(aliased(missing, f"#m{i}"))
                missing = column(f"#m{i}", alias)
            columns[logical] = replace(value, sql=column(names[logical], alias), missing=missing)
        selected += [aliased(term.sql, f"#{i}") for i, term in enumerate(self.order)]
        order = tuple(replace(term, sql=column(f"#{i}", alias)) for i, term in enumerate(self.order))
        return selected, columns, order

    def statement(self, ctx: Context) -> exp.Select:
        """The whole as one statement whose columns stand in the order of the fields."""
        names = physical(self.columns)
        return self.selecting(ctx, [aliased(v.sql, names[k]) for k, v in self.columns.items()], ordered=True)

    def selecting(self, ctx: Context, selected: Sequence[Sql], ordered: bool = False) -> exp.Select:
        """A SELECT of these expressions over the rows."""
        made = exp.select(*(selected or [exp.Alias(this=number(1), alias=name("_"))]), copy=False)
        made = made.from_(self.source, copy=False)
        if self.where is not True:
            made = made.where(bare(as_sql(self.where)), copy=False)
        if ordered and self.explicit and self.order:
            terms = [ctx.dialect.ordered(t.sql, t.descending) for t in self.order]
            made = made.order_by(*terms, copy=False)
        if self.limit is not None:
            made = made.limit(number(self.limit), copy=False)
        if self.offset:
            made = made.offset(number(self.offset), copy=False)
        return made


def aliased(sql: Sql, alias: str) -> Sql:
    """The expression under a name; a column of that name as it is."""
    if isinstance(sql, exp.Column) and sql.name == alias:
        return sql
    return exp.Alias(this=sql, alias=name(alias))


def subquery(select: Sql, alias: str) -> exp.Subquery:
    """A SELECT as a derived table of that name."""
    return exp.Subquery(this=select, alias=exp.TableAlias(this=name(alias)))


def physical(logical: Iterable[str]) -> dict[str, str]:
    """Column names that differ also where case does not count."""
    taken: set[str] = set()
    names = {}
    for i, field_name in enumerate(logical):
        if "\0" in field_name:
            decline("a field name with a NUL character")
        chosen = field_name or "_"
        if chosen.casefold() in taken or chosen.startswith("#"):
            chosen = f"#c{i}"
        taken.add(chosen.casefold())
        names[field_name] = chosen
    return names


def table(relation_name: str) -> exp.Table:
    """A table by its name, which is quoted."""
    return exp.Table(this=name(relation_name))
