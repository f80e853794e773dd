"""Types of stages: the document that leaves each, from the one that enters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xrepo_nb.query import plan as s
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import Expr, FieldRef, Literal, Path
from xrepo_nb.query.typing.accumulators import accumulated
from xrepo_nb.query.typing.comparable import must_compare
from xrepo_nb.query.typing.expressions import Lost, Scope, type_of
from xrepo_nb.query.typing.shapes import only_paths, with_path, without_path
from xrepo_nb.query.typing.values import (
    MIXED,
    UNKNOWN,
    Value,
    array_of,
    constant,
    either,
    field_of,
    lineage,
    merged,
    object_of,
    union,
)
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field

Named = tuple[Path, Value, str | None]
"""A computed field: where, of what type, and how in text."""


class Walk:
    """One pass over a plan: the schemas of its scans, and who is told of lost paths.

    With `traced` every column carries its lineage and the text of its expression.
    """

    __slots__ = ("lost", "rows", "schemas", "traced", "variables")

    def __init__(self, schemas: Mapping[str, Schema], lost: Lost | None = None, traced: bool = False) -> None:
        self.schemas = schemas
        self.lost = lost
        self.traced = traced
        self.rows: Value = UNKNOWN
        self.variables: dict[str, Value] = {}

    def scope(self, root: Value, at: str = "") -> Scope:
        """The scope of expressions on documents of that type."""
        return Scope(root, self.variables, self.lost, at)

    def inside(self, rows: Value, variables: Mapping[str, Value] | None = None) -> Walk:
        """The walk of a sub-pipeline that starts from these rows."""
        inner = Walk(self.schemas, self.lost, self.traced)
        inner.rows = rows
        inner.variables = self.variables | dict(variables or {})
        return inner

    def type_of(self, expr: Expr, root: Value, at: str = "") -> Value:
        """The type of an expression on documents of that type."""
        return type_of(expr, self.scope(root, at))

    def require(self, root: Value, path: Path, at: str = "") -> Value:
        """The value at a path that a stage names."""
        return self.scope(root, at).find(root, path)

    def text(self, expr: Expr) -> str | None:
        """How a column is computed, when that is wanted and it is no plain field."""
        if not self.traced or isinstance(expr, FieldRef):
            return None
        from xrepo_nb.query.text import expression_text

        return expression_text(expr)


def rows_of(plan: s.Plan, walk: Walk) -> Value:
    """The type of the documents that leave a plan; mixed where it cannot be told."""
    leaf, stages = plan.chain()
    rows = _LEAVES[type(leaf)](leaf, walk)
    for stage in stages:
        rows = _STAGES[type(stage)](stage, rows, walk)
    return rows


def _at(plan: s.Stage, *steps: str) -> str:
    """A place below a stage; nothing for stages that no text was written for."""
    return ".".join((plan.at, *steps)) if plan.at else ""


def _scan(plan: s.Scan, walk: Walk) -> Value:
    schema = walk.schemas.get(plan.source)
    if schema is None or not schema.fields:
        return UNKNOWN
    if not walk.traced:
        return Value(DataType("object", schema.fields))
    return object_of(
        replace(
            f,
            source=f.source or plan.source,
            lineage=f.lineage or (f"{plan.source}.{f.name}",),
        )
        for f in schema.fields
    )


def _documents(plan: s.Documents, walk: Walk) -> Value:
    if isinstance(plan.items, Literal):
        return union([constant(item) for item in plan.items.value])
    return walk.type_of(plan.items, UNKNOWN).item


def _match(plan: s.Match, rows: Value, walk: Walk) -> Value:
    check_predicate(plan.predicate, rows, walk)
    return rows


def check_predicate(predicate: p.Predicate, root: Value, walk: Walk) -> None:
    """Looks up every path of a predicate: lost ones are told, constants of a wrong kind refused."""
    if walk.lost is None:
        return
    for node in _outer(predicate):
        if isinstance(node, p.Truth):
            walk.type_of(node.expr, root)
            continue
        path: Path = getattr(node, "path", ())
        found = walk.require(root, path, getattr(node, "at", "")) if path else root
        if path:
            must_compare(node, found)
        if isinstance(node, p.ElemMatch) and not node.on_values:
            check_predicate(node.predicate, found.item if found.kind == "array" else UNKNOWN, walk)


def _outer(predicate: p.Predicate) -> list[p.Predicate]:
    """The conditions of a predicate, not those within arrays."""
    if isinstance(predicate, (p.And, p.Or, p.All)):
        return [node for item in predicate.items for node in _outer(item)]
    return _outer(predicate.item) if isinstance(predicate, p.Not) else [predicate]


def _project(plan: s.Project, rows: Value, walk: Walk) -> Value:
    computed = [(path, value) for path, value in plan.fields if isinstance(value, Expr)]
    found: list[Named] = [
        (path, walk.type_of(value, rows, _at(plan, *path)), walk.text(value)) for path, value in computed
    ]
    kept = [path for path, value in plan.fields if value is True]
    for path in kept:
        if path != ("_id",):
            walk.require(rows, path, _at(plan, *path))
    if rows.kind != "object":
        return rows if not plan.inclusive else _only_known(plan, found)
    if not plan.inclusive:
        fields = rows.type.fields
        for path in (path for path, value in plan.fields if value is False):
            fields = without_path(fields, path)
    else:
        hidden = any(path == ("_id",) and value is False for path, value in plan.fields)
        inner = [path for path, _ in computed if len(path) > 1]
        fields = only_paths(rows.type.fields, [*([] if hidden else [("_id",)]), *kept, *inner])
        for path in inner:  # What holds it is still an array, or an object.
            fields = without_path(fields, path)
    for path, value, text in found:
        fields = with_path(fields, path, value, text)
    return object_of(fields, source=rows.lineage)


def _only_known(plan: s.Project, found: Sequence[Named]) -> Value:
    """An inclusive projection of unknown documents: the fields named, of unknown types."""
    hidden = any(path == ("_id",) and value is False for path, value in plan.fields)
    paths = [path for path, value in plan.fields if value is True and path != ("_id",)]
    fields: tuple[Field, ...] = ()
    for path in paths if hidden else [("_id",), *paths]:
        fields = with_path(fields, path, UNKNOWN)
    for path, value, text in found:
        fields = with_path(fields, path, value, text)
    return object_of(fields)


def _add_fields(plan: s.AddFields, rows: Value, walk: Walk) -> Value:
    return _with(
        rows,
        [(path, walk.type_of(expr, rows, _at(plan, *path)), walk.text(expr)) for path, expr in plan.fields],
    )


def _with(rows: Value, found: Sequence[Named]) -> Value:
    if rows.kind != "object":
        return rows
    fields = rows.type.fields
    for path, value, text in found:
        fields = with_path(fields, path, value, text)
    return Value(DataType("object", fields), "never", rows.lineage)


def _unset(plan: s.Unset, rows: Value, walk: Walk) -> Value:
    if rows.kind != "object":
        return rows
    fields = rows.type.fields
    for path in plan.paths:
        walk.require(rows, path, _at(plan, *path))
        fields = without_path(fields, path)
    return object_of(fields, source=rows.lineage)


def _outputs(outputs: tuple[s.Accumulator, ...], rows: Value, walk: Walk) -> list[Field]:
    return [
        field_of(o.name, accumulated(o, walk.scope(rows)), o.op if walk.traced else None) for o in outputs
    ]


def _group(plan: s.Group, rows: Value, walk: Walk) -> Value:
    key = field_of("_id", walk.type_of(plan.key, rows, _at(plan, "_id")).nullable(), walk.text(plan.key))
    return object_of([key, *_outputs(plan.accumulators, rows, walk)])


def _sort(plan: s.Sort, rows: Value, walk: Walk) -> Value:
    if not plan.is_natural:
        _sorted(plan.keys, rows, walk, _at(plan))
    return rows


def _sorted(keys: tuple[s.SortKey, ...], rows: Value, walk: Walk, at: str) -> None:
    for key in keys:
        walk.require(rows, key.path, at)


def _same(plan: s.Stage, rows: Value, walk: Walk) -> Value:
    return rows


def _unwind(plan: s.Unwind, rows: Value, walk: Walk) -> Value:
    value = walk.require(rows, plan.path, _at(plan))
    item = value.item if value.kind == "array" else value
    absence = either(item.absence, "both" if value.absence != "never" else "missing")
    found: list[Named] = [(plan.path, item.absent(absence if plan.preserve_empty else "null"), None)]
    if plan.index_field is not None:
        index = Value(DataType("int"), "null" if plan.preserve_empty else "never")
        found.append((plan.index_field, index, None))
    return _with(rows, found)


def _lookup(plan: s.Lookup, rows: Value, walk: Walk) -> Value:
    right = rows_of(plan.right, walk)
    if plan.local is not None:
        walk.require(rows, plan.local, _at(plan, "localField"))
    if plan.foreign is not None:
        walk.require(right, plan.foreign, _at(plan, "foreignField"))
    if plan.pipeline is not None:
        bound = {name: walk.type_of(expr, rows, _at(plan, "let", name)) for name, expr in plan.let}
        right = rows_of(plan.pipeline, walk.inside(right, bound))
    return _with(rows, [(plan.target, array_of(right), None)])


def _graph_lookup(plan: s.GraphLookup, rows: Value, walk: Walk) -> Value:
    right = rows_of(plan.right, walk)
    walk.type_of(plan.start, rows, _at(plan, "startWith"))
    walk.require(right, plan.connect_from, _at(plan, "connectFromField"))
    walk.require(right, plan.connect_to, _at(plan, "connectToField"))
    if plan.restrict is not None:
        check_predicate(plan.restrict, right, walk)
    if plan.depth_field is not None:
        right = _with(right, [(plan.depth_field, Value(DataType("int")), None)])
    return _with(rows, [(plan.target, array_of(right), None)])


def _union_with(plan: s.UnionWith, rows: Value, walk: Walk) -> Value:
    left, right = rows, rows_of(plan.other, walk)
    if left.kind != "object" or right.kind != "object":
        return UNKNOWN
    return object_of(merged(left.type.fields, right.type.fields), source=lineage(left, right))


def _facet(plan: s.Facet, rows: Value, walk: Walk) -> Value:
    inner = walk.inside(rows)
    return object_of(field_of(name, array_of(rows_of(branch, inner))) for name, branch in plan.branches)


def _bucket(plan: s.Bucket, rows: Value, walk: Walk) -> Value:
    by = walk.type_of(plan.by, rows, _at(plan, "groupBy"))
    keys = [constant(item) for item in plan.boundaries]
    keys += [constant(plan.default)] if plan.has_default else []
    key = union(keys)
    return object_of(
        [
            field_of("_id", Value(key.type, key.absence, by.lineage), walk.text(plan.by)),
            *_outputs(plan.outputs, rows, walk),
        ]
    )


def _bucket_auto(plan: s.BucketAuto, rows: Value, walk: Walk) -> Value:
    by = walk.type_of(plan.by, rows, _at(plan, "groupBy")).nullable()
    bounds = object_of([field_of("min", by), field_of("max", by)], source=by.lineage)
    return object_of([field_of("_id", bounds, walk.text(plan.by)), *_outputs(plan.outputs, rows, walk)])


def _replace_root(plan: s.ReplaceRoot, rows: Value, walk: Walk) -> Value:
    root = walk.type_of(plan.root, rows, _at(plan))
    return root.absent("never") if root.kind == "object" else UNKNOWN


def _redact(plan: s.Redact, rows: Value, walk: Walk) -> Value:
    inner = walk.inside(rows)
    inner.lost = None
    inner.type_of(plan.expr, rows)
    if rows.kind != "object":
        return rows
    return object_of((_pruned(f) for f in rows.type.fields), source=rows.lineage)


def _pruned(field: Field) -> Field:
    """A document, or an array of some, may be cut away by `$redact`."""
    has_documents = field.type.kind == "object" or (field.type.item or MIXED).kind == "object"
    return replace(field, absence=either(field.absence, "missing")) if has_documents else field


def _set_window_fields(plan: s.SetWindowFields, rows: Value, walk: Walk) -> Value:
    if plan.partition_by is not None:
        walk.type_of(plan.partition_by, rows, _at(plan, "partitionBy"))
    _sorted(plan.keys, rows, walk, _at(plan, "sortBy"))
    return _with(
        rows,
        [(o.path, accumulated(o, walk.scope(rows)), o.op if walk.traced else None) for o in plan.outputs],
    )


def _densify(plan: s.Densify, rows: Value, walk: Walk) -> Value:
    value = walk.require(rows, plan.path, _at(plan, "field"))
    for path in plan.partition_by:
        walk.require(rows, path, _at(plan, "partitionByFields"))
    if rows.kind != "object":
        return rows
    kept = {plan.path[0], *(path[0] for path in plan.partition_by)}
    fields = tuple(
        f if f.name in kept else replace(f, absence=either(f.absence, "missing")) for f in rows.type.fields
    )
    return _with(object_of(fields, source=rows.lineage), [(plan.path, value, None)])


def _fill(plan: s.Fill, rows: Value, walk: Walk) -> Value:
    if plan.partition_by is not None:
        walk.type_of(plan.partition_by, rows, _at(plan, "partitionBy"))
    _sorted(plan.keys, rows, walk, _at(plan, "sortBy"))
    return _with(
        rows, [(o.path, _filled(o, rows, walk, _at(plan, "output", *o.path)), None) for o in plan.outputs]
    )


def _filled(output: s.FillOutput, rows: Value, walk: Walk, at: str) -> Value:
    old = walk.require(rows, output.path, at)
    if output.value is not None:
        new = walk.type_of(output.value, rows, at)
        return union([old.absent("never"), new])
    if output.method == "linear":
        return Value(DataType("float") if old.kind == "int" else old.type, "null", old.lineage)
    return old.nullable()


def _join(plan: s.Join, walk: Walk) -> Value:
    left, right = rows_of(plan.left, walk), rows_of(plan.right, walk)
    for a, b in plan.on:
        walk.require(left, (a,))
        walk.require(right, (b,))
    if left.kind != "object" or right.kind != "object":
        return left if plan.how in ("semi", "anti") else UNKNOWN
    if plan.how in ("semi", "anti"):
        return left
    shared = {a for a, b in plan.on if a == b}
    loose_left = plan.how in ("right", "outer")
    loose_right = plan.how in ("left", "outer", "asof")
    fields = [f if f.name in shared else _loose(f, loose_left) for f in left.type.fields]
    fields += [_loose(f, loose_right) for f in right.type.fields if f.name not in shared]
    return object_of(fields, source=lineage(left, right))


def _loose(field: Field, loose: bool) -> Field:
    """A column of the side that may have no row to match."""
    return replace(field, absence=either(field.absence, "null")) if loose else field


def _merge(plan: s.Merge, rows: Value, walk: Walk) -> Value:
    bound = {name: walk.type_of(expr, rows) for name, expr in plan.let}
    if isinstance(plan.when_matched, s.Plan):
        rows_of(plan.when_matched, walk.inside(UNKNOWN, bound | {"new": rows}))
    return rows


_LEAVES: dict[type, Callable[[Any, Walk], Value]] = {
    s.Scan: _scan,
    s.Input: lambda plan, walk: walk.rows,
    s.Documents: _documents,
    s.Join: _join,
}

_STAGES: dict[type, Callable[[Any, Value, Walk], Value]] = {
    s.Match: _match,
    s.Project: _project,
    s.AddFields: _add_fields,
    s.Unset: _unset,
    s.Group: _group,
    s.Sort: _sort,
    **dict.fromkeys((s.Limit, s.Skip, s.Sample, s.Out), _same),
    s.Unwind: _unwind,
    s.Lookup: _lookup,
    s.GraphLookup: _graph_lookup,
    s.UnionWith: _union_with,
    s.Facet: _facet,
    s.Bucket: _bucket,
    s.BucketAuto: _bucket_auto,
    s.ReplaceRoot: _replace_root,
    s.Redact: _redact,
    s.SetWindowFields: _set_window_fields,
    s.Densify: _densify,
    s.Fill: _fill,
    s.Merge: _merge,
}
