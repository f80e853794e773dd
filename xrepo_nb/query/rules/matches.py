"""Filters moved towards the scans, past every stage that leaves what they read alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xrepo_nb.query import plan as s
from xrepo_nb.query import predicates as p
from xrepo_nb.query.expressions import DocumentExpr, Expr, FieldRef, Path
from xrepo_nb.query.rules.joins import Schemas, push_join
from xrepo_nb.query.rules.predicates import (
    conjuncts,
    ignores_absence,
    is_fixed,
    never_fails,
    rejects_absence,
    renamed,
    simplified,
)
from xrepo_nb.query.walk import WHOLE, over, overlap, paths_of


def push_match(match: s.Match, schemas: Schemas) -> s.Plan:
    """The filter's conditions, each as far down as it may go.

    One that may fail keeps its place behind the conditions before it, which may shield it.
    """
    predicate = simplified(match.predicate)
    if predicate == p.EVERYTHING:
        return match.input
    if isinstance(match.input, (s.Scan, s.Input)):
        return match if predicate is match.predicate else s.Match(match.input, predicate, at=match.at)
    below, stuck = match.input, []
    for i, condition in enumerate(conjuncts(predicate)):
        shielded = i > 0 and not never_fails(condition)
        moved = None if shielded else sunk(condition, below, schemas)
        if moved is None:
            stuck.append(condition)
        else:
            below = moved
    if not stuck:
        return below
    return _over(below, stuck, match.at)


def _over(below: s.Plan, conditions: list[p.Predicate], at: str) -> s.Plan:
    """A match directly over another joins it, unless it might fail on rows the lower one drops."""
    if isinstance(below, s.Match):
        joined = [condition for condition in conditions if never_fails(condition)]
        if joined:
            merged = p.conjunction((*conjuncts(below.predicate), *joined))
            below = s.Match(below.input, merged, at=below.at)
            conditions = [condition for condition in conditions if not never_fails(condition)]
    return s.Match(below, p.conjunction(conditions), at=at) if conditions else below


def sunk(condition: p.Predicate, below: s.Plan, schemas: Schemas) -> s.Plan | None:
    """`below` with the condition somewhere inside it; None when it must stay above."""
    pass_ = _PASSES.get(type(below))
    if pass_ is None or not is_fixed(condition):
        return None
    return pass_(condition, below, schemas)


def _placed(condition: p.Predicate, below: s.Plan, schemas: Schemas) -> s.Plan:
    """The condition as deep as it goes below, at least directly over it."""
    moved = sunk(condition, below, schemas)
    return _over(below, [condition], "") if moved is None else moved


def _inside(stage: Any, condition: p.Predicate, schemas: Schemas) -> s.Plan:
    changed: s.Plan = over(stage, _placed(condition, stage.input, schemas))
    return changed


def _apart(condition: p.Predicate, *touched: Path) -> bool:
    """Whether the condition reads nothing of the touched paths."""
    return not any(path == WHOLE or overlap(path, t) for path in paths_of(condition) for t in touched)


def _match(condition: p.Predicate, stage: s.Match, schemas: Schemas) -> s.Plan | None:
    """Past another filter only when it moves on below that; else both become one."""
    if not never_fails(condition):
        return None
    moved = sunk(condition, stage.input, schemas)
    return None if moved is None else over(stage, moved)


def _sort(condition: p.Predicate, stage: s.Sort, schemas: Schemas) -> s.Plan | None:
    return _inside(stage, condition, schemas)


def _renamed_by(condition: p.Predicate, fields: tuple[tuple[Path, bool | Expr], ...]) -> p.Predicate | None:
    """The condition on the input when all it reads is one field, copied whole from another."""
    tops = {path[:1] for path in paths_of(condition)}
    if len(tops) != 1:
        return None
    (top,) = tops
    for path, value in fields:
        if path == top and isinstance(value, FieldRef) and len(value.path) == 1:
            return renamed(condition, top, value.path)
    return None


def _project(condition: p.Predicate, stage: s.Project, schemas: Schemas) -> s.Plan | None:
    paths = paths_of(condition)
    if not stage.inclusive:
        touched = [path for path, _ in stage.fields]
        return _inside(stage, condition, schemas) if _apart(condition, *touched) else None
    kept = {path for path, value in stage.fields if value is True}
    if (("_id",), False) not in stage.fields:
        kept.add(("_id",))
    if all(path[:1] in kept and path != WHOLE for path in paths):
        return _inside(stage, condition, schemas)
    moved = _renamed_by(condition, stage.fields)
    return None if moved is None else _inside(stage, moved, schemas)


def _add_fields(condition: p.Predicate, stage: s.AddFields, schemas: Schemas) -> s.Plan | None:
    if _apart(condition, *(path for path, _ in stage.fields)):
        return _inside(stage, condition, schemas)
    moved = _renamed_by(condition, stage.fields)
    return None if moved is None else _inside(stage, moved, schemas)


def _unset(condition: p.Predicate, stage: s.Unset, schemas: Schemas) -> s.Plan | None:
    return _inside(stage, condition, schemas) if _apart(condition, *stage.paths) else None


def _unwind(condition: p.Predicate, stage: s.Unwind, schemas: Schemas) -> s.Plan | None:
    touched = [stage.path] if stage.index_field is None else [stage.path, stage.index_field]
    if not never_fails(condition):
        return None
    if _apart(condition, *touched):
        return _inside(stage, condition, schemas)
    return _into_lookup(condition, stage, schemas)


def _into_lookup(condition: p.Predicate, stage: s.Unwind, schemas: Schemas) -> s.Plan | None:
    """A condition on looked-up rows, laid out one a row, is one on the rows to look up."""
    lookup = stage.input
    if not isinstance(lookup, s.Lookup) or lookup.target != stage.path or len(stage.path) > 1:
        return None
    if stage.index_field is not None or (stage.preserve_empty and not rejects_absence(condition)):
        return None
    moved = renamed(condition, stage.path, ())
    if moved is None or WHOLE in paths_of(moved):
        return None
    if stage.preserve_empty:
        stage = replace(stage, preserve_empty=False)
    if lookup.pipeline is None:
        return over(stage, replace(lookup, right=_placed(moved, lookup.right, schemas)))
    return over(stage, replace(lookup, pipeline=_placed(moved, lookup.pipeline, schemas)))


def _lookup(condition: p.Predicate, stage: s.Lookup | s.GraphLookup, schemas: Schemas) -> s.Plan | None:
    return _inside(stage, condition, schemas) if _apart(condition, stage.target) else None


def _union(condition: p.Predicate, stage: s.UnionWith, schemas: Schemas) -> s.Plan:
    return s.UnionWith(
        _placed(condition, stage.input, schemas), _placed(condition, stage.other, schemas), at=stage.at
    )


def _replace_root(condition: p.Predicate, stage: s.ReplaceRoot, schemas: Schemas) -> s.Plan | None:
    if not isinstance(stage.root, DocumentExpr):
        return None
    moved = _renamed_by(condition, tuple(((name,), value) for name, value in stage.root.items))
    return None if moved is None else _inside(stage, moved, schemas)


def _key_condition(condition: p.Predicate, name: Path, key: Expr | None) -> p.Predicate | None:
    """The condition on single rows that one on their common key amounts to."""
    if not (ignores_absence(condition) and never_fails(condition)):
        return None
    if isinstance(key, FieldRef) and len(key.path) == 1:
        return renamed(condition, name, key.path)
    return None


def _group(condition: p.Predicate, stage: s.Group, schemas: Schemas) -> s.Plan | None:
    moved = _key_condition(condition, ("_id",), stage.key)
    return None if moved is None else _inside(stage, moved, schemas)


def _windows(condition: p.Predicate, stage: s.SetWindowFields, schemas: Schemas) -> s.Plan | None:
    key = stage.partition_by
    if not isinstance(key, FieldRef) or not _apart(condition, *(o.path for o in stage.outputs)):
        return None
    moved = _key_condition(condition, key.path, key)
    return None if moved is None else _inside(stage, moved, schemas)


def _join(condition: p.Predicate, stage: s.Join, schemas: Schemas) -> s.Plan | None:
    if not never_fails(condition):
        return None
    return push_join(condition, stage, schemas, _placed)


_PASSES: dict[type, Callable[[p.Predicate, Any, Schemas], s.Plan | None]] = {
    s.Match: _match,
    s.Sort: _sort,
    s.Project: _project,
    s.AddFields: _add_fields,
    s.Unset: _unset,
    s.Unwind: _unwind,
    s.Lookup: _lookup,
    s.GraphLookup: _lookup,
    s.UnionWith: _union,
    s.ReplaceRoot: _replace_root,
    s.Group: _group,
    s.SetWindowFields: _windows,
    s.Join: _join,
}
