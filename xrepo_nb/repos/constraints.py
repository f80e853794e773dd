"""Constraints and indexes that a repo's metadata declares, and the writes that keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoConflictError, XRepoValidationError
from xrepo_nb.core.turns import SharedTurns
from xrepo_nb.governance.identity import Identity
from xrepo_nb.query.check import check_fields
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.naming import named, names_with_dots, path_of
from xrepo_nb.query.parsing import parse_filter
from xrepo_nb.query.plan import Match, Scan
from xrepo_nb.query.predicates import Compare, Exists, Or, Predicate, conjunction
from xrepo_nb.query.typing.comparable import moments_in
from xrepo_nb.repos.change import Change, Item
from xrepo_nb.repos.execution import execute, gather
from xrepo_nb.repos.holding import holds
from xrepo_nb.resources.base import WriteResult
from xrepo_nb.resources.outcomes import spread
from xrepo_nb.schema.schema import Index, Schema

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo
    from xrepo_nb.repos.foundation import RepoFoundation

_KINDS = ("check", "unique")


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a record must fulfil, or fields whose values no two records share."""

    name: str
    predicate: Predicate | None = None
    paths: tuple[Path, ...] = ()


class Constraints:
    """The constraints of a repo, and its declared indexes.

    A constraint is `{"check": filter}` or `{"unique": field or fields}`, with a `name` if wanted.
    Raises `XRepoConfigurationError` for one that cannot be understood or names an unknown field.
    """

    def __init__(self, repo: RepoFoundation) -> None:
        given = repo.metadata.constraints
        known = repo._known_fields() if given or repo.metadata.indexes else None
        made = [_parsed(entry, f"constraints[{at}]", known) for at, entry in enumerate(given)]
        self.checks = tuple(c for c in made if c.predicate is not None)
        self.uniques = tuple(c for c in made if c.paths)
        self.indexes = tuple(_indexes(repo.metadata.indexes, self.uniques, known))
        self._turns = SharedTurns()

    def must_hold(self, document: dict[str, Any], name: str) -> None:
        """Raises `XRepoValidationError` when a record of the repo `name` fails a check."""
        for check in self.checks:
            assert check.predicate is not None
            if not holds(check.predicate, document):
                raise XRepoValidationError(f"{name}: the record fails the check {check.name}")

    def must_differ(self, documents: Sequence[dict[str, Any]], name: str) -> None:
        """Raises `XRepoConflictError` when two of the documents share what must be unique."""
        for unique in self.uniques:
            keys = [key for key in (_key(d, unique.paths) for d in documents) if key is not None]
            if len(set(keys)) < len(keys):
                raise XRepoConflictError(f"{name}: {_shared(unique)}")

    def turn(self) -> AbstractAsyncContextManager[Any]:
        """Within it no other task writes through this repo what must be unique."""
        return self._turns.of()


async def applied(repo: XRepo[Any], change: Change, identity: Identity, partial: bool = False) -> WriteResult:
    """Applies a change whose records share nothing with others that must be unique.

    One that does is a `XRepoConflictError`, and nothing is applied; `partial` leaves it out.
    """
    if change.kind == "delete":
        return await repo._apply(change, partial)
    async with repo._constraints.turn():
        taken = await _taken(repo, change, identity)
        if taken and not partial:
            at, reason = next(iter(taken.items()))
            which = f"record {at} of {len(change.items)}: " if len(change.items) > 1 else ""
            raise XRepoConflictError(f"{repo.metadata.name}: {which}{reason}")
        kept = {at: item for at, item in enumerate(change.items) if at not in taken}
        rest = replace(change, items=tuple(kept.values()))
        result = await repo._apply(rest, partial) if kept else WriteResult(())
        return spread(result, list(kept), len(change.items), taken) if taken else result


async def _taken(repo: XRepo[Any], change: Change, identity: Identity) -> dict[int, str]:
    """The indexes of records that share with others what must be unique, with the reason."""
    taken: dict[int, str] = {}
    for unique in repo._constraints.uniques:
        keys = {
            at: key
            for at, item in enumerate(change.items)
            if at not in taken and _concerns(change, item, unique) and item.document is not None
            if (key := _key(item.document, unique.paths)) is not None
        }
        if keys:
            others = await _others(repo, unique, change, [change.items[at] for at in keys], identity)
            taken |= {at: _shared(unique) for at in _repeated(keys, others, change.items)}
    return taken


