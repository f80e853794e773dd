"""The engine contract, and the registry behind `engine=`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from xrepo_nb.query.plan import Plan
from xrepo_nb.schema.table import Table

Inputs = Mapping[str, Table]
"""The rows of each scan of a plan, by the scan's source name."""


@runtime_checkable
class Engine(Protocol):
    """Runs plans. Engines block: callers put them into a thread.

    All give the same answer to what they support, the *document* engine's answer. An engine whose
    preparations are worth keeping may also have `prepare(plan, inputs, variables)`, which gives the
    function that runs the plan, or the reason why it does not.
    """

    name: str

    def supports(self, plan: Plan, inputs: Inputs) -> str | None:
        """None when the engine runs the plan on inputs of these schemas by its own means, else
        the reason why not. Looks at schemas only, never at rows."""
        ...

    def collect(self, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None = None) -> Table:
        """The result. `variables` are the caller's `let` constants.

        Raises `XRepoQueryError` when the query fails on the data (divide by zero, bad cast).
        """
        ...

    def stream(
        self, plan: Plan, inputs: Inputs, batch_size: int, variables: Mapping[str, Any] | None = None
    ) -> Iterator[Table]:
        """The result in batches of about `batch_size` rows, in bounded memory where the plan
        allows it (no sort or group over everything)."""
        ...
