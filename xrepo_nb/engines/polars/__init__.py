"""The vectorised engine: plans lowered to Polars."""

from xrepo_nb.engines.polars.engine import PolarsEngine, lower

__all__ = ["PolarsEngine", "lower"]
