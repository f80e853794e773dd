"""Regular expressions: those that Polars' engine is known to read exactly as MongoDB's."""

from __future__ import annotations

import re

import polars as pl

from xrepo_nb.engines.polars.logic import Condition
from xrepo_nb.engines.polars.values import Value
from xrepo_nb.engines.typed.reasons import decline

_SAME = re.compile(
    r"""(?: [A-Za-z0-9 _,;:@%&=<>~"'/!`\#.-]          # a plain character, or any but a line's end
        | \\[.^$*+?()\[\]{}|\\/-]                      # an escaped one
        | \\d | \\w                                   # ASCII classes, spelt out below
        | \[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _,;:@%=<>~"'/!.+*?$()])+\]
        | (?<=[^*+?|(^])[*+?]                         # a repeat of something
        | \((?!\?) | \(\?: | \) | \| | \^
        )*""",
    re.X,
)
_PLAIN = re.compile(r"(\^?)((?:[A-Za-z0-9 _,;:@%&=<>~\"'/!`#-]|\\[.^$*+?()\[\]{}|\\/-])*)")


def finds(pattern: str, options: str, value: Value) -> Condition:
    """Whether a pattern finds itself in the value, which must be a string.

    A literal text, at the start or anywhere, becomes a search for it. Of other patterns those go
    to Polars' engine whose every construct means the same there; the rest declines.
    """
    if value.kind != "string":
        return False
    plain = _PLAIN.fullmatch(pattern) if not options or options == "s" else None
    if plain is not None:
        text = re.sub(r"\\(.)", r"\1", plain[2])
        if not text:
            return value.is_present()
        return value.expr.str.starts_with(text) if plain[1] else value.expr.str.contains(text, literal=True)
    return value.expr.str.contains(translated(pattern, options))


def translated(pattern: str, options: str) -> str:
    """The pattern in the spelling of Polars' engine; declines unless it means exactly the same."""
    body, end = (
        (pattern[:-1], r"\n?\z") if pattern.endswith("$") and not pattern.endswith(r"\$") else (pattern, "")
    )
    if set(options) - set("i") or ("|" in body and (end or "^" in body)) or not _SAME.fullmatch(body):
        decline(f"the pattern {pattern!r}, which Polars' engine may read otherwise")
    spelt = body.replace(r"\d", "[0-9]").replace(r"\w", "[0-9A-Za-z_]") + end
    try:
        re.compile(body)
        pl.select(pl.lit("").str.contains(spelt))
    except (re.error, RecursionError, OverflowError, pl.exceptions.ComputeError):
        decline(f"the pattern {pattern!r}")
    return f"(?i){spelt}" if options else spelt
