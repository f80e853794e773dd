"""Long expressions count for as many values as they have parts, so that they cannot go on unseen."""

from __future__ import annotations

from itertools import islice
from typing import Any

from xrepo_nb.engines.document.expressions.registry import Evaluate, Variables
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.query.expressions import Expr

_FEW = 64
"""So many parts end with the rows or elements that they are evaluated for, which are counted."""
_MANY = 4_096
"""As many are counted at most."""


def weighed(expression: Expr, evaluate: Evaluate) -> Evaluate:
    """The compiled expression, which counts its parts each time where they are many."""
    count = sum(1 for _ in islice(expression.walk(), _MANY))
    if count <= _FEW:
        return evaluate

    def counted(document: Any, variables: Variables) -> Any:
        spend(count)
        return evaluate(document, variables)

    return counted
