"""Rules that name fields: refused where the schema knows that there is no such field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoQueryError
from xrepo_nb.governance.rules import ACLRule, Conditions
from xrepo_nb.query.check import names_below
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.naming import named, names_with_dots, path_of
from xrepo_nb.query.parsing import parse_expression, parse_filter
from xrepo_nb.query.plan import AddFields, Match, Plan, Scan
from xrepo_nb.query.predicates import Exists
from xrepo_nb.query.typing.comparable import moments_in
from xrepo_nb.query.typing.stages import Walk, rows_of
from xrepo_nb.query.typing.values import Value
from xrepo_nb.schema.schema import Schema

_ROWS = Scan("rows")
_SEVERAL = frozenset({"$in", "$nin", "$all"})


def must_name_fields(rules: Iterable[ACLRule], schema: Schema) -> None:
    """Refuses rules about fields that are not there, at any depth; `mixed` fields may hold any.

    Raises `XRepoConfigurationError` with the role, the condition and the nearest field, also when a
    field is compared with what it never holds, as in a query.
    """
    for rule in rules:
        for condition, plan in _reads(rule.narrowing, schema):
            refuse = partial(_refuse, f"the {condition} of the rule of role {rule.role!r}")
            rows_of(plan, Walk({_ROWS.source: schema}, lost=refuse))


def _refuse(of: str, path: Path, root: Value, at: str) -> NoReturn:
    name = ".".join(path)
    raise XRepoConfigurationError(
        f"{of} name the unknown field {name!r}", asked=name, exists=names_below(root)
    )


def _reads(given: Conditions, schema: Schema) -> Iterator[tuple[str, Plan]]:
    """Plans that read what the conditions name, each with the condition it is of."""
    names = names_with_dots(schema)
    for name in (*(given.allow or ()), *given.deny):
        yield "fields", _named(name, names)
    for name, expression in given.masks.items():
        yield "masks", _named(name, names)
        parsed = named(parse_expression(expression, at=f"masks.{name}"), names)
        yield "masks", AddFields(_ROWS, ((path_of(name, names)[:1], parsed),))
    for condition, filters in (("rows", given.rows), ("check", given.check)):
        try:
            predicate = parse_filter(_without_variables(filters), at=condition, fields=schema.names)
        except XRepoQueryError:  # only with the caller's values does it make sense
            continue
        yield condition, Match(_ROWS, moments_in(named(predicate, names), schema))


def _named(name: str, names: Collection[str]) -> Plan:
    return Match(_ROWS, Exists(path_of(name, names), True))


def _without_variables(given: Any, key: str = "", in_expr: bool = False) -> Any:
    """The filter with null, which every field compares with, in the place of each `$$user` variable."""
    if isinstance(given, Mapping):
        return {k: _without_variables(v, k, in_expr or k == "$expr") for k, v in given.items()}
    if isinstance(given, list | tuple):
        return [_without_variables(item, "", in_expr) for item in given]
    if not (isinstance(given, str) and given.startswith("$$user")):
        return given
    if in_expr:
        return {"$literal": None}
    return [None] if key in _SEVERAL else None
