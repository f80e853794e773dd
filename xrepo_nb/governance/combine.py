"""How rules combine into one grant, as in PostgreSQL's row security."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.policy import ALL_FIELDS, FieldSet, Grant
from xrepo_nb.governance.rules import ACLRule, Conditions, MissingAttribute, Permission, substitute
from xrepo_nb.query.expressions import Expr, Path
from xrepo_nb.query.fingerprint import fingerprint
from xrepo_nb.query.parsing import parse_expression, parse_filter
from xrepo_nb.query.predicates import EVERYTHING, NOTHING, Or, Predicate, conjunction


@dataclass(frozen=True, slots=True)
class _Clause:
    """One rule, made concrete for one identity."""

    rows: Predicate
    check: Predicate
    fields: FieldSet
    masks: tuple[tuple[Path, Expr], ...]


def combine(
    rules: Iterable[ACLRule], permission: Permission, identity: Identity, names: Sequence[str] = ()
) -> Grant | None:
    """The grant that the rules leave to the identity; None when no permissive rule applies.

    `names`: those of the repo's fields, so that one with `__` in it is known for what it is.
    A permissive rule that names an attribute the caller lacks is left out; a restrictive one then
    leaves no row.
    """
    mine = [rule for rule in rules if rule.concerns(identity) and rule.allows(permission)]
    permissive = [c for c in (_clause(r, identity, names) for r in mine if r.kind == "permissive") if c]
    if not permissive:
        return None
    restrictive = [_clause(r, identity, names) for r in mine if r.kind == "restrictive"]
    if any(clause is None for clause in restrictive):
        return Grant(rows=NOTHING, check=NOTHING, fields=FieldSet(frozenset()))
    narrowing = [clause for clause in restrictive if clause]
    fields = _shown_by_any(permissive)
    for clause in narrowing:
        fields = fields & clause.fields
    return Grant(
        rows=_all([_any([c.rows for c in permissive]), *(c.rows for c in narrowing)]),
        check=_all([_any([c.check for c in permissive]), *(c.check for c in narrowing)]),
        fields=fields,
        masks=tuple((_masks(permissive) | {p: e for c in narrowing for p, e in c.masks}).items()),
    )


def _clause(rule: ACLRule, identity: Identity, names: Sequence[str]) -> _Clause | None:
    given = rule.narrowing
    try:
        rows = _predicate(given.rows, identity, names)
        check = _predicate(given.check, identity, names) if given.check is not None else rows
    except MissingAttribute:
        return None
    masks = tuple(
        (_path(name), parse_expression(expr, at=f"masks.{name}")) for name, expr in given.masks.items()
    )
    return _Clause(rows, check, _field_set(given), masks)


def _predicate(given: dict[str, object] | None, identity: Identity, names: Sequence[str]) -> Predicate:
    if given is None:
        return EVERYTHING
    return parse_filter(substitute(given, identity), at="rows", fields=names)


def _field_set(given: Conditions) -> FieldSet:
    allow = None if given.allow is None else frozenset(map(_path, given.allow))
    return FieldSet(allow, frozenset(map(_path, given.deny)))


def _path(name: str) -> Path:
    return tuple(name.split("."))


def _shown_by_any(clauses: list[_Clause]) -> FieldSet:
    """The fields that may be shown in every row the clauses reach.

    Rows add up, so a field that only some rules show is visible only when those rules reach every
    row that any of them does; otherwise showing it would show it in rows where no rule does.
    """
    fields = ALL_FIELDS
    for clause in clauses:
        covering = (c.fields for c in clauses if c.rows == EVERYTHING or _same_rows(c, clause))
        fields = fields & reduce(or_, covering, clause.fields)
    return fields


def _same_rows(a: _Clause, b: _Clause) -> bool:
    """Whether both ask the same of rows: values equal in Python, as 1 and True, need not be."""
    return a.rows == b.rows and fingerprint(a.rows) == fingerprint(b.rows)


def _masks(clauses: list[_Clause]) -> dict[Path, Expr]:
    """A mask holds unless a rule that reaches every row shows the field bare."""
    bare = [c for c in clauses if c.rows == EVERYTHING]
    found = dict(mask for c in clauses for mask in c.masks)
    return {
        path: expr
        for path, expr in found.items()
        if not any(path not in dict(c.masks) and c.fields.reaches(path) for c in bare)
    }


def _any(predicates: list[Predicate]) -> Predicate:
    if EVERYTHING in predicates:
        return EVERYTHING
    return predicates[0] if len(predicates) == 1 else Or(tuple(predicates))


def _all(predicates: list[Predicate]) -> Predicate:
    return conjunction(p for p in predicates if p != EVERYTHING)
