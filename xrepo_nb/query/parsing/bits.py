"""Bit masks of `$bitsAllSet` and its kin."""

from __future__ import annotations

from typing import Any

from xrepo_nb.core.errors import XRepoLimitError
from xrepo_nb.query.parsing.values import fail, is_number, whole

MAX_POSITION = 2**20


def mask_of(value: Any, op: str, at: str) -> int:
    """The mask that a number, a list of bit positions or binary data stands for."""
    if isinstance(value, (bytes, bytearray)):
        return int.from_bytes(value, "little")
    if isinstance(value, (list, tuple)):
        return sum(1 << position for position in {_position(item, op, at) for item in value})
    if not is_number(value):
        fail(f"{op} takes a number, a list of bit positions or binary data", at)
    return whole(value, op, at, least=0)


def _position(item: Any, op: str, at: str) -> int:
    position = whole(item, f"a bit position of {op}", at, least=0)
    if position > MAX_POSITION:
        raise XRepoLimitError(f"a bit position past {MAX_POSITION:,}", at=at)
    return position
