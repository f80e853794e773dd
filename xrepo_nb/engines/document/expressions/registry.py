"""The table of operators, and the ways to enter one.

`values`: a function of the arguments' values, the common kind; named options are passed by
keyword when they were given. `nullable`: one of positional arguments alone, and null as soon as any
of them is null or missing. `special`: what decides by itself which arguments to evaluate, with
which variables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from xrepo_nb.core.entering import entering
from xrepo_nb.core.missing import MISSING
from xrepo_nb.query.expressions import Call, Expr

Variables = Mapping[str, Any]
Evaluate = Callable[[Any, Variables], Any]
"""The value of an expression for a document under variables; `MISSING` when it has none."""
Compile = Callable[[Expr], Evaluate]
Function = TypeVar("Function", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}
SPECIALS: dict[str, Callable[[Call, Compile], Evaluate]] = {}


values = entering(FUNCTIONS)
"""Enters a function of argument values under these operator names."""


def nullable(*names: str) -> Callable[[Function], Function]:
    """Like `values`; the function is not asked when an argument is null or missing."""

    def enter(function: Function) -> Function:
        @functools.wraps(function)
        def checked(*args: Any) -> Any:
            for value in args:
                if value is None or value is MISSING:
                    return None
            return function(*args)

        values(*names)(checked)
        return function

    return enter


def stops_at_absent(args: Iterable[Any], check: Callable[[Any], object]) -> bool:
    """Whether an argument is null or missing; `check` refuses bad ones that stand before it.

    Operators of many arguments read them one by one: the first that is absent decides, and what
    stands behind it is not looked at.
    """
    for value in args:
        if value is None or value is MISSING:
            return True
        check(value)
    return False


special = entering(SPECIALS)
"""Enters a compiler of the whole call under these operator names."""
