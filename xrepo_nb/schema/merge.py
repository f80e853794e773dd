"""The schema of a join, from the schemas of its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

HOW = ("left", "inner", "right", "outer", "semi", "anti", "asof")
VALIDATE = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")

_NUMBERS = frozenset({"int", "float", "decimal"})
_SHORT = {"1:1": "one_to_one", "1:m": "one_to_many", "m:1": "many_to_one", "m:m": "many_to_many"}


@dataclass(frozen=True, slots=True)
class JoinConfig:
    """What joins sources: pairs of key fields, left and right, how, and what to insist on.

    With three or more sources each further one is joined to what came before.
    """

    on: tuple[tuple[str, str], ...]
    how: str = "left"
    validate: str = "many_to_many"

    @classmethod
    def of(cls, given: Mapping[str, Any] | JoinConfig) -> JoinConfig:
        """The configuration in the specification's form: `{"on": "user_id", "type": "left_join"}`.

        `on`: a name, a list of names, or `(left, right)` pairs; `left_on` and `right_on` likewise.

        >>> JoinConfig.of({"on": [("user_id", "id")], "type": "left_join"})
        JoinConfig(on=(('user_id', 'id'),), how='left', validate='many_to_many')
        """
        if isinstance(given, JoinConfig):
            return given
        known = {"on", "type", "how", "validate", "left_on", "right_on"}
        unknown = next((key for key in given if key not in known), None)
        if unknown is not None:
            raise XRepoConfigurationError(
                f"a join has no option {unknown!r}", asked=unknown, exists=sorted(known)
            )
        how = _how(given.get("type", given.get("how", "left")))
        return cls(_pairs(given), how, _validate(given.get("validate")))


def merge_schemas(
    schemas: Mapping[str, Schema | Mapping[str, Any]],
    join_config: Mapping[str, Any] | JoinConfig,
    name: str = "",
) -> Schema:
    """The schema of the sources' join: join keys keep their name, other fields take the last part
    of their source's name as prefix; each tells its source and lineage.

    Raises `XRepoConfigurationError` for a key that a source lacks or that has another type there.

    >>> users = {"fields": {"id": {"type": "int", "required": True}, "name": {"type": "string"}}}
    >>> orders = {"fields": {"id": {"type": "int"}, "total": {"type": "float", "required": True}}}
    >>> merged = merge_schemas({"mongo.users": users, "mongo.orders": orders}, {"on": "id"})
    >>> merged.names, merged.field("orders_total").required, merged.field("id").lineage
    (('id', 'users_name', 'orders_total'), False, ('mongo.users.id', 'mongo.orders.id'))
    """
    made = {source: Schema.of(schema) for source, schema in schemas.items()}
    config = JoinConfig.of(join_config)
    check_keys(made, config)
    return join_schema(made, config, name)


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


def view_names(schemas: Mapping[str, Schema], config: JoinConfig) -> dict[str, dict[str, str]]:
    """What each source's fields are called in the join, by short source name."""
    names = {}
    for place, (source, short) in enumerate(short_names(schemas).items()):
        keys = {(left if place == 0 else right): left for left, right in config.on}
        names[short] = {name: keys.get(name, f"{short}_{name}") for name in schemas[source].names}
    return names


def join_schema(schemas: Mapping[str, Schema], config: JoinConfig, name: str = "") -> Schema:
    """The fields of all sources by the join's names, each with where it comes from."""
    names = view_names(schemas, config)
    fields: dict[str, Field] = {}
    for place, (source, short) in enumerate(short_names(schemas).items()):
        if place and config.how in ("semi", "anti"):
            break
        for field in schemas[source].fields:
            new = names[short][field.name]
            line = f"{source}.{field.name}"
            if new in fields:
                fields[new] = replace(fields[new], lineage=(*fields[new].lineage, line))
            else:
                made = replace(field, name=new, source=source, lineage=(line,))
                fields[new] = _perhaps_null(made) if _may_lack(place, config.how) else made
    extra = (
        ("view_type", "joined"),
        ("source_schemas", dict(schemas)),
        ("join_config", {"on": [list(pair) for pair in config.on], "type": config.how}),
    )
    return Schema(tuple(fields.values()), name=name, extra=extra)


def check_keys(schemas: Mapping[str, Schema], config: JoinConfig) -> None:
    """Raises `XRepoConfigurationError` for a key that a source lacks, or keys of different types."""
    sources = list(schemas.items())
    if len(sources) < 2:
        raise XRepoConfigurationError("a join needs two sources or more", asked=", ".join(schemas))
    first, left_schema = sources[0]
    for source, schema in sources[1:]:
        for left, right in config.on:
            a, b = _key(left_schema, left, first, "left"), _key(schema, right, source, "right")
            if not _comparable(a.type, b.type):
                raise XRepoConfigurationError(
                    f"join keys of different types: {first}.{left} is {a.type}, {source}.{right} is {b.type}",
                    asked=right,
                    hint="convert one of them in its source first",
                )


def _pairs(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if "left_on" in given or "right_on" in given:
        left, right = (_listed(given.get(side)) for side in ("left_on", "right_on"))
        if not left or len(left) != len(right):
            raise XRepoConfigurationError(
                "left_on and right_on must name as many fields each", asked="left_on"
            )
        return tuple(zip(left, right, strict=True))
    on = given.get("on", "id")
    if isinstance(on, Mapping):
        return tuple((str(a), str(b)) for a, b in on.items())
    pairs = tuple((a, a) if isinstance(a, str) else tuple(a) for a in _listed(on))
    if not pairs or any(len(pair) != 2 or not all(isinstance(n, str) for n in pair) for pair in pairs):
        raise XRepoConfigurationError(
            "a join's `on` is a name, a list of names, or (left, right) pairs",
            asked="on",
            hint='on="user_id"',
        )
    return pairs


def _listed(given: Any) -> list[Any]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _how(given: str) -> str:
    how = str(given).removesuffix("_join").removesuffix("_outer")
    how = "outer" if how in ("full", "full_outer") else how
    if how not in HOW:
        raise XRepoConfigurationError(f"unknown kind of join {given!r}", asked=given, exists=HOW)
    return how


def _validate(given: str | None) -> str:
    validate = _SHORT.get(given or "m:m", given or "")
    if validate not in VALIDATE:
        raise XRepoConfigurationError(f"unknown cardinality {given!r}", asked=given, exists=VALIDATE)
    return validate


def _may_lack(place: int, how: str) -> bool:
    """Whether rows may have nothing from the source in that place."""
    return how == "outer" or (how in ("left", "asof") and place > 0) or (how == "right" and place == 0)


def _perhaps_null(field: Field) -> Field:
    return replace(field, absence="null") if field.absence == "never" else field


def _key(schema: Schema, name: str, source: str, side: str) -> Field:
    found = schema.field(name)
    if found is None:
        raise XRepoConfigurationError(
            f"the {side} side of the join, {source}, has no field {name!r}", asked=name, exists=schema.names
        )
    return found


def _comparable(a: DataType, b: DataType) -> bool:
    if "mixed" in (a.kind, b.kind) or "null" in (a.kind, b.kind):
        return True
    return a.kind == b.kind or {a.kind, b.kind} <= _NUMBERS
