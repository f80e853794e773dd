"""Every source and every one of its options appears in the page on sources."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from xrepo_nb.resources import factory

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


@pytest.mark.parametrize("kind", factory.SOURCES.own)
def test_every_kind_is_documented(kind: str) -> None:
    assert f"\n| `{kind}` |" in PAGE


@pytest.mark.parametrize("kind", factory.SOURCES.own)
def test_every_option_is_documented(kind: str) -> None:
    missing = [name for name in inspect.signature(factory._maker(kind)).parameters if f"`{name}`" not in PAGE]
    assert not missing
