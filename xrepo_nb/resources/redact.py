"""Locations as they may be shown: without their secrets."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?i)([?&;](?:[^=&;]*(?:password|passwd|pwd|secret|token|key|signature|credential)[^=&;]*)=)[^&;#]*"
)


def redacted(location: str) -> str:
    """The location with passwords and tokens replaced by `***`; it need not be a valid URL.

    >>> redacted("mongodb://ada:p@ss/w:rd@host/db?authToken=x&tls=true")
    'mongodb://ada:***@host/db?authToken=***&tls=true'
    """
    return _SECRET.sub(r"\1***", re.sub(r"(//[^:/@\s]*):.*@", r"\1:***@", location))
