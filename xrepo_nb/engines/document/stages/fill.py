"""`$fill`: values for fields that are null or missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.paths import Getter, getter, put
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.stages.partitions import partitions
from xrepo_nb.engines.document.stages.windows import Function, compile_window
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import FieldRef, Path

_METHODS = {"locf": "$locf", "linear": "$linearFill"}


@stage(p.Fill)
def fill(node: p.Fill, context: Context) -> Run:
    """Methods look along the partitions, which come in their order; after them the values are put
    into each row, which needs no order."""
    methods = [_method(output, node) for output in node.outputs if output.method is not None]
    values = [
        (output.path, getter(output.path), compile_expression(output.value))
        for output in node.outputs
        if output.value is not None
    ]
    parts = partitions(node, context)

    def run(rows: Rows) -> Iterator[Row]:
        for row in _carried(parts(rows)) if methods else map(dict, rows):
            found = [
                (path, evaluate(row, context.variables))
                for path, read, evaluate in values
                if v.is_absent(read(row))
            ]
            for path, value in found:
                put(row, path, value)
            yield row

    def _carried(found: Iterable[list[Row]]) -> Iterator[Row]:
        for members in found:
            columns = [(path, read, fill(members, context.variables)) for path, read, fill in methods]
            for i, row in enumerate(members):
                out = dict(row)
                for path, read, column in columns:
                    if v.is_absent(read(row)):
                        put(out, path, column[i])
                yield out

    return run


def _method(output: p.FillOutput, node: p.Fill) -> tuple[Path, Getter, Function]:
    """The field, how it is read, and the values that would fill it in all rows of a partition."""
    assert output.method is not None
    window = p.WindowOutput(output.path, _METHODS[output.method], (FieldRef(output.path),), at=node.at)
    return output.path, getter(output.path), compile_window(window, node.keys)
