"""All stages, by the name of their plan node."""

from __future__ import annotations

from collections.abc import Mapping

from xrepo_nb.engines.sql.stages import combined, facets, groups, lookups, rows, shapes, unwind, windows
from xrepo_nb.engines.sql.stages.render import Renderer, scan

RENDERERS: Mapping[str, Renderer] = {
    "Scan": scan,
    **rows.RENDERERS,
    **shapes.RENDERERS,
    **groups.RENDERERS,
    **combined.RENDERERS,
    **unwind.RENDERERS,
    **windows.RENDERERS,
    **lookups.RENDERERS,
    **facets.RENDERERS,
}
