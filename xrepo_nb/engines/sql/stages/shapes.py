"""Stages that change the fields of each row: project, addFields, unset, replaceRoot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.expressions.objects import struct
from xrepo_nb.engines.sql.expressions.render import output
from xrepo_nb.engines.sql.paths import members
from xrepo_nb.engines.sql.relation import Relation
from xrepo_nb.engines.sql.stages.render import Renderer, Sources, relation
from xrepo_nb.engines.sql.values import MISSING_VALUE, Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.engines.typed.trees import computes
from xrepo_nb.query import plan as q
from xrepo_nb.query.expressions import Expr, Path
from xrepo_nb.schema.nesting import MAX_FIELDS


def project(ctx: Context, stage: q.Project, sources: Sources) -> Relation:
    """`$project`, and the projections of find."""
    _must_be_few(stage.fields)
    base = relation(ctx, stage.input, sources)
    if any(isinstance(given, Expr) for _, given in stage.fields):
        base = base.plain(ctx)
    inner = ctx.over(base.columns)
    made = inclusive(inner, stage) if stage.inclusive else exclusive(inner, stage)
    return base.with_columns(made)


def _must_be_few(fields: Sequence[Any]) -> None:
    if len(fields) > MAX_FIELDS:
        decline(f"a stage of more than {MAX_FIELDS:,} fields")


def inclusive(ctx: Context, stage: q.Project) -> dict[str, Value]:
    """Only the fields named, in the order of the input, computed ones behind."""
    tree = _tree(stage.fields)
    named = {path[0] for path, _ in stage.fields}
    if "_id" not in named and "_id" in ctx.columns:
        tree = {"_id": True, **tree}
    kept = [name for name in ctx.columns if tree.get(name) is True or isinstance(tree.get(name), dict)]
    out: dict[str, Value] = {}
    for name in kept:
        out[name] = _kept(ctx, ctx.columns[name], tree[name])
    for name, given in tree.items():
        if isinstance(given, Expr):
            out[name] = output(ctx, given)
        elif isinstance(given, dict) and name not in out:
            out[name] = _kept(ctx, MISSING_VALUE, given)
    return out


def _tree(fields: Sequence[tuple[Path, object]]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for path, given in fields:
        node = tree
        for name in path[:-1]:
            below = node.setdefault(name, {})
            if not isinstance(below, dict):
                decline("a projection of a field and of a part of it")
            node = below
        node[path[-1]] = given
    return tree


def _kept(ctx: Context, value: Value, tree: object) -> Value:
    if tree is True:
        return value
    assert isinstance(tree, dict)
    if value.kind in ("array", "mixed"):
        decline("a computed or kept field below a path")
    if value.kind != "object" and not computes(tree, Expr):
        return MISSING_VALUE
    if value.kind == "object" and value.absence != "never":
        decline("part of an object that may be absent")
    given = members(value) if value.kind == "object" else {}
    items = [
        (name, _kept(ctx, below, tree[name]))
        for name, below in given.items()
        if tree.get(name) is True or isinstance(tree.get(name), dict)
    ]
    for name, what in tree.items():
        if isinstance(what, Expr):
            items.append((name, ctx.value(what)))
        elif isinstance(what, dict) and name not in given:
            items.append((name, _kept(ctx, MISSING_VALUE, what)))
    return struct(items)


def exclusive(ctx: Context, stage: q.Project) -> dict[str, Value]:
    """All fields but the dropped ones; computed ones are set."""
    out = dict(ctx.columns)
    for path, given in stage.fields:
        if given is False:
            _drop(out, path)
    put_all(out, [(path, output(ctx, given)) for path, given in stage.fields if isinstance(given, Expr)])
    return out


def _drop(columns: dict[str, Value], path: Path) -> None:
    name = path[0]
    if name not in columns:
        return
    if len(path) == 1:
        del columns[name]
        return
    columns[name] = _without(columns[name], path[1:])


def _without(value: Value, path: Path) -> Value:
    if value.kind in ("array", "mixed"):
        decline(f"dropping a field inside a value of kind {value.kind}")
    if value.kind != "object" or value.type.field(path[0]) is None:
        return value
    if value.absence != "never":
        decline("part of an object that may be absent")
    items = members(value)
    if len(path) > 1:
        items[path[0]] = _without(items[path[0]], path[1:])
    else:
        del items[path[0]]
    return struct(list(items.items()))


def put(columns: dict[str, Value], path: Path, made: Value) -> None:
    """Sets a field, or one inside an object."""
    put_all(columns, [(path, made)])


def put_all(columns: dict[str, Value], made: Sequence[tuple[Path, Value]]) -> None:
    """Sets fields; an object in which several are set is made anew once."""
    for name, given in _tree(made).items():
        columns[name] = _set(columns.get(name, MISSING_VALUE), given)


def _set(value: Value, given: object) -> Value:
    if isinstance(given, Value):
        return given
    assert isinstance(given, dict)
    if value.kind in ("array", "mixed") or (value.kind == "object" and value.absence != "never"):
        decline("setting a field inside an array, or in an object that may be absent")
    items = members(value) if value.kind == "object" else {}
    for name, below in given.items():
        items[name] = _set(items.get(name, MISSING_VALUE), below)
    return struct(list(items.items()))


def add_fields(ctx: Context, stage: q.AddFields, sources: Sources) -> Relation:
    """`$addFields`, `$set`."""
    _must_be_few(stage.fields)
    base = relation(ctx, stage.input, sources).plain(ctx)
    inner, out = ctx.over(base.columns), dict(base.columns)
    made = [(path, output(inner, given)) for path, given in stage.fields]
    put_all(out, made)
    return base.with_columns({name: value for name, value in out.items() if not value.is_never_there})


def unset(ctx: Context, stage: q.Unset, sources: Sources) -> Relation:
    """`$unset`."""
    base = relation(ctx, stage.input, sources)
    out = dict(base.columns)
    for path in stage.paths:
        _drop(out, path)
    return base.with_columns(out)


def replace_root(ctx: Context, stage: q.ReplaceRoot, sources: Sources) -> Relation:
    """`$replaceRoot`, `$replaceWith`."""
    base = relation(ctx, stage.input, sources).plain(ctx)
    root = ctx.over(base.columns).value(stage.root)
    if root.kind != "object" or root.absence != "never":
        decline("a new root that may be no document")
    return base.with_columns(members(root))


RENDERERS: Mapping[str, Renderer] = {
    "Project": project,
    "AddFields": add_fields,
    "Unset": unset,
    "ReplaceRoot": replace_root,
}
