"""`$densify`: rows for the steps of a range that no row stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import dates, limits, numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.paths import getter, put
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.units import FIXED, MONTHS

Part = tuple[list[tuple[Path, Any]], list[Row]]


@stage(p.Densify)
def densify(node: p.Densify, context: Context) -> Run:
    read = getter(node.path)

    def run(rows: Rows) -> Iterator[Row]:
        parts, apart = _parts(rows, node, read)
        yield from apart
        whole = [read(row) for _, members in parts for row in members]
        made = 0
        for fields, members in parts:
            for row, is_new in _dense(node, read, fields, members, whole):
                made += is_new
                if made > limits.MAX_DENSIFIED:
                    limits.exceeded("the rows that $densify adds", limits.MAX_DENSIFIED)
                yield row

    return run


def _parts(rows: Rows, node: p.Densify, read: Callable[[Row], Any]) -> tuple[list[Part], list[Row]]:
    """The rows by partition, and apart those whose field is null or missing. A given range is filled
    even where there is no row."""
    readers = [(path, getter(path)) for path in node.partition_by]
    found: dict[Any, Part] = {}
    apart: list[Row] = []
    for row in rows:
        value = read(row)
        fields = [(path, get(row)) for path, get in readers]
        if v.is_absent(value):
            apart.append(row)
            continue
        _check(value, node)
        key = tuple(v.hash_key(item) for _, item in fields)
        found.setdefault(key, (fields, []))[1].append(row)
    if not node.partition_by and not isinstance(node.bounds, str):
        found.setdefault((), ([], []))
    return list(found.values()), apart


def _check(value: Any, node: p.Densify) -> None:
    name = v.type_name(value)
    if node.unit is None and not v.is_number(value):
        raise XRepoQueryError(f"$densify without a unit takes numbers, not {name}", at=node.at)
    if node.unit is not None and name != "date":
        raise XRepoQueryError(f"$densify with a unit takes dates, not {name}", at=node.at)


def _dense(
    node: p.Densify,
    read: Callable[[Row], Any],
    fields: list[tuple[Path, Any]],
    rows: list[Row],
    whole: list[Any],
) -> Iterator[tuple[Row, bool]]:
    rows = sorted(rows, key=lambda row: v.key(read(row)))
    low, high, closed = _bounds(node, [read(row) for row in rows], whole)
    steps = _steps(low, high, node, closed=closed)
    step = next(steps, MISSING)
    for row in rows:
        place = v.key(read(row))
        while step is not MISSING and v.key(step) < place:
            yield _new_row(fields, node.path, step), True
            step = next(steps, MISSING)
        while step is not MISSING and v.key(step) == place:
            step = next(steps, MISSING)
        yield row, False
    while step is not MISSING:
        yield _new_row(fields, node.path, step), True
        step = next(steps, MISSING)


def _bounds(node: p.Densify, own: list[Any], whole: list[Any]) -> tuple[Any, Any, bool]:
    """The range to fill, and whether its end belongs to it."""
    if isinstance(node.bounds, str):
        values = own if node.bounds == "partition" else whole
        return min(values, key=v.key), max(values, key=v.key), True
    return *node.bounds, False


def _steps(low: Any, high: Any, node: p.Densify, *, closed: bool) -> Iterator[Any]:
    if _distance(low, high, node) > limits.MAX_DENSIFIED:
        limits.exceeded("the rows that $densify adds", limits.MAX_DENSIFIED)
    end, i = v.key(high), 0
    value, place = low, v.key(low)
    while place < end or (closed and place == end):
        yield value
        i += 1
        value = _moved(low, value, i, node)
        before, place = place, v.key(value)
        if not before < place:
            raise XRepoQueryError("the step of $densify is too small for its values", at=node.at)


def _distance(low: Any, high: Any, node: p.Densify) -> float:
    """About how many steps lie between two values."""
    step = numbers.as_double(node.step)
    if node.unit is None:
        return (numbers.as_double(high) - numbers.as_double(low)) / step
    size = FIXED.get(node.unit) or MONTHS[node.unit] * 31 * dates.DAY
    return (dates.micros(high) - dates.micros(low)) / (step * size)


def _moved(low: Any, value: Any, count: int, node: p.Densify) -> Any:
    """The next step: one more after a number, the `count`th after the first date."""
    if node.unit is None:
        return numbers.add(value, node.step)
    return dates.from_micros(dates.add_units(dates.micros(low), node.unit, count * int(v.plain(node.step))))


def _new_row(fields: list[tuple[Path, Any]], path: Path, value: Any) -> Row:
    out: Row = {}
    for field, item in fields:
        if item is not MISSING:
            put(out, field, item)
    put(out, path, value)
    return out
