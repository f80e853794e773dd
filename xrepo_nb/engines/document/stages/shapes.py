"""Stages that shape single rows: project, add and unset fields, replace the root, redact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.paths import put, without
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Expr, Path

Shape = Callable[[Row, Mapping[str, Any]], Row]
Tree = dict[str, Any]
"""The paths of a projection, step by step; `True` at the end of each, `False` where a value is computed."""


def _mapped(shape: Shape, context: Context) -> Run:
    variables = context.variables
    return lambda rows: (shape(row, variables) for row in rows)


@stage(p.Project)
def project(node: p.Project, context: Context) -> Run:
    return _mapped(projection(node.fields, node.inclusive), context)


def projection(fields: tuple[tuple[Path, bool | Expr], ...], inclusive: bool) -> Shape:
    """A projection as a function of one document."""
    from xrepo_nb.engines.document.stages.finds import find_field

    finds = [made for _, value in fields if (made := find_field(value)) is not None]
    special = (p.SliceOf, p.FirstMatch)
    computed = _computed(
        [
            (path, value)
            for path, value in fields
            if isinstance(value, Expr) and not isinstance(value, special)
        ]
    )
    shape = _including(fields) if inclusive else _excluding(fields)

    def apply(row: Row, variables: Mapping[str, Any]) -> Row:
        out = shape(row)
        for find in finds:
            out = find(out, row)
        return computed(out, row, variables)

    return apply


def _computed(fields: Sequence[tuple[Path, Expr]]) -> Callable[[Row, Row, Mapping[str, Any]], Row]:
    """Puts the values of expressions over a row into a new row."""
    plain = [(path[0], compile_expression(value)) for path, value in fields if len(path) == 1]
    nested = [(path, compile_expression(value)) for path, value in fields if len(path) > 1]

    def apply(out: Row, row: Row, variables: Mapping[str, Any]) -> Row:
        for name, evaluate in plain:
            value = evaluate(row, variables)
            if value is MISSING:
                out.pop(name, None)
            else:
                out[name] = value
        for path, evaluate in nested:
            put(out, path, evaluate(row, variables))
        return out

    return apply


def _including(fields: tuple[tuple[Path, bool | Expr], ...]) -> Callable[[Row], Row]:
    tree: Tree = {}
    for path, value in fields:
        if value is True or isinstance(value, (p.SliceOf, p.FirstMatch)):
            _branch(tree, path[:-1])[path[-1]] = True
        elif value is not False and len(path) > 1:
            _branch(tree, path[:-1])[path[-1]] = False
    if (("_id",), False) not in fields:
        tree.setdefault("_id", True)
    if all(below is True for below in tree.values()):
        return lambda row: {name: value for name, value in row.items() if name in tree}
    return lambda row: _kept(row, tree)


def _branch(tree: Tree, path: Path) -> Tree:
    for name in path:
        tree = tree.setdefault(name, {})
    return tree


def _kept(row: Row, tree: Tree) -> Row:
    out: Row = {}
    for name, value in row.items():
        below = tree.get(name)
        if below is True:
            out[name] = value
        elif below:
            kept = _kept_below(value, below)
            if kept is not MISSING:
                out[name] = kept
    return out


def _kept_below(value: Any, tree: Tree) -> Any:
    if isinstance(value, dict):
        return _kept(value, tree)
    if isinstance(value, list):
        found = [_kept_below(item, tree) for item in value]
        return [item for item in found if item is not MISSING]
    return {} if _computes(tree) else MISSING


def _computes(tree: Tree) -> bool:
    """Whether a value is computed below: then it also comes to scalars, which give place to documents."""
    return any(below is False or (below is not True and _computes(below)) for below in tree.values())


def _excluding(fields: tuple[tuple[Path, bool | Expr], ...]) -> Callable[[Row], Row]:
    paths = [path for path, value in fields if value is False]

    def drop(row: Row) -> Row:
        out = row
        for path in paths:
            out = without(out, path)
        return dict(out) if out is row else out

    return drop


@stage(p.AddFields)
def add_fields(node: p.AddFields, context: Context) -> Run:
    computed = _computed(node.fields)
    return _mapped(lambda row, variables: computed(dict(row), row, variables), context)


@stage(p.Unset)
def unset(node: p.Unset, context: Context) -> Run:
    drop = _excluding(tuple((path, False) for path in node.paths))
    return lambda rows: map(drop, rows)


@stage(p.ReplaceRoot)
def replace_root(node: p.ReplaceRoot, context: Context) -> Run:
    evaluate = compile_expression(node.root)

    def replace(row: Row, variables: Mapping[str, Any]) -> Row:
        root = evaluate(row, variables)
        if not isinstance(root, dict):
            raise XRepoQueryError(f"the new root is a document, not {v.type_name(root)}", at=node.at)
        return root

    return _mapped(replace, context)


@stage(p.Redact)
def redact(node: p.Redact, context: Context) -> Run:
    evaluate, variables = compile_expression(node.expr), context.variables

    def shape(value: Row, root: Row) -> Any:
        verdict = evaluate(value, {**variables, "ROOT": root})
        if verdict == "KEEP":
            return value
        if verdict == "PRUNE":
            return MISSING
        if verdict != "DESCEND":
            raise XRepoQueryError("$redact takes $$KEEP, $$PRUNE or $$DESCEND", at=node.at)
        below = {name: _redacted(item, root) for name, item in value.items()}
        return {name: item for name, item in below.items() if item is not MISSING}

    def _redacted(value: Any, root: Row) -> Any:
        if isinstance(value, dict):
            return shape(value, root)
        if isinstance(value, list):
            found = [_redacted(item, root) for item in value]
            return [item for item in found if item is not MISSING]
        return value

    def run(rows: Rows) -> Rows:
        found = (shape(row, row) for row in rows)
        return (row for row in found if row is not MISSING)

    return run
