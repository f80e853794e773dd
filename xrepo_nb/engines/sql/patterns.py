"""Regular expressions in SQL: plain text by its own functions, simple patterns by RE2."""

from __future__ import annotations

import re

from xrepo_nb.engines.document.regexes import repetitions
from xrepo_nb.engines.sql.context import Context
from xrepo_nb.engines.sql.syntax import Condition, number
from xrepo_nb.engines.sql.values import Value
from xrepo_nb.engines.typed.reasons import decline

_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
_SIMPLE = re.compile(
    r"""(?: [^.^$*+?{}\[\]\\|()\n]                      # plain characters
          | \\[.^$*+?{}\[\]\\|()/\-]                    # escaped punctuation
          | \\d | \\D
          | \. | \^(?![*+?{])
          | \((?:\?:)?(?![?*+]) | \) | \|
          | \[\^?(?:[A-Za-z0-9_ ,;:@/.](?:-[A-Za-z0-9])?|\\d)+\]
          | (?<=[^*+?{|(^])[*+?](?![*+?{]) | \{\d{1,2}(?:,\d{0,2})?\}(?![*+?{])
        )*""",
    re.VERBOSE,
)


_MOST = 1_000
"""Repetitions from which on RE2 refuses a pattern."""


def regex(ctx: Context, value: Value, pattern: str, options: str) -> Condition:
    """Whether the text matches; declines a pattern that engines read differently."""
    if not options:
        anchored = pattern.startswith("^")
        plain = pattern[1:] if anchored else pattern
        if plain and not _SPECIAL.search(plain):
            part = ctx.literal(plain).sql
            if anchored:
                return ctx.dialect.starts(value, part, number(len(plain)))
            return ctx.dialect.contains(value, part)
    if options not in ("", "i") or not pattern.isascii() or not _SIMPLE.fullmatch(pattern):
        decline("a regular expression that SQL may read differently")
    if repetitions(pattern) > _MOST:
        decline("a regular expression that repeats too often")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        decline("a regular expression that SQL may read differently")
    return ctx.dialect.matches(value, ctx.literal(pattern).sql, options)
