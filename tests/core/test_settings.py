"""Every setting is one that something reads, and has a value that it can take."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import xrepo_nb
from xrepo_nb import XSettings

READ = {
    node.attr
    for path in Path(xrepo_nb.__file__).parent.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}
"""The attributes that the package reads, of whatever."""

TAKEN_BY_USERS = {"database"}
"""What users hand on themselves: DatabaseResource(XSettings().database)."""


@pytest.mark.parametrize("name", sorted(set(XSettings.model_fields) - TAKEN_BY_USERS))
def test_a_setting_is_read(name: str) -> None:
    assert name in READ


@pytest.mark.parametrize("wrong", ["lots", "80%", "", "GB", "4 XB", "-1GB", "4GBs"])
def test_a_limit_of_memory_is_a_size(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no size.*512MiB"):
        XSettings(memory_limit=wrong)
