"""Stages that choose or compute fields: project, add fields, unset, replace root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from xrepo_nb.engines.polars.frame import Frame
from xrepo_nb.engines.polars.paths import each_element, element, member
from xrepo_nb.engines.polars.planning import Lowering, lowers_stage
from xrepo_nb.engines.polars.scope import document
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline
from xrepo_nb.engines.typed.trees import computes
from xrepo_nb.query.expressions import Expr, Path
from xrepo_nb.query.plan import AddFields, Project, ReplaceRoot, Unset
from xrepo_nb.schema.types import DataType

Tree = dict[str, Any]
"""What becomes of each field: True, False, an expression's `Value`, or a tree for the fields below."""


@lowers_stage(Project)
def _project(stage: Project, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    scope = lowering.scope(frame)
    tree = _tree((path, scope.lower(f) if isinstance(f, Expr) else f) for path, f in stage.fields)
    return _inclusive(frame, tree) if stage.inclusive else _exclusive(frame, tree)


def _tree(items: Iterable[tuple[Path, Any]]) -> Tree:
    out: Tree = {}
    for path, what in items:
        below = out
        for name in path[:-1]:
            below = below.setdefault(name, {})
        below[path[-1]] = what
    return out


def _inclusive(frame: Frame, tree: Tree) -> Frame:
    values: dict[str, Value] = {}
    if "_id" in frame.columns and "_id" not in tree:
        tree = {"_id": True} | tree
    for name, what in tree.items():
        column = frame.columns.get(name)
        if isinstance(what, Value):
            values[name] = what
        elif (kept := _included(column.value(name) if column else None, what)) is not None:
            values[name] = kept
    plain = [n for n, what in tree.items() if what is True and n in values]
    if len(plain) == len(values):
        return frame.select(plain)
    return frame.rebuild(values, constant=not plain)


def _included(value: Value | None, what: Any) -> Value | None:
    if isinstance(what, Value):
        return what
    if what is True:
        return value
    if what is False:
        return None
    return _included_below(value, what)


def _included_below(value: Value | None, tree: Tree) -> Value | None:
    """Only some fields of an object."""
    if computes(tree, Value):
        return _computed_below(value, tree)
    if value is not None and value.kind == "mixed":
        decline("a projection below a field of mixed type")
    if value is None or value.kind not in ("object", "array"):
        return None
    if value.kind == "array":
        decline("a projection of fields within an array")
    inner = {}
    for name, what in tree.items():
        field = member(replace(value, absence="never"), name)
        kept = _included(field if value.type.field(name) else None, what)
        if kept is not None:
            inner[name] = kept
    # What is no object, null as well, is left out.
    there = value if value.absence == "never" else replace(value, absence="missing", missing=None)
    return _rebuilt(there, inner)


def _computed_below(value: Value | None, tree: Tree) -> Value:
    """An object with computed fields, beside those that are kept of the given one."""
    if value is not None and value.kind in ("array", "mixed"):
        decline(f"computed fields below one of type {value.type}")
    fields = {}
    for name, what in tree.items():
        known = value is not None and value.type.field(name) is not None
        kept = _included(member(value, name) if known and value is not None else None, what)
        if kept is not None:
            fields[name] = kept
    return document(fields)


def _rebuilt(value: Value, fields: Mapping[str, Value]) -> Value:
    """An object of those fields, where the given object is there."""
    if not fields:
        decline("an object without fields")
    whole = document(fields)
    if value.absence == "never":
        return whole
    made = pl.when(value.expr.is_not_null()).then(whole.expr)
    if value.absence == "both":
        return Value(made, whole.type, "both", value.missing)
    return Value(made, whole.type, value.absence)


def _exclusive(frame: Frame, tree: Tree) -> Frame:
    dropped = [name for name, what in tree.items() if what is False and name in frame.columns]
    changed: dict[str, Value] = {}
    for name, what in tree.items():
        if isinstance(what, bool) or name not in frame.columns:
            continue
        if isinstance(what, Value):
            changed[name] = what
        else:
            changed[name] = _excluded(frame.columns[name].value(name), what)
    if changed:
        frame = frame.assign(changed)
    return frame.drop(dropped) if dropped else frame


def _excluded(value: Value, tree: Tree) -> Value:
    """An object without some fields, also within the elements of arrays."""
    if value.kind == "mixed":
        decline("a projection below a field of mixed type")
    if value.kind == "array":
        item = value.type.item
        if item is None or item.kind not in ("object", "array"):
            return value
        inner = _excluded(element(item), tree)
        type_ = DataType("array", item=inner.type)
        return Value(each_element(value.expr, inner.expr, inner.type), type_, value.absence, value.missing)
    if value.kind != "object":
        return value
    there = replace(value, absence="never")
    fields = {}
    for field in value.type.fields:
        what = tree.get(field.name)
        if what is False:
            continue
        below = member(there, field.name)
        fields[field.name] = _excluded(below, what) if isinstance(what, dict) else below
    return _rebuilt(value, fields)


@lowers_stage(Unset)
def _unset(stage: Unset, lowering: Lowering) -> Frame:
    return _exclusive(lowering.frame(stage.input), _tree((path, False) for path in stage.paths))


@lowers_stage(AddFields)
def _add_fields(stage: AddFields, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    scope = lowering.scope(frame)
    return added(frame, {path: scope.lower(expr) for path, expr in stage.fields})


def added(frame: Frame, values: Mapping[Path, Value]) -> Frame:
    """The rows with values set at paths; each value sees the rows as they were."""
    tree = _tree(values.items())
    return frame.assign({name: _added(frame, name, what) for name, what in tree.items()})


def _added(frame: Frame, name: str, what: Any) -> Value:
    if isinstance(what, Value):
        return what
    found = frame.columns.get(name)
    return _set_below(None if found is None else found.value(name), what)


def _set_below(value: Value | None, tree: Tree) -> Value:
    """An object with fields set; what is no object gives place to one."""
    if value is not None and value.kind in ("array", "mixed"):
        decline(f"fields set below one of type {value.type}")
    fields: dict[str, Value] = {}
    if value is not None and value.kind == "object":
        fields = {field.name: member(value, field.name) for field in value.type.fields}
    for name, what in tree.items():
        fields[name] = what if isinstance(what, Value) else _set_below(fields.get(name), what)
    return document(fields)


@lowers_stage(ReplaceRoot)
def _replace_root(stage: ReplaceRoot, lowering: Lowering) -> Frame:
    frame = lowering.frame(stage.input)
    root = lowering.scope(frame).typed(stage.root)
    if root.kind != "object" or root.may_be_absent:
        decline("a new root that may be no document")
    return frame.rebuild({field.name: member(root, field.name) for field in root.type.fields})
