"""Names with dots: a path that spells a field's own name means that field.

A column of a table may be called `Sepal.Length`. A filter writes it as it would a path, and only
the schema tells the two apart. A field `Sepal` that may hold a `Length` goes first, as in MongoDB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from xrepo_nb.query.expressions import ROOTS, FieldRef, Literal, Path, Variable
from xrepo_nb.query.plan import Plan
from xrepo_nb.query.typing.values import Value, resolved, root_of
from xrepo_nb.schema.schema import Schema

Node = TypeVar("Node")


def names_with_dots(schema: Schema) -> Collection[str]:
    """The names with dots of the schema's fields that no path into another field spells.

    >>> number = {"type": "int"}
    >>> sorted(names_with_dots(Schema.of({"fields": {"a": number, "a.1": number, "b.c": number}})))
    ['a.1', 'b.c']
    """
    names = [name for name in schema.names if "." in name]
    if not names:
        return ()
    root = root_of(schema)
    return frozenset(name for name in names if not _is_path(tuple(name.split(".")), schema, root))


def names_with_dots_of_all(schemas: Iterable[Schema]) -> frozenset[str]:
    """The names with dots of all schemas, without those that are a path in another."""
    known = [(schema, names_with_dots(schema)) for schema in schemas]
    return frozenset(
        name
        for _, names in known
        for name in names
        if all(name in own or schema.field(name.partition(".")[0]) is None for schema, own in known)
    )


def _is_path(path: Path, schema: Schema, root: Value) -> bool:
    """Whether the first step is a field that may hold the rest; one that holds nulls alone does not."""
    first = schema.field(path[0])
    return first is not None and first.type.kind != "null" and resolved(root, path) is not None


def path_of(name: str, names: Collection[str]) -> Path:
    """The path that a text means, where fields have these names with dots.

    >>> path_of("home.city", ()), path_of("Sepal.Length", ["Sepal.Length"])
    (('home', 'city'), ('Sepal.Length',))
    """
    return _read(tuple(name.split(".")), names)


def with_names(plan: Plan, names: Collection[str]) -> Plan:
    """The plan, in which paths that spell one of these names mean the field of that name."""
    return plan.transform(lambda node: _changed(node, names)) if names else plan


def named(node: Node, names: Collection[str]) -> Node:
    """A predicate, expression or update, in which paths that spell one of these names mean it.

    >>> named(FieldRef(("a", "b")), ["a.b"])
    FieldRef(path=('a.b',))
    """
    return _changed(node, names) if names else node


def _read(path: Path, names: Collection[str]) -> Path:
    for length in range(len(path), 1, -1):
        if ".".join(path[:length]) in names:
            return (".".join(path[:length]), *path[length:])
    return path


def _changed(node: Any, names: Collection[str]) -> Any:
    """The node with its paths read; those within arrays, of variables and in plans below stay."""
    if isinstance(node, FieldRef):
        return FieldRef(_read(node.path, names))
    if isinstance(node, Literal) or (isinstance(node, Variable) and node.name not in ROOTS):
        return node
    new = {}
    for item in fields(node):
        if item.name == "predicate" and not isinstance(node, Plan):
            continue
        old = getattr(node, item.name)
        found = _within(old, names, "Path" in str(item.type))
        if found is not old:
            new[item.name] = found
    return replace(node, **new) if new else node


def _within(value: Any, names: Collection[str], may_be_path: bool) -> Any:
    if isinstance(value, tuple) and value:
        if may_be_path and all(isinstance(step, str) for step in value):
            return _read(value, names)
        return tuple(_within(item, names, may_be_path) for item in value)
    if is_dataclass(value) and not isinstance(value, (Plan, type)):
        return _changed(value, names)
    return value
