"""From a join's configuration to its plan and its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.query.expressions import FieldRef
from xrepo_nb.query.plan import Join, Plan, Project, Scan, UnionWith
from xrepo_nb.repos.naming import renamed, short_names
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

HOW = ("left", "inner", "right", "outer", "semi", "anti", "asof")
VALIDATE = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")

_NUMBERS = frozenset({"int", "float", "decimal"})


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


_SHORT = {"1:1": "one_to_one", "1:m": "one_to_many", "m:1": "many_to_one", "m:m": "many_to_many"}


def _validate(given: str | None) -> str:
    validate = _SHORT.get(given or "m:m", given or "")
    if validate not in VALIDATE:
        raise XRepoConfigurationError(f"unknown cardinality {given!r}", asked=given, exists=VALIDATE)
    return validate


@dataclass(frozen=True, slots=True)
class Shape:
    """A view's plan over its sources, its schema, and what it calls each source's fields."""

    plan: Plan
    schema: Schema
    names: Mapping[str, Mapping[str, str]]


def join_shape(schemas: Mapping[str, Schema], config: JoinConfig, name: str = "") -> Shape:
    """The join of the sources, in their order."""
    short = short_names(schemas)
    check_keys(schemas, config)
    names = _view_names(schemas, config, short)
    parts = [_named(source, names[short[source]]) for source in schemas]
    on = tuple((left, left) for left, _ in config.on)
    plan = reduce(lambda a, b: Join(a, b, on, config.how, config.validate), parts)
    return Shape(plan, join_schema(schemas, config, name), names)


def _view_names(
    schemas: Mapping[str, Schema], config: JoinConfig, short: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    names = {}
    for place, (source, schema) in enumerate(schemas.items()):
        keys = {(left if place == 0 else right): left for left, right in config.on}
        names[short[source]] = renamed(schema.names, short[source], keys)
    return names


def _named(source: str, names: Mapping[str, str]) -> Plan:
    chosen: list[tuple[tuple[str, ...], Any]] = [
        ((new,), True if new == old else FieldRef((old,))) for old, new in names.items()
    ]
    if "_id" not in names.values():
        chosen.append((("_id",), False))
    return Project(Scan(source), tuple(chosen), inclusive=True)


def join_schema(schemas: Mapping[str, Schema], config: JoinConfig, name: str = "") -> Schema:
    """The fields of all sources by the view's names, each with where it comes from."""
    short = short_names(schemas)
    names = _view_names(schemas, config, short)
    fields: dict[str, Field] = {}
    for place, (source, schema) in enumerate(schemas.items()):
        if place and config.how in ("semi", "anti"):
            break
        for field in schema.fields:
            new = names[short[source]][field.name]
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


def _may_lack(place: int, how: str) -> bool:
    """Whether rows may have nothing from the source in that place."""
    return how == "outer" or (how in ("left", "asof") and place > 0) or (how == "right" and place == 0)


def _perhaps_null(field: Field) -> Field:
    return replace(field, absence="null") if field.absence == "never" else field


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


def union_shape(schemas: Mapping[str, Schema], name: str = "") -> Shape:
    """The rows of all sources one after another, fields by their own names."""
    from xrepo_nb.schema.unite import united_field

    fields: dict[str, Field] = {}
    for source, schema in schemas.items():
        for field in schema.fields:
            line = (f"{source}.{field.name}",)
            there = fields.get(field.name)
            if there is None:
                fields[field.name] = replace(field, lineage=line)
                continue
            both = united_field(there, field)
            kind = both.type if both is not None else DataType("mixed")
            fields[field.name] = replace(there, type=kind, lineage=there.lineage + line)
    parts: list[Plan] = [Scan(source) for source in schemas]
    plan = reduce(UnionWith, parts)
    extra = (("view_type", "union"), ("source_schemas", dict(schemas)))
    names: Sequence[str] = tuple(fields)
    short = short_names(schemas)
    same = {short[source]: {n: n for n in names} for source in schemas}
    return Shape(plan, Schema(tuple(fields.values()), name=name, extra=extra), same)
