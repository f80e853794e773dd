"""Our own sources and engines come through the same door as those of others."""

from importlib.metadata import entry_points

import pytest

from xrepo_nb.core.entry_points import EntryPoints
from xrepo_nb.engines.select import ENGINES
from xrepo_nb.resources.factory import SOURCES


@pytest.mark.parametrize("known", [SOURCES, ENGINES], ids=lambda known: known.group)
def test_the_static_table_says_what_the_entry_points_say(known: EntryPoints) -> None:
    declared = {point.name: point.value for point in entry_points(group=known.group)}
    assert {name: declared.get(name) for name in known.own} == known.own
