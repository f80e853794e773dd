"""`$setWindowFields`: outputs and their windows."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from xrepo_nb.query.evaluation import constant
from xrepo_nb.query.expressions import Expr, Literal
from xrepo_nb.query.operators import NEEDS_SORT, WINDOW_OPERATORS, WITHOUT_WINDOW
from xrepo_nb.query.parsing.accumulators import arguments
from xrepo_nb.query.parsing.expressions import Scope, expression
from xrepo_nb.query.parsing.projections import check_collisions
from xrepo_nb.query.parsing.sorts import stage_order
from xrepo_nb.query.parsing.values import (
    array,
    as_float,
    document,
    fail,
    field_path,
    is_number,
    kind,
    named_options,
    string,
    unknown,
    whole,
)
from xrepo_nb.query.plan import Plan, SetWindowFields, SortKey, Window, WindowOutput
from xrepo_nb.query.units import FIXED, UNITS


def set_window_fields(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """The node of a `$setWindowFields` stage."""
    named = named_options(given, "$setWindowFields", ("partitionBy", "sortBy", "output"), ("output",), at)
    partition = partition_expression(named.get("partitionBy"), f"{at}.partitionBy", scope)
    keys = stage_order(named, at)
    found = document(named["output"], "output", f"{at}.output")
    outputs = tuple(_output(name, value, f"{at}.output.{name}", scope, keys) for name, value in found.items())
    check_collisions([output.path for output in outputs], f"{at}.output")
    return SetWindowFields(source, partition, keys, outputs, at=at)


def partition_expression(given: Any, at: str, scope: Scope) -> Expr | None:
    """The expression that parts rows; None for a single partition."""
    if given is None:
        return None
    parsed = expression(given, at, scope)
    if isinstance(parsed, Literal) and isinstance(parsed.value, list):
        fail("a partition is not by an array", at)
    return None if isinstance(parsed, Literal) else parsed


def _output(name: str, given: Any, at: str, scope: Scope, keys: tuple[SortKey, ...]) -> WindowOutput:
    path = field_path(name, at)
    named = document(given, f"the output {name!r}", at)
    operators = [key for key in named if key != "window"]
    if len(operators) != 1:
        fail(f"the output {name!r} needs exactly one window operator", at)
    op = operators[0]
    here = f"{at}.{op}"
    signature = WINDOW_OPERATORS.get(op)
    if signature is None:
        unknown("window operator", op, WINDOW_OPERATORS, here)
    args, options = arguments(op, signature, named[op], here, scope)
    if op in NEEDS_SORT and not keys:
        fail(f"{op} needs a sortBy", here)
    window = _window(named["window"], f"{at}.window", keys, scope) if "window" in named else None
    if "window" in named and op in WITHOUT_WINDOW:
        fail(f"{op} takes no window", f"{at}.window")
    output = WindowOutput(path, op, args, options, window, here)
    _check(output, keys)
    return output


def _check(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    check = _CHECKS.get(output.op)
    if check is not None:
        check(output, keys)


def _one_key(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    if len(keys) != 1:
        fail(f"{output.op} needs a sortBy of exactly one field", output.at)


def _exponential(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    if (output.option("N") is None) == (output.option("alpha") is None):
        fail("$expMovingAvg takes either N or alpha", output.at)
    count, alpha = output.constant("N"), output.constant("alpha")
    if output.option("N") is not None:
        whole(count, "N of $expMovingAvg", output.at, least=1)
    elif not is_number(alpha) or not 0 < as_float(alpha) < 1:
        fail("alpha of $expMovingAvg is a number between 0 and 1", output.at)


def _slope(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    _one_key(output, keys)
    if output.op == "$derivative" and output.window is None:
        fail("$derivative needs a window", output.at)
    if output.option("unit") is not None:
        unit_of(output.constant("unit"), output.at, tuple(FIXED))


def _shift(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    whole(output.constant("by"), "by of $shift", output.at, most=2**31 - 1)


def _scaler(output: WindowOutput, keys: tuple[SortKey, ...]) -> None:
    bounds = []
    for name, default in (("min", 0), ("max", 1)):
        bound = default if output.option(name) is None else output.constant(name)
        if not is_number(bound):
            fail(f"{name} of $minMaxScaler is a constant number, not {kind(bound)}", output.at)
        bounds.append(as_float(bound))
    if not bounds[0] < bounds[1]:
        fail("min of $minMaxScaler is below its max", output.at)


_CHECKS = {
    "$minMaxScaler": _scaler,
    "$rank": _one_key,
    "$denseRank": _one_key,
    "$documentNumber": _one_key,
    "$linearFill": _one_key,
    "$derivative": _slope,
    "$integral": _slope,
    "$expMovingAvg": _exponential,
    "$shift": _shift,
}


def unit_of(value: Any, at: str, units: tuple[str, ...] = UNITS) -> str:
    """A unit of time by its name."""
    unit = string(value, "a unit", at)
    if unit not in units:
        fail(f"unknown unit {unit!r}", at, asked=unit, exists=units)
    return unit


def _window(given: Any, at: str, keys: tuple[SortKey, ...], scope: Scope) -> Window | None:
    named = named_options(given, "a window", ("documents", "range", "unit"), (), at)
    if "documents" in named and "range" in named:
        fail("a window is by documents or by range, not both", at)
    if "range" in named:
        return _range(named, at, keys, scope)
    if "unit" in named:
        fail("only a range window has a unit", at)
    if "documents" not in named:
        return None
    lower, upper = _bounds(named["documents"], f"{at}.documents", scope, rows=True)
    if not keys and (lower, upper) != ("unbounded", "unbounded"):
        fail("a window by documents needs a sortBy", at)
    return Window("documents", lower, upper)


def _range(named: Mapping[str, Any], at: str, keys: tuple[SortKey, ...], scope: Scope) -> Window:
    unit = unit_of(named["unit"], f"{at}.unit") if "unit" in named else None
    lower, upper = _bounds(named["range"], f"{at}.range", scope, rows=unit is not None)
    if len(keys) != 1:
        fail("a range window needs a sortBy of exactly one field", at)
    if (lower, upper) != ("unbounded", "unbounded") and keys[0].descending:
        fail("a range window needs an ascending sortBy", at)
    return Window("range", lower, upper, unit)


def _bounds(given: Any, at: str, scope: Scope, rows: bool) -> tuple[Any, Any]:
    pair = array(given, "the bounds of a window", at)
    if len(pair) != 2:
        fail("a window has two bounds", at)
    lower, upper = (_bound(item, at, scope, rows) for item in pair)
    positions = [_position(lower, -float("inf")), _position(upper, float("inf"))]
    if positions[0] > positions[1]:
        fail("the lower bound of a window is above the upper one", at)
    return lower, upper


def _bound(given: Any, at: str, scope: Scope, rows: bool) -> Any:
    if isinstance(given, str) and not given.startswith("$"):
        if given not in ("current", "unbounded"):
            fail(f"unknown bound {given!r}", at, asked=given, exists=("current", "unbounded"))
        return given
    item = constant(expression(given, at, scope), "a bound", at).value
    if rows:
        return whole(item, "a bound", at, most=2**31 - 1)
    if not is_number(item):
        fail(f"a bound is a number, 'current' or 'unbounded', not {kind(item)}", at)
    return item


def _position(bound: Any, unbounded: float) -> float:
    return 0.0 if bound == "current" else unbounded if bound == "unbounded" else as_float(bound)


def is_date(value: Any) -> bool:
    """Whether the value is a point in time."""
    return isinstance(value, (datetime.datetime, datetime.date))
