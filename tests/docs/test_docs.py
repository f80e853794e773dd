"""The documentation is complete: what users can set or name appears in it."""

from pathlib import Path

import pytest

from xrepo_nb.core.settings import XSettings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", XSettings.model_fields)
def test_every_setting_is_documented(name):
    assert f"| `{name}` |" in (DOCS / "settings.md").read_text()
