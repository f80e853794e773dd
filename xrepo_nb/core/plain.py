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


def moment_of(text: str) -> datetime:
    """ISO 8601 text as a moment in UTC, which it is in where it names no offset. Raises `ValueError`.

    >>> moment_of("2024-02-29T12:00+02:00")
    datetime.datetime(2024, 2, 29, 10, 0, tzinfo=datetime.timezone.utc)
    """
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


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
