"""Values as Python's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def is_unicode(text: str) -> bool:
    """Whether text can be encoded, and so be in a column: with lone surrogates it cannot.

    >>> is_unicode("\\ud800")
    False
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(value: Any) -> Any:
    """A NumPy scalar, or pandas' own moment, as the Python value it stands for; a naive moment in UTC.

    Anything else stays as it is.

    >>> plain("a")
    'a'
    """
    if isinstance(value, datetime):
        if value != value:  # pandas' NaT
            return None
        moment = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if type(value).__module__ != "numpy" or getattr(value, "ndim", None) != 0:
        return value
    if type(value).__name__ == "datetime64":
        return plain(value.astype("datetime64[us]").item())
    return value.item()
