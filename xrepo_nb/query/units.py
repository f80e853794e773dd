"""The units of time."""

from __future__ import annotations

FIXED = {
    "week": 604_800_000_000, "day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000,
    "second": 1_000_000, "millisecond": 1_000,
}  # fmt: skip
"""Microseconds of the units of one length."""
MONTHS = {"year": 12, "quarter": 3, "month": 1}
"""Months of the others."""
UNITS = (*MONTHS, *FIXED)