def _concerns(change: Change, item: Item, unique: Constraint) -> bool:
    return change.kind == "create" or any(path[0] in item.changed for path in unique.paths)


def _repeated(keys: Mapping[int, Any], others: set[Any], items: Sequence[Item]) -> Iterator[int]:
    """The indexes whose key another record has, or one that comes before in the same change."""
    owners: dict[Any, Any] = {}
    for at, key in keys.items():
        own = items[at].id if items[at].id is not None else object()
        if key in others or owners.setdefault(key, own) != own:
            yield at


async def _others(
    repo: XRepo[Any], unique: Constraint, change: Change, items: Sequence[Item], identity: Identity
) -> set[Any]:
    """The keys, among those of the items, of records that the change leaves as they are."""
    name = repo.metadata.name
    same = [_same(item.document or {}, unique.paths) for item in items]
    opened = {name: await repo._open(identity)}
    plan, inputs = await gather(
        Match(Scan(name), same[0] if len(same) == 1 else Or(tuple(same))), opened, {name: repo}
    )
    found = (await execute(plan, inputs)).table.documents
    if change.kind == "create":
        return {_key(document, unique.paths) for document in found}
    changed = {_key(item.document or {}, _paths(repo.key)) for item in change.items}
    return {_key(d, unique.paths) for d in found if _key(d, _paths(repo.key)) not in changed}


def _same(document: dict[str, Any], paths: Sequence[Path]) -> Predicate:
    return conjunction(Compare(path, "$eq", _value(document, path)) for path in paths)


def _key(document: dict[str, Any], paths: Sequence[Path]) -> tuple[Any, ...] | None:
    """What must be unique, equal where filters say so; None where a part is absent, which nothing shares."""
    from xrepo_nb.engines.document.values import hash_key

    values = [_value(document, path) for path in paths]
    return None if any(value is None for value in values) else tuple(map(hash_key, values))


def _value(document: Any, path: Path) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _paths(names: Sequence[str]) -> tuple[Path, ...]:
    return tuple((name,) for name in names)


def _shared(unique: Constraint) -> str:
    return f"another record has this {', '.join('.'.join(path) for path in unique.paths)} already"


def _parsed(given: Mapping[str, Any], at: str, known: Schema | None) -> Constraint:
    kinds = [kind for kind in _KINDS if kind in given]
    unknown = next((key for key in given if key not in (*_KINDS, "name")), None)
    if len(kinds) != 1 or unknown is not None:
        raise XRepoConfigurationError(
            f"{at} is neither a check nor unique fields",
            asked=unknown,
            exists=(*_KINDS, "name"),
            hint='write {"check": {"age__gte": 0}} or {"unique": ["email"]}',
        )
    name = str(given.get("name") or at)
    if kinds == ["unique"]:
        return Constraint(name, paths=_named(given["unique"], f"{at}.unique", known))
    predicate = parse_filter(given["check"], at=f"{at}.check", fields=known.names if known else ())
    return Constraint(name, predicate=_checked(predicate, known))


def _checked(predicate: Predicate, known: Schema | None) -> Predicate:
    if known is None:
        return predicate
    predicate = named(predicate, names_with_dots(known))
    check_fields(Match(Scan("rows"), predicate), {"rows": known})
    return moments_in(predicate, known)


def _named(given: Any, at: str, known: Schema | None) -> tuple[Path, ...]:
    """The paths of one field or of several."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n for n in names):
        raise XRepoConfigurationError(f"{at} is the name of a field, or a list of names", asked=at)
    paths = tuple(path_of(name, names_with_dots(known) if known else ()) for name in names)
    for path in paths:
        _checked(Exists(path, True), known)
    return paths


def _indexes(
    declared: Sequence[Sequence[str]], uniques: Sequence[Constraint], known: Schema | None
) -> Iterator[Index]:
    for at, names in enumerate(declared):
        paths = _named(list(names), f"indexes[{at}]", known)
        yield Index("_".join(names), tuple(path[0] for path in paths))
    for unique in uniques:
        yield Index(unique.name, tuple(path[0] for path in unique.paths), unique=True)
