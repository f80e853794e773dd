"""`$densify` and `$fill`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xrepo_nb.query.expressions import DocumentExpr, Expr, FieldRef, Path
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.order import precedes
from xrepo_nb.query.parsing.projections import check_collisions
from xrepo_nb.query.parsing.sorts import stage_order
from xrepo_nb.query.parsing.values import (
    array,
    as_float,
    document,
    fail,
    field_path,
    is_number,
    named_options,
    string,
    whole,
)
from xrepo_nb.query.parsing.windows import is_date, partition_expression, unit_of
from xrepo_nb.query.plan import Densify, Fill, FillOutput, Plan
from xrepo_nb.query.walk import overlap


def densify(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """The node of a `$densify` stage."""
    named = named_options(given, "$densify", ("field", "partitionByFields", "range"), ("field", "range"), at)
    path = field_path(string(named["field"], "field", at), f"{at}.field")
    partition = _paths(named.get("partitionByFields", []), f"{at}.partitionByFields")
    if any(overlap(path, other) for other in partition):
        fail("the densified field is none to partition by", at)
    step, unit, bounds = _range(named["range"], f"{at}.range")
    if bounds == "partition" and not partition:
        fail("the bounds 'partition' need partitionByFields", f"{at}.range.bounds")
    return Densify(source, path, partition, step, unit, bounds, at=at)


def _paths(given: Any, at: str) -> tuple[Path, ...]:
    return tuple(field_path(name, at) for name in array(given, "partitionByFields", at))


def _range(given: Any, at: str) -> tuple[Any, str | None, Any]:
    named = named_options(given, "range", ("step", "unit", "bounds"), ("step", "bounds"), at)
    step = named["step"]
    if not is_number(step) or not as_float(step) > 0:
        fail("a step is a number above zero", f"{at}.step")
    unit = unit_of(named["unit"], f"{at}.unit") if "unit" in named else None
    if unit is not None:
        step = whole(step, "a step in a unit of time", f"{at}.step")
    return step, unit, _bounds(named["bounds"], unit, f"{at}.bounds")


def _bounds(given: Any, unit: str | None, at: str) -> Any:
    if isinstance(given, str):
        if given not in ("full", "partition"):
            fail(f"unknown bounds {given!r}", at, asked=given, exists=("full", "partition"))
        return given
    pair = array(given, "bounds", at)
    if len(pair) != 2:
        fail("bounds are 'full', 'partition' or a pair [lower, upper]", at)
    wanted = is_date if unit is not None else is_number
    if not all(wanted(item) for item in pair):
        fail("bounds are " + ("dates when there is a unit" if unit else "numbers when there is no unit"), at)
    if precedes(pair[1], pair[0], at):
        fail("the lower bound is above the upper one", at)
    return tuple(pair)


def fill(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """The node of a `$fill` stage."""
    known = ("partitionBy", "partitionByFields", "sortBy", "output")
    named = named_options(given, "$fill", known, ("output",), at)
    keys = stage_order(named, at)
    found = document(named["output"], "output", f"{at}.output")
    if not found:
        fail("$fill needs at least one output", f"{at}.output")
    outputs = tuple(_fill_output(name, value, f"{at}.output.{name}", scope) for name, value in found.items())
    check_collisions([output.path for output in outputs], f"{at}.output")
    linear = any(output.method == "linear" for output in outputs)
    if any(output.method for output in outputs) and not keys:
        fail("a method of $fill needs a sortBy", at)
    if linear and len(keys) != 1:
        fail("the method 'linear' needs a sortBy of exactly one field", at)
    return Fill(source, _partition(named, at, scope), keys, outputs, at=at)


def _partition(named: Mapping[str, Any], at: str, scope: Scope) -> Expr | None:
    if "partitionByFields" not in named:
        given = named.get("partitionBy")
        if given is not None and not isinstance(given, Mapping) and not str(given).startswith("$"):
            fail("partitionBy is a field path with '$' before it, or an expression", f"{at}.partitionBy")
        return partition_expression(given, f"{at}.partitionBy", scope)
    if "partitionBy" in named:
        fail("$fill takes partitionBy or partitionByFields, not both", at)
    paths = _paths(named["partitionByFields"], f"{at}.partitionByFields")
    if not paths:
        return None
    return DocumentExpr(tuple((".".join(path), FieldRef(path)) for path in paths))


def _fill_output(name: str, given: Any, at: str, scope: Scope) -> FillOutput:
    path = field_path(name, at)
    named = document(given, f"the output {name!r}", at)
    if len(named) != 1 or next(iter(named)) not in ("value", "method"):
        fail(f"the output {name!r} takes either a value or a method", at)
    if "value" in named:
        return FillOutput(path, value=expression(named["value"], f"{at}.value", scope))
    method = string(named["method"], "method", f"{at}.method")
    if method not in ("linear", "locf"):
        fail(f"unknown method {method!r}", at, asked=method, exists=("linear", "locf"))
    return FillOutput(path, method=method)
