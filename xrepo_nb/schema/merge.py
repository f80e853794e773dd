"""The schema of a join, from the schemas of its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError, closest
from xrepo_nb.schema.join_config import JoinConfig, Steps, join_steps
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import NUMERIC, DataType, Field


def merge_schemas(
    schemas: Mapping[str, Schema | Mapping[str, Any]],
    join_config: Mapping[str, Any] | JoinConfig,
    name: str = "",
) -> Schema:
    """The schema of the sources' join: join keys keep their name, other fields take the last part
    of their source's name as prefix; each tells its source and lineage.

    A pair of keys has its left name: of the first source that field's own, of a later one the name
    that it has in the view. Raises `XRepoConfigurationError` for a key that is not there or has
    another type on the other side, and for two fields that would have one name.

    >>> users = {"fields": {"id": {"type": "int", "required": True}, "name": {"type": "string"}}}
    >>> orders = {"fields": {"id": {"type": "int"}, "total": {"type": "float", "required": True}}}
    >>> merged = merge_schemas({"mongo.users": users, "mongo.orders": orders}, {"on": "id"})
    >>> merged.names, merged.field("orders_total").required, merged.field("id").lineage
    (('id', 'users_name', 'orders_total'), False, ('mongo.users.id', 'mongo.orders.id'))
    """
    made = {source: Schema.of(schema) for source, schema in schemas.items()}
    return join_schema(made, join_steps(made, join_config), name)


def short_names(sources: Iterable[str]) -> dict[str, str]:
    """The prefix of each source: the last part of its name.

    >>> short_names(["mongo.users", "orders"])
    {'mongo.users': 'users', 'orders': 'orders'}
    """
    short = {source: source.rpartition(".")[2] for source in sources}
    if len(set(short.values())) < len(short):
        raise XRepoConfigurationError(
            "two sources of a view have the same last name part",
            asked=", ".join(short),
            hint="give them different names: {'home': ..., 'away': ...}",
        )
    return short


def view_names(schemas: Mapping[str, Schema], steps: Steps) -> dict[str, dict[str, str]]:
    """What each source's fields are called in the join, by short source name.

    A key has the name on the left side of its pair; every other field its source's as prefix.
    """
    lefts = {left: left for step in steps.values() for left, _ in step.on}
    names = {}
    for source, short in short_names(schemas).items():
        keys = {right: left for left, right in steps[source].on} if source in steps else lefts
        names[short] = {name: keys.get(name, f"{short}_{name}") for name in schemas[source].names}
    return names


def join_schema(schemas: Mapping[str, Schema], steps: Steps, name: str = "") -> Schema:
    """The fields of all sources by the join's names, each with where it comes from.

    Raises `XRepoConfigurationError` as `merge_schemas` does.
    """
    check_keys(schemas, steps)
    names, loose = view_names(schemas, steps), _unmatched(list(schemas), steps)
    fields: dict[str, Field] = {}
    for source, short in short_names(schemas).items():
        step = steps.get(source)
        if step is not None and step.selects:
            continue
        keys = {right for _, right in step.on} if step is not None else ()
        for field in schemas[source].fields:
            new, line = names[short][field.name], f"{source}.{field.name}"
            if new not in fields:
                made = replace(field, name=new, source=source, lineage=(line,))
                fields[new] = _perhaps_null(made) if source in loose else made
            elif field.name in keys:
                fields[new] = replace(fields[new], lineage=(*fields[new].lineage, line))
            else:
                raise _same_name(new, fields[new].lineage[0], line)
    extra = (
        ("view_type", "joined"),
        ("source_schemas", dict(schemas)),
        ("join_config", _told(steps)),
    )
    return Schema(tuple(fields.values()), name=name, extra=extra)


def _told(steps: Steps) -> dict[str, Any]:
    """The configuration as a caller would write it: by source only where sources differ."""
    on = {source: [list(pair) for pair in step.on] for source, step in steps.items()}
    how = {source: step.how for source, step in steps.items()}
    return {"on": _only(on), "type": _only(how)}


def _only(by_source: dict[str, Any]) -> Any:
    first, *others = by_source.values()
    return by_source if any(other != first for other in others) else first


def _same_name(name: str, first: str, second: str) -> XRepoConfigurationError:
    return XRepoConfigurationError(
        f"two fields of the join would be called {name!r}: {first} and {second}",
        asked=name,
        hint="give the source of the second another name: its fields take it as prefix",
    )


def check_keys(schemas: Mapping[str, Schema], steps: Steps) -> None:
    """Raises `XRepoConfigurationError` for a key that is not there, or keys of different types."""
    names, short = view_names(schemas, steps), short_names(schemas)
    joined = [next(iter(schemas))]
    left = _located(joined[0], schemas)
    for source, step in steps.items():
        right = _located(source, schemas)
        for ours, theirs in step.on:
            if ours not in left:
                hint = _left_hint(ours, [*left], source, joined, schemas, names)
                raise _no_key(f"left side of the join, {' + '.join(joined)},", ours, left, hint)
            if theirs not in right:
                hint = _right_hint(theirs, [*right], left, source, steps)
                raise _no_key(f"right side of the join, {source},", theirs, right, hint)
            _must_compare(left[ours], right[theirs])
        if not step.selects:
            left = {names[short[source]][name]: found for name, found in right.items()} | left
        joined.append(source)


def _located(source: str, schemas: Mapping[str, Schema]) -> dict[str, tuple[str, Field]]:
    """Each field of a source, with its full name."""
    return {field.name: (f"{source}.{field.name}", field) for field in schemas[source].fields}


def _must_compare(left: tuple[str, Field], right: tuple[str, Field]) -> None:
    (ours, a), (theirs, b) = left, right
    if not _comparable(a.type, b.type):
        raise XRepoConfigurationError(
            f"join keys of different types: {ours} is {a.type}, {theirs} is {b.type}",
            asked=b.name,
            hint="convert one of them in its source first",
        )


def _no_key(side: str, name: str, fields: Iterable[str], hint: str | None) -> XRepoConfigurationError:
    return XRepoConfigurationError(f"the {side} has no field {name!r}", asked=name, exists=fields, hint=hint)


def _left_hint(
    name: str,
    fields: Sequence[str],
    source: str,
    joined: Sequence[str],
    schemas: Mapping[str, Schema],
    names: Mapping[str, Mapping[str, str]],
) -> str | None:
    """What to write in place of a left key that is not there; None leaves it to the nearest name."""
    for other, short in short_names(schemas).items():
        if other in joined[1:] and names[short].get(name) in fields:
            return f"in the view {other}.{name} is {names[short][name]!r}"
        if other not in (*joined, source) and name in names[short].values():
            return f"{other!r} is joined later: put it before {source!r}"
    others = [other for other in schemas if other not in (*joined, *fields)]
    near = closest(name, [*fields, *others])
    if near in others:
        return f"did you mean the source {near!r}?"
    if near is None and name in schemas[source].names:
        return f'where the names differ, write pairs: [("left name", {name!r})]'
    return None


def _right_hint(
    name: str, fields: Sequence[str], left: Iterable[str], source: str, steps: Steps
) -> str | None:
    """What to write in place of a right key that is not there; None leaves it to the nearest name."""
    near = closest(name, fields)
    if near is not None:
        return f"where the names differ, write pairs: [({name!r}, {near!r})]" if name in left else None
    return f"each source may have keys of its own: on={{..., {source!r}: ...}}" if len(steps) > 1 else None


def _unmatched(sources: Sequence[str], steps: Steps) -> set[str]:
    """The sources from which a row of the join may have nothing."""
    found: set[str] = set()
    for place, (source, step) in enumerate(steps.items(), 1):
        if step.how in ("right", "outer"):
            found.update(sources[:place])
        if step.how in ("left", "outer", "asof"):
            found.add(source)
    return found


def _perhaps_null(field: Field) -> Field:
    return replace(field, absence="null") if field.absence == "never" else field


def _comparable(a: DataType, b: DataType) -> bool:
    if "mixed" in (a.kind, b.kind) or "null" in (a.kind, b.kind):
        return True
    return a.kind == b.kind or {a.kind, b.kind} <= NUMERIC
