"""Bounds that keep one query from taking all time or memory; each raises `XRepoLimitError`."""

from __future__ import annotations

from typing import NoReturn

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.engines.document.meter import spend

MAX_DEPTH = 200
"""Levels of nested expressions, predicates and documents."""
MAX_ELEMENTS = 5_000_000
"""Elements of one array that an operator makes."""
MAX_TEXT = 16 * 2**20
"""Characters of one string that an operator makes."""
MAX_DENSIFIED = 500_000
"""Rows that one `$densify` adds."""
REGEX_SECONDS = 0.25
"""Processor time for one match of a regular expression."""
REGEX_REPETITIONS = 100_000
"""Parts of a pattern when its counted repeats are written out."""
REGEX_SLOW_SECONDS = 0.005
"""A match that takes longer counts towards the bound of a whole query."""
REGEX_TOTAL_SECONDS = 5.0
"""How long the slow matches of one pattern may take in a query."""
MAX_GRAPH_DOCUMENTS = 1_000_000
"""Documents that one row's `$graphLookup` may reach."""


def exceeded(what: str, bound: float) -> NoReturn:
    """Raises the error of a passed bound."""
    raise XRepoLimitError(f"{what}: more than {bound:,}")


def checked_text(text: str) -> str:
    """The text, unless it is too long."""
    if len(text) > MAX_TEXT:
        exceeded("the length of a string", MAX_TEXT)
    spend(len(text) >> 5)
    return text


def checked_size(count: int) -> int:
    """The number of elements about to be made, unless it is too large."""
    if count > MAX_ELEMENTS:
        exceeded("the elements of an array", MAX_ELEMENTS)
    spend(count)
    return count
