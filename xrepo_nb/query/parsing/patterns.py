"""Regular expressions within a query: the pattern's text and its options."""

from __future__ import annotations

import re
from typing import Any

from xrepo_nb.query.parsing.limits import check_pattern
from xrepo_nb.query.parsing.values import copied, fail, is_pattern, is_text

FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
"""The options that Python's patterns know, by letter."""


def letters_of(flags: int) -> str:
    """The option letters of a pattern's flags, sorted.

    >>> letters_of(re.MULTILINE | re.IGNORECASE)
    'im'
    """
    return "".join(letter for letter, mask in FLAGS.items() if flags & mask)


def pattern_parts(value: Any, at: str) -> tuple[str, str]:
    """The text and the options of a pattern given as a string, `re.Pattern` or BSON regex."""
    pattern = value if isinstance(value, str) else value.pattern
    if isinstance(pattern, bytes):
        fail("a pattern is text, not bytes", at)
    if "\0" in pattern:
        fail("a pattern holds no null byte", at)
    check_pattern(pattern, at)
    return pattern, "" if isinstance(value, str) else letters_of(value.flags)


def listed(item: Any, at: str) -> Any:
    """One of several values to equal, safe from later changes; a pattern among them is looked at."""
    if is_pattern(item):
        pattern_parts(item, at)
    return copied(item, at)


def options_of(value: Any, at: str) -> str:
    """The option letters, sorted, each once."""
    if not is_text(value) or not set(value) <= set("imsxu"):
        fail(f"the options of a pattern are letters out of 'imsxu', not {value!r}", at)
    return "".join(sorted(set(value)))
