"""How one value reads: short, exact in its full form, null and missing told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.viewers.html import Html, tag

SHOWN = 80
"""Characters of a value that are shown."""
HOVER = 1000
"""Characters of its full text that are kept for hovering."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text. `kind`: number, text, bool, null, missing, other; `full` where `text` is cut."""

    text: str
    kind: str
    full: str | None = None

    def cell(self, right: bool = False) -> Html:
        """As a cell of a table; `right` for all of a column of numbers."""
        absent = self.kind in ("null", "missing")
        tones = ["xr-n"] * right + ["xr-null"] * absent
        title = "no such field in this row" if self.kind == "missing" else self.full
        return tag("td", self.text, class_=" ".join(tones) or None, title=title)


def show(value: Any, decimals: int | None = None, digits: int = 5) -> Shown:
    """How `value` reads in a cell; floats with `decimals` places where given.

    Numbers of at least `digits` digits have thousands separators, so that years have none.

    >>> show(336776).text, show(None).text, show(2013).text, show("").text
    ('336,776', 'null', '2013', '""')
    """
    if value is MISSING:
        return Shown("missing", "missing")
    if value is None:
        return Shown("null", "null")
    if isinstance(value, bool):
        return Shown("true" if value else "false", "bool")
    if isinstance(value, Enum):
        return show(value.value, decimals, digits)
    if isinstance(value, int | Decimal):
        return Shown(number(value, digits=digits), "number")
    if isinstance(value, float):
        exact, short = number(value, digits=digits), number(value, decimals, digits)
        return Shown(short, "number", exact if exact != short else None)
    if isinstance(value, str):
        return _cut(value, "text") if value else Shown('""', "null")
    return _cut("".join(_budgeted(value)), "text" if isinstance(value, datetime) else "other")


def number(value: float | Decimal, decimals: int | None = None, digits: int = 5) -> str:
    """A number with thousands separators if it has at least `digits` digits before the point.

    >>> number(12345.5), number(1e-9), number(2.0, 2), number(10**30)
    ('12,345.5', '1e-09', '2.00', '1,000,000,000,000,000,000,000,000,000,000')
    """
    if isinstance(value, float):
        if not math.isfinite(value) or (value and not 1e-4 <= abs(value) < 1e15):
            return f"{value:.12g}".replace("inf", "Infinity").replace("nan", "NaN")
        plain = repr(value) if decimals is None else f"{value:.{decimals}f}"
        whole, dot, rest = plain.partition(".")
        return _grouped(whole, digits) + dot + rest
    whole, dot, rest = str(value).partition(".")
    return _grouped(whole, digits) + dot + rest


def _grouped(whole: str, digits: int) -> str:
    plain = whole.lstrip("-")
    return f"{int(whole):,}" if digits <= len(plain) <= 400 and plain.isdigit() else whole


def digits_of(values: Iterable[Any]) -> int:
    """From how many digits on a column's numbers are grouped: alike, if any has five or more.

    >>> digits_of([2013, 2014]), digits_of([5131, 12083])
    (5, 4)
    """
    large = any(isinstance(v, int | float) and 1e4 <= abs(v) < 1e15 for v in values)
    return 4 if large else 5


def decimals_of(values: Iterable[Any]) -> int:
    """Decimal places that show a column of floats evenly: four at most, more only where all are small.

    >>> decimals_of([1.5, 2.25, None]), decimals_of([12.330000000000002]), decimals_of([0.00025, 0.0004])
    (2, 2, 5)
    """
    found = [abs(v) for v in values if isinstance(v, float) and _plain(v)]
    most = max(4, 3 - math.floor(math.log10(max(found, default=1.0))))
    return max((len(f"{v:.{most}f}".rstrip("0").partition(".")[2]) for v in found), default=1) or 1


def _plain(value: float) -> bool:
    return math.isfinite(value) and 1e-4 <= abs(value) < 1e15


def _cut(full: str, kind: str) -> Shown:
    line = " ".join(full.split()) if "\n" in full or "\t" in full else full
    if len(line) <= SHOWN and line == full:
        return Shown(full, kind)
    short = line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
    return Shown(short, kind, full if len(full) <= HOVER else full[:HOVER] + "…")


def _budgeted(value: Any) -> Iterator[str]:
    """The pieces of the value's text, as many as a hover can show."""
    left = HOVER + 1
    for piece in _pieces(value):
        yield piece[: left + 1]
        left -= len(piece)
        if left < 0:
            return


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield f"{', ' if index else ''}{key}: "
            yield from _pieces(item)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from _pieces(item)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    """A value within another: text quoted, numbers without separators, as commas part the items."""
    if isinstance(value, str):
        return f'"{value[: HOVER + 1]}"'
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, bytes | bytearray | memoryview):
        shown = bytes(value[:16]).hex()
        return f"0x{shown}{'…' if len(value) > 16 else ''} ({len(value):,} bytes)"
    if value is None or isinstance(value, bool | float) or value is MISSING:
        return show(value).text.replace(",", "")
    if callable(getattr(value, "isoformat", None)):
        return str(value.isoformat())
    return str(value)


def _instant(value: datetime) -> str:
    """ISO 8601 in UTC, without a fraction that is zero."""
    text = (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    return text.replace("+00:00", "Z")


def _duration(value: timedelta) -> str:
    """Days and a clock: `1d 02:03:04.5`."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    days = f"{value.days}d " if value.days else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"
