"""Our own sources and engines come through the same door as those of others."""

from importlib.metadata import entry_points

import pytest

from xrepo_nb.engines import select
from xrepo_nb.resources import factory


@pytest.mark.parametrize(
    "group, own", [("xrepo_nb.resources", factory._OWN), ("xrepo_nb.engines", select._OWN)]
)
def test_the_static_table_says_what_the_entry_points_say(group, own):
    declared = {point.name: point.value for point in entry_points(group=group)}
    assert {name: declared.get(name) for name in own} == own
