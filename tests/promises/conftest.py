"""Governed repos over every embedded source, as they are and as copies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from tests.resources.sources import COLLECTION, SOURCES

Open = Callable[..., Awaitable[xr.XRepo[Any]]]
KINDS = [(kind, copied) for kind in SOURCES for copied in (None, True)]


@pytest.fixture(params=KINDS, ids=[f"{kind}{'-copy' if copied else ''}" for kind, copied in KINDS])
async def governed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """`await governed(rules)` opens the people of `sources.py` under rules."""
    kind, copied = request.param
    resource = await asyncio.to_thread(SOURCES[kind].make, tmp_path)

    async def opened(rules: list[xr.ACLRule]) -> xr.XRepo[Any]:
        return await xr.open(
            resource, collection=COLLECTION, name="people", rules=rules, primary_key="id", model=False,
            materialized=copied, register=False,
        )  # fmt: skip

    yield opened
    await resource.close()
