"""Values as Python's own."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """A NumPy scalar, or pandas' own moment, as the Python value it stands for; anything else as it is.

    >>> plain("a")
    'a'
    """
    if type(value).__name__ == "Timestamp" and hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    if type(value).__module__ != "numpy" or getattr(value, "ndim", None) != 0:
        return value
    if type(value).__name__ == "datetime64":
        value = value.astype("datetime64[us]")
    return value.item()
