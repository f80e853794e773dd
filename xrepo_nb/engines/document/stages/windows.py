"""`$setWindowFields`: for each row a value over the rows around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.accumulators import VALUES, column, compile_accumulator
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.paths import put
from xrepo_nb.engines.document.places import placed
from xrepo_nb.engines.document.sorting import array_key
from xrepo_nb.engines.document.stages import slopes
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.stages.frames import Frame, frames
from xrepo_nb.engines.document.stages.partitions import partitions, sort_values
from xrepo_nb.engines.document.stages.running import RUNNING
from xrepo_nb.query import plan as p

Function = Callable[[list[Row], Mapping[str, Any]], Sequence[Any]]
"""The values of an output for all rows of a partition."""
Keys = tuple[p.SortKey, ...]


@stage(p.SetWindowFields)
def set_window_fields(node: p.SetWindowFields, context: Context) -> Run:
    parts = partitions(node, context)
    outputs = [(output.path, compile_window(output, node.keys)) for output in node.outputs]

    def run(rows: Rows) -> Iterator[Row]:
        for members in parts(rows):
            columns = [(path, function(members, context.variables)) for path, function in outputs]
            for i, row in enumerate(members):
                out = dict(row)
                for path, values in columns:
                    put(out, path, values[i])
                yield out

    return run


def compile_window(node: p.WindowOutput, keys: Keys) -> Function:
    """One output as a function of a sorted partition."""
    made = _OPERATORS.get(node.op)
    return placed(made(node, keys) if made is not None else _aggregated(node, keys), node.at)


def _aggregated(node: p.WindowOutput, keys: Keys) -> Function:
    """An accumulator over the frame of each row; equal frames are computed once."""
    if node.op in VALUES:
        return _over_values(node, keys)
    aggregate = compile_accumulator(node)

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        return _each_frame(
            frames(node.window, rows, keys), lambda frame: aggregate(rows[slice(*frame)], variables, None)
        )

    return function


def _over_values(node: p.WindowOutput, keys: Keys) -> Function:
    read, aggregate, running = column(node.args[0]), VALUES[node.op], RUNNING.get(node.op)

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        values, seen = read(rows, variables), frames(node.window, rows, keys)
        if (
            running is not None
            and len(rows) > 1
            and all(first == 0 for first, _ in seen)
            and seen[0] != seen[-1]
        ):
            return running(values, [last for _, last in seen])
        return _each_frame(seen, lambda frame: aggregate(values[slice(*frame)]))

    return function


def _each_frame(seen: list[Frame], compute: Callable[[Frame], Any]) -> list[Any]:
    out: list[Any] = []
    before: Frame | None = None
    for frame in seen:
        if frame != before:
            spend(frame[1] - frame[0])
        out.append(out[-1] if frame == before else compute(frame))
        before = frame
    return out


def _ranks(*, dense: bool) -> Callable[[p.WindowOutput, Keys], Function]:
    def make(node: p.WindowOutput, keys: Keys) -> Function:
        def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
            key = keys[0]
            places = [array_key(value, key.descending) for value in sort_values(rows, key)]
            out: list[int] = []
            for i, place in enumerate(places):
                if i and place == places[i - 1]:
                    out.append(out[-1])
                else:
                    out.append((out[-1] if out else 0) + 1 if dense else i + 1)
            return out

        return function

    return make


def _numbers(node: p.WindowOutput, keys: Keys) -> Function:
    return lambda rows, variables: range(1, len(rows) + 1)


def _shift(node: p.WindowOutput, keys: Keys) -> Function:
    read, default = column(node.needed("output")), node.constant("default")
    by = int(v.plain(node.constant("by")))

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        values = [None if value is MISSING else value for value in read(rows, variables)]
        return [values[i + by] if 0 <= i + by < len(values) else default for i in range(len(values))]

    return function


def _moving_average(node: p.WindowOutput, keys: Keys) -> Function:
    read, count = column(node.needed("input")), node.constant("N")
    alpha = node.constant("alpha") if count is None else numbers.divide(2, numbers.add(count, 1))
    rest = numbers.subtract(1, alpha)

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        average: Any = None
        out: list[Any] = []
        for value in read(rows, variables):
            if not v.is_number(value):
                out.append(None)
                continue
            if average is None:
                average = value
            else:
                average = numbers.add(numbers.multiply(value, alpha), numbers.multiply(average, rest))
            out.append(average)
        return out

    return function


def _carried(node: p.WindowOutput, keys: Keys) -> Function:
    read = column(node.args[0])

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        last, out = None, []
        for value in read(rows, variables):
            last = last if v.is_absent(value) else value
            out.append(last)
        return out

    return function


def _interpolated(node: p.WindowOutput, keys: Keys) -> Function:
    read = column(node.args[0])

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        return slopes.interpolated(read(rows, variables), sort_values(rows, keys[0]))

    return function


def _slope(compute: Callable[..., Any]) -> Callable[[p.WindowOutput, Keys], Function]:
    def make(node: p.WindowOutput, keys: Keys) -> Function:
        read, unit = column(node.needed("input")), node.constant("unit")

        def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
            points = slopes.Points(node.op, sort_values(rows, keys[0]), read(rows, variables), unit)
            return [compute(points, *frame) for frame in frames(node.window, rows, keys)]

        return function

    return make


def _scaled(node: p.WindowOutput, keys: Keys) -> Function:
    read = column(node.needed("input"))
    low, high = (_scale(node, name, default) for name, default in (("min", 0), ("max", 1)))

    def function(rows: list[Row], variables: Mapping[str, Any]) -> Sequence[Any]:
        values = read(rows, variables)
        return [
            slopes.scaled(value, values[slice(*frame)], low, high)
            for value, frame in zip(values, frames(node.window, rows, keys), strict=True)
        ]

    return function


def _scale(node: p.WindowOutput, name: str, default: Any) -> Any:
    return default if node.option(name) is None else node.constant(name)


_OPERATORS: dict[str, Callable[[p.WindowOutput, Keys], Function]] = {
    "$rank": _ranks(dense=False),
    "$denseRank": _ranks(dense=True),
    "$documentNumber": _numbers,
    "$shift": _shift,
    "$expMovingAvg": _moving_average,
    "$locf": _carried,
    "$linearFill": _interpolated,
    "$derivative": _slope(slopes.derivative),
    "$integral": _slope(slopes.integral),
    "$minMaxScaler": _scaled,
}
