"""Regular expressions in PCRE's spelling, matched within a bound of time.

Classes (`\\w`, `\\d`, `\\s`, `\\b`, `[[:alpha:]]`) mean ASCII and case is folded for all of Unicode, as in
MongoDB. Patterns run on the `regex` package, which can stop a match after a given time; short
texts and patterns without nested or repeated unbounded repeats need no watch.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.engines.document import limits
from xrepo_nb.engines.document.meter import spend

_SHORT = 2000
"""Below this length a pattern with at most one unbounded repeat is fast in any case."""


class Pattern:
    """A compiled pattern. `find` and `find_all` raise `XRepoLimitError` past the time bound."""

    __slots__ = ("_compiled", "_ended", "_plain", "_spent")

    def __init__(self, text: str, options: str = "") -> None:
        import regex  # type: ignore[import-untyped, unused-ignore]

        flags = 0
        for letter in options:
            flags |= {"i": regex.I, "m": regex.M, "s": regex.S, "x": regex.X, "u": 0}[letter]
        size = repetitions(text)
        if size > limits.REGEX_REPETITIONS:
            limits.exceeded("the repetitions in a pattern", limits.REGEX_REPETITIONS)
        spend(size)
        translated, repeats = _translated(text)
        try:
            self._compiled = regex.compile(translated, flags | regex.V0, cache_pattern=False)
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            raise XRepoQueryError(f"the pattern {text!r} is no regular expression: {error}") from error
        self._plain = repeats <= 1
        self._spent = self._ended = 0.0

    def find(self, text: str, start: int = 0) -> Any:
        """The first match from `start` on, or None."""
        if self._plain and len(text) < _SHORT:
            return self._compiled.search(text, start)
        began = time.perf_counter()
        try:
            found = self._compiled.search(text, start, timeout=limits.REGEX_SECONDS, concurrent=True)
        except TimeoutError:
            raise _too_slow(f"{limits.REGEX_SECONDS:g} s on one value") from None
        except MemoryError:
            raise XRepoLimitError("a regular expression recurs without end") from None
        ended = time.perf_counter()
        if ended - began > limits.REGEX_SLOW_SECONDS:
            self._charge(began, ended)
        return found

    def _charge(self, began: float, ended: float) -> None:
        """Counts slow matches that follow each other closely together, as those of one query."""
        self._spent = ended - began + (self._spent if began - self._ended < 1 else 0)
        self._ended = ended
        if self._spent > limits.REGEX_TOTAL_SECONDS:
            self._spent = 0.0
            raise _too_slow(f"{limits.REGEX_TOTAL_SECONDS:g} s in all on values where it is slow")

    def find_all(self, text: str) -> Iterator[Any]:
        """All matches that do not overlap; after an empty one it goes on at the next character."""
        start = 0
        while (found := self.find(text, start)) is not None:
            yield found
            start = found.end() + (found.end() == found.start())
            if start >= len(text):
                return


def repetitions(text: str) -> int:
    """How many parts a pattern has with its counted repeats written out: what compiling it takes."""
    groups = [[0, 0]]
    for token in _PART.finditer(text):
        before, last = groups[-1]
        if token[0][0] == "(":
            groups.append([0, 0])
        elif token[0] == ")" and len(groups) > 1:
            inner = max(1, sum(groups.pop()))
            groups[-1] = [sum(groups[-1]), inner]
        elif token["least"]:
            groups[-1][1] = last * max(1, int(token["most"] or token["least"]))
        else:
            groups[-1] = [before + last, 1]
    return sum(map(sum, groups))


def _too_slow(bound: str) -> XRepoLimitError:
    return XRepoLimitError(
        f"a regular expression ran longer than {bound}",
        hint="avoid nested repeats like (a+)+",
    )


def pattern(text: str, options: str = "") -> Pattern:
    """The compiled pattern; options are letters out of `imsxu`. Many small ones are kept, and few large.

    Raises `XRepoQueryError` when it cannot be read, `XRepoLimitError` when it is too large.
    """
    return _small(text, options) if "{" not in text or repetitions(text) < _LARGE else _large(text, options)


_LARGE = 2_000
"""Repetitions from which on a compiled pattern takes about a megabyte."""
_small = lru_cache(maxsize=512)(Pattern)
_large = lru_cache(maxsize=8)(Pattern)

_PART = re.compile(
    r"""\\.
    |\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]
    |\((?:\?[:=!|>])?
    |\{(?P<least>\d{1,9})(?:,(?P<most>\d{0,9}))?\}
    |.""",
    re.X | re.S,
)
_ASCII = {
    "w": "0-9A-Z_a-z",
    "W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "d": "0-9",
    "D": r"\x00-/:-\U0010ffff",
    "s": r"\t-\r ",
    "S": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
    "h": r"\t \u00a0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
}
_POSIX = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z",
    "space": r"\t-\r ", "blank": r"\t ", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f",
    "word": "0-9A-Z_a-z", "cntrl": r"\x00-\x1f\x7f", "print": " -~", "graph": "!-~",
}  # fmt: skip
_TOKEN = re.compile(
    r"""\\Q(?P<quoted>.*?)(?:\\E|\Z)
    |\\x\{(?P<code>[0-9A-Fa-f]{1,6})\}
    |\\k(?:\{(?P<k1>\w+)\}|<(?P<k2>\w+)>|'(?P<k3>\w+)')
    |\\c(?P<control>[@-_a-z])
    |\\(?P<escaped>.)
    |\[:(?P<negated>\^?)(?P<posix>[a-z]+):\]
    |(?P<group>\(\?'\w+')
    |(?P<repeat>\)[*+?{]|[*+{])
    |(?P<open>\[\^?\]?)
    |(?P<other>.)""",
    re.X | re.S,
)


@lru_cache(maxsize=512)
def _translated(text: str) -> tuple[str, int]:
    """The pattern in the `regex` package's spelling, and how many repeats it has: one that is
    applied to a group, and a back reference, count twice."""
    text = re.sub(r"^(\(\*(UTF8?|UTF16|UCP|ANYCRLF|CRLF|LF|CR|ANY)\))+", "", text)
    out: list[str] = []
    repeats = 0
    in_class = False
    for token in _TOKEN.finditer(text):
        piece, kind = token[0], token.lastgroup
        if kind == "open" and not in_class:
            in_class = True
            piece = piece.replace("[]", r"[\]").replace("[^]", r"[^\]")
        elif kind == "other" and in_class and piece == "]":
            in_class = False
        elif in_class and kind == "open":
            piece = re.sub(r"([\[\]])", r"\\\1", piece[:1]) + piece[1:]
            in_class = not piece.endswith("]")
        elif kind == "repeat" and not in_class:
            repeats += len(piece)
        elif kind not in ("other", "repeat"):
            piece = _piece(token, in_class)
            repeats += 2 * (kind in ("k1", "k2", "k3") or (token["escaped"] or "").isdigit())
        out.append(piece)
    return "".join(out), repeats


def _piece(token: re.Match[str], in_class: bool) -> str:
    kind, found = token.lastgroup, token[0]
    if kind == "quoted":
        return re.escape(token["quoted"])
    if kind == "code":
        return f"\\U{int(token['code'], 16):08x}"
    if kind in ("k1", "k2", "k3"):
        return f"(?P={token[kind]})"
    if kind == "control":
        return f"\\x{ord(token['control'].upper()) ^ 64:02x}"
    if kind == "group":
        return f"(?P<{found[3:-1]}>"
    if kind == "negated" or kind == "posix":
        return _posix(token, found, in_class)
    return _escaped(token["escaped"], in_class)


def _posix(token: re.Match[str], found: str, in_class: bool) -> str:
    name = token["posix"]
    if not in_class or name not in _POSIX:
        return found
    return found if token["negated"] else _POSIX[name]


def _escaped(letter: str, in_class: bool) -> str:
    if letter in _ASCII:
        return _ASCII[letter] if in_class else f"[{_ASCII[letter]}]"
    if in_class:
        return {"e": r"\x1b", "b": r"\x08"}.get(letter, "\\" + letter)
    return {"e": r"\x1b", "b": r"(?a:\b)", "B": r"(?a:\B)", "Z": r"(?=\n?\Z)", "z": r"\Z", "G": r"\G"}.get(
        letter, "\\" + letter
    )
