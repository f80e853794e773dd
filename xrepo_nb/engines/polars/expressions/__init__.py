"""Lowerings of expression operators, one file a family; importing them registers them."""

from xrepo_nb.engines.polars.expressions import (
    arithmetic,
    arrays,
    comparison,
    conditional,
    conversion,
    dates,
    strings,
)

__all__ = ["arithmetic", "arrays", "comparison", "conditional", "conversion", "dates", "strings"]
