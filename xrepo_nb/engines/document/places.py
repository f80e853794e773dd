"""Where in the query an operator failed: its place goes into the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from xrepo_nb.core.errors import XRepoQueryError

Given = ParamSpec("Given")
Found = TypeVar("Found")

FAILURES = (XRepoQueryError, ArithmeticError)
"""How an operator fails: the latter of numbers that MongoDB has no type for."""


def placed(function: Callable[Given, Found], at: str) -> Callable[Given, Found]:
    """The function, whose errors tell that they happened at this place of the query.

    Costs a call; what an operator runs a million times tells its place by `at_place` itself.
    """

    def told(*args: Given.args, **options: Given.kwargs) -> Found:
        try:
            return function(*args, **options)
        except FAILURES as error:
            raise at_place(error, at) from None

    return told


def at_place(error: XRepoQueryError | ArithmeticError, at: str) -> XRepoQueryError:
    """The error with its place in the query, unless it has one.

    >>> str(at_place(XRepoQueryError("$divide by zero"), "pipeline[0].$set.rate.$divide"))
    '$divide by zero (at pipeline[0].$set.rate.$divide)'
    """
    if isinstance(error, ArithmeticError):
        return XRepoQueryError("a number is outside the range of doubles, or a signalling NaN", at=at)
    if error.at or not at:
        return error
    return type(error)(error.message, at=at, asked=error.asked, exists=error.exists, hint=error.hint)
