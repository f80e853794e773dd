"""`$fill`: values for fields that are null or missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.accumulators import column
from xrepo_nb.engines.document.paths import getter, put
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, stage
from xrepo_nb.engines.document.stages.partitions import partitions
from xrepo_nb.engines.document.stages.windows import compile_window
from xrepo_nb.query import plan as p
from xrepo_nb.query.expressions import FieldRef

_METHODS = {"locf": "$locf", "linear": "$linearFill"}


@stage(p.Fill)
def fill(node: p.Fill, context: Context) -> Run:
    parts = partitions(node.partition_by, node.keys, context)
    outputs = [(output.path, getter(output.path), _filler(output, node.keys)) for output in node.outputs]

    def run(rows: Rows) -> Iterator[Row]:
        for members in parts(rows):
            columns = [(path, read, values(members, context.variables)) for path, read, values in outputs]
            for i, row in enumerate(members):
                out = dict(row)
                for path, read, values in columns:
                    if v.is_absent(read(row)):
                        put(out, path, values[i])
                yield out

    return run


def _filler(
    output: p.FillOutput, keys: tuple[p.SortKey, ...]
) -> Callable[[list[Row], Mapping[str, Any]], Sequence[Any]]:
    """The values that would fill the field, for all rows of a partition."""
    if output.value is not None:
        return column(output.value)
    assert output.method is not None
    window = p.WindowOutput(output.path, _METHODS[output.method], (FieldRef(output.path),))
    return compile_window(window, keys)
