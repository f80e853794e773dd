"""Stages and predicates as one line of text, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from xrepo_nb.query import expressions as e
from xrepo_nb.query import plan as p
from xrepo_nb.query import predicates as q

_LONG = 100


def describe(plan: p.Plan) -> str:
    """One line that tells what a stage does, without the stages below it.

    >>> describe(p.Sort(p.Scan("t"), (p.SortKey(("age",), True),)))
    'sort age desc'
    """
    text = _STAGES[type(plan)](plan) if type(plan) in _STAGES else _words(type(plan).__name__)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def predicate_text(predicate: q.Predicate) -> str:
    """A predicate as text.

    >>> predicate_text(q.And((q.Compare(("age",), "$gt", 3), q.Exists(("name",), True))))
    'age > 3 and name exists'
    """
    if isinstance(predicate, q.Compare):
        return f"{_path(predicate.path)} {_SIGNS[predicate.op]} {predicate.value!r}"
    if isinstance(predicate, q.And | q.Or):
        word = " and " if isinstance(predicate, q.And) else " or "
        parts = [_inner(item) for item in predicate.items]
        return word.join(parts) or ("everything" if isinstance(predicate, q.And) else "nothing")
    if isinstance(predicate, q.Not):
        return f"not ({predicate_text(predicate.item)})"
    if isinstance(predicate, q.Constant):
        return "everything" if predicate.value else "nothing"
    return _other(predicate)


_SIGNS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def _inner(predicate: q.Predicate) -> str:
    text = predicate_text(predicate)
    return f"({text})" if isinstance(predicate, q.And | q.Or) else text


def _other(predicate: q.Predicate) -> str:
    path = _path(getattr(predicate, "path", ()))
    if isinstance(predicate, q.In):
        return f"{path} in {_listed(map(repr, predicate.values))}"
    if isinstance(predicate, q.Exists):
        return f"{path} exists" if predicate.present else f"{path} is missing"
    if isinstance(predicate, q.Regex):
        return f"{path} matches /{predicate.pattern}/{predicate.options}"
    if isinstance(predicate, q.Truth):
        return expression_text(predicate.expr)
    return f"{path} {_words(type(predicate).__name__)}".strip()


def expression_text(expr: e.Expr) -> str:
    """An expression as text.

    >>> expression_text(e.Call("$add", (e.FieldRef(("a",)), e.Literal(1))))
    'add(a, 1)'
    """
    if isinstance(expr, e.FieldRef):
        return _path(expr.path)
    if isinstance(expr, e.Literal):
        return repr(expr.value)
    if isinstance(expr, e.Variable):
        return "$$" + ".".join((expr.name, *expr.path))
    if isinstance(expr, e.DocumentExpr):
        return "{" + ", ".join(f"{name}: {expression_text(item)}" for name, item in expr.items) + "}"
    if isinstance(expr, e.ArrayExpr):
        return "[" + ", ".join(map(expression_text, expr.items)) + "]"
    if isinstance(expr, e.Call):
        named = [f"{name}: {expression_text(item)}" for name, item in expr.options]
        return f"{expr.op[1:]}({', '.join([*map(expression_text, expr.args), *named])})"
    return _words(type(expr).__name__)


def _path(path: Iterable[str]) -> str:
    return ".".join(path)


def _listed(items: Iterable[str]) -> str:
    return "[" + ", ".join(items) + "]"


def _keys(keys: Iterable[p.SortKey]) -> str:
    return ", ".join(_path(key.path) + (" desc" if key.descending else "") for key in keys)


def _outputs(outputs: Iterable[p.Accumulator]) -> str:
    return ", ".join(f"{a.name}: {a.op[1:]}({', '.join(map(expression_text, a.args))})" for a in outputs)


def _fields(fields: Iterable[tuple[e.Path, Any]]) -> str:
    return ", ".join(
        _path(path) if what is True else f"without {_path(path)}" if what is False else _set(path, what)
        for path, what in fields
    )


def _set(path: e.Path, expr: e.Expr) -> str:
    return f"{_path(path)} = {expression_text(expr)}"


def _join(plan: p.Join) -> str:
    on = ", ".join(a if a == b else f"{a} = {b}" for a, b in plan.on)
    return f"{plan.how} join on {on}"


_STAGES: dict[type[p.Plan], Callable[[Any], str]] = {
    p.Scan: lambda s: f"scan {s.source}",
    p.Match: lambda s: f"match {predicate_text(s.predicate)}",
    p.Project: lambda s: f"project {_fields(s.fields)}",
    p.AddFields: lambda s: "add " + ", ".join(_set(path, expr) for path, expr in s.fields),
    p.Unset: lambda s: "unset " + ", ".join(map(_path, s.paths)),
    p.Group: lambda s: f"group by {expression_text(s.key)}: {_outputs(s.accumulators)}",
    p.Sort: lambda s: f"sort {_keys(s.keys)}",
    p.Limit: lambda s: f"limit {s.count:,}",
    p.Skip: lambda s: f"skip {s.count:,}",
    p.Sample: lambda s: f"sample {s.size:,}",
    p.Unwind: lambda s: f"unwind {_path(s.path)}",
    p.Lookup: lambda s: f"lookup {_path(s.target)}",
    p.UnionWith: lambda s: "union",
    p.Facet: lambda s: "facet " + ", ".join(name for name, _ in s.branches),
    p.Bucket: lambda s: f"bucket {expression_text(s.by)} by {_listed(map(repr, s.boundaries))}",
    p.ReplaceRoot: lambda s: f"replace root by {expression_text(s.root)}",
    p.Join: _join,
}
