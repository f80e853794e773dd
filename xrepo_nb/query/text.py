"""Plans as text: one line a stage, in MongoDB's words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from xrepo_nb.core.errors import XRepoUnsupportedError
from xrepo_nb.query import plan as s
from xrepo_nb.query.expressions import Expr
from xrepo_nb.query.predicates import Predicate
from xrepo_nb.query.unparsing import unparse_expression, unparse_predicate, unparse_projection
from xrepo_nb.query.unparsing.expressions import dotted, unparse_let
from xrepo_nb.query.unparsing.stages import unparse_stage

_SHOWN = 10


def describe(plan: s.Plan) -> str:
    """The plan as text: scans first, a line a stage, what stages read besides indented.

    >>> from xrepo_nb.query.parsing import parse_pipeline
    >>> stages = [{"$match": {"age": {"$gte": 18}}}, {"$sort": {"name": 1}}, {"$limit": 5}]
    >>> print(describe(parse_pipeline(stages, s.Scan("users"))))
    scan users
    $match {age: {$gte: 18}}
    $sort {name: 1}
    $limit 5
    """
    return "\n".join(_lines(plan))


def _lines(plan: s.Plan) -> list[str]:
    leaf, stages = plan.chain()
    return [line for node in (leaf, *stages) for line in _stage_lines(node)]


def _stage_lines(stage: s.Plan) -> list[str]:
    own = [describe_stage(stage)]
    for name, other in _other_plans(stage):
        own += [f"  {name}:", *(f"    {line}" for line in _lines(other))]
    return own


def _other_plans(plan: s.Plan) -> tuple[tuple[str, s.Plan], ...]:
    """The plans that a stage reads besides its input, with the part that each plays."""
    if isinstance(plan, s.Join):
        return ("left", plan.left), ("right", plan.right)
    if isinstance(plan, s.Lookup):
        right = () if isinstance(plan.right, s.Scan) else (("right", plan.right),)
        return right if plan.pipeline is None else (*right, ("pipeline", plan.pipeline))
    if isinstance(plan, s.GraphLookup) and not isinstance(plan.right, s.Scan):
        return (("right", plan.right),)
    if isinstance(plan, s.UnionWith) and not isinstance(plan.other, s.Scan):
        return (("other", plan.other),)
    return plan.branches if isinstance(plan, s.Facet) else ()


def describe_stage(plan: s.Plan) -> str:
    """One stage as a line, without what stands below it."""
    if isinstance(plan, s.Scan):
        return f"scan {plan.source}"
    if isinstance(plan, s.Input):
        return "input"
    if isinstance(plan, s.Join):
        keys = ", ".join(a if a == b else f"{a} = {b}" for a, b in plan.on)
        return f"join {plan.how} on {keys}"
    if isinstance(plan, s.Documents):
        return f"$documents {expression_text(plan.items)}"
    assert isinstance(plan, s.Stage)
    name, value = _written(plan)
    return f"{name} {shown(value)}" if value != {} else name


def _written(stage: s.Stage) -> tuple[str, Any]:
    if isinstance(stage, s.Project):
        return "$project", unparse_projection(stage.fields)
    if isinstance(stage, s.Facet):
        return "$facet", {}
    if isinstance(stage, s.Lookup):
        return "$lookup", _lookup_summary(stage)
    try:
        ((name, value),) = unparse_stage(stage).items()
    except XRepoUnsupportedError:
        name, value = "$" + type(stage).__name__[:1].lower() + type(stage).__name__[1:], {}
    return name, value


def _lookup_summary(stage: s.Lookup) -> dict[str, Any]:
    given: dict[str, Any] = {"from": stage.right.source} if isinstance(stage.right, s.Scan) else {}
    if stage.local is not None and stage.foreign is not None:
        given.update(localField=dotted(stage.local), foreignField=dotted(stage.foreign))
    if stage.let:
        given["let"] = unparse_let(stage.let)
    return {**given, "as": dotted(stage.target)}


def predicate_text(predicate: Predicate) -> str:
    """A predicate as a filter document in text."""
    return shown(unparse_predicate(predicate))


def expression_text(expr: Expr) -> str:
    """An expression as text.

    >>> from xrepo_nb.query.parsing import parse_expression
    >>> expression_text(parse_expression({"$add": ["$a", 1]}))
    "{$add: ['$a', 1]}"
    """
    try:
        return shown(unparse_expression(expr))
    except KeyError:
        return type(expr).__name__


def shown(value: Any) -> str:
    """A document as short text: long arrays and strings are cut."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        items = [shown(item) for item in value[:_SHOWN]]
        more = [f"... {len(value) - _SHOWN} more"] if len(value) > _SHOWN else []
        return "[" + ", ".join(items + more) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
