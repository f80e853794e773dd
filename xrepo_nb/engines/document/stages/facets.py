"""`$facet`: several pipelines over the same rows."""

from __future__ import annotations

from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.stages.compile import Context, Rows, Run, compile_plan, stage
from xrepo_nb.query import plan as p


@stage(p.Facet)
def facet(node: p.Facet, context: Context) -> Run:
    branches = [(name, compile_plan(plan, context)) for name, plan in node.branches]

    def run(rows: Rows) -> Rows:
        shared = list(rows)
        spend(len(shared) * len(branches))
        return [{name: list(branch(shared)) for name, branch in branches}]

    return run
